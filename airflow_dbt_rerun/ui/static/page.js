// The same pages outside Airflow's UI.

import {AIRFLOW, APP, addStyle, encoded, pagePath, runPath, taskPath, tick} from "./common.js";
import {h, render} from "./dom.js";
import {startHeals, viewHeals} from "./heals.js";
import {viewTask} from "./task.js";
import {startTask} from "./task_model.js";

const THEMES = ["dark", "light"];

function theme() {
  const chosen = localStorage.getItem("theme"); // what the person has chosen in Airflow's UI
  if (THEMES.includes(chosen)) return chosen;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

function taskInAddress() {
  const [dagId, runId, taskId, mapIndex] = location.pathname.slice(`${APP}task/`.length).split("/").map(decodeURIComponent);
  return {dagId, runId, taskId, mapIndex: /^\d+$/.test(mapIndex ?? "") ? Number(mapIndex) : -1};
}

// The way back into Airflow's UI: the DAG, its run, the task.
function way(task) {
  const name = task.mapIndex < 0 ? task.taskId : `${task.taskId} [${task.mapIndex}]`;
  const links = [
    [AIRFLOW, "Airflow"],
    [`${AIRFLOW}dags/${encoded(task.dagId)}`, task.dagId],
    [runPath(task), task.runId],
    [taskPath(task), name],
  ];
  const separated = links.flatMap(([href, text], place) => [place > 0 && " › ", h("a", {href}, text)]);
  return h("nav", {className: "dim way", "aria-label": "In Airflow"}, separated);
}

function titled(task, view) {
  document.title = `dbt heal: ${task.taskId}`;
  return h("div", {className: "dbt-rerun"}, way(task), view);
}

function logIn() {
  location.assign(`${AIRFLOW}auth/login?next=${encodeURIComponent(location.href)}`);
}

function start() {
  document.documentElement.className = theme();
  addStyle();
  setInterval(tick, 1000);
  const root = document.getElementById("root");
  const isTask = location.pathname.startsWith(`${APP}task/`);
  const task = isTask ? taskInAddress() : null;
  let model = null;
  const show = (state) => {
    if (state.refused === 401) return logIn();
    render(root, isTask ? titled(task, viewTask(h, state, model)) : h("div", {className: "dbt-rerun"}, viewHeals(h, state, model)));
    tick();
  };
  model = isTask ? startTask(task, show) : startHeals(pagePath, show);
}

start();

// The same pages outside Airflow's UI.

import {AIRFLOW, APP, addStyle, tick} from "./common.js";
import {h, render} from "./dom.js";
import {startHeals, viewHeals} from "./heals.js";
import {startTask, taskPath, viewTask} from "./task.js";

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

const airflowPath = ({dagId, runId}) => `${AIRFLOW}dags/${encodeURIComponent(dagId)}/runs/${encodeURIComponent(runId)}`;

function titled(task, view) {
  const name = [task.dagId, task.runId, task.taskId, task.mapIndex < 0 ? null : `[${task.mapIndex}]`].filter(Boolean);
  document.title = `dbt heal: ${task.taskId}`;
  return h("div", {className: "dbt-rerun"}, h("p", {className: "dim"}, h("a", {href: airflowPath(task)}, "Airflow"), " › ", name.join(" › ")), view);
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
  model = isTask ? startTask(task, show) : startHeals(taskPath, show);
}

start();

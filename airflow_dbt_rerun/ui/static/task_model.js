// What is known of one task: read again and again while the task is in progress.

import {AIRFLOW, ask, encoded} from "./common.js";
import {askWishes} from "./wishes.js";

const SOON = 2_000; // milliseconds between two looks while something happens: a short run is over in half a minute
const LATER = 10_000;
const LIVELY = 60_000; // milliseconds after a change in which the next one is likely
const OURS = ["DbtCloudJobOperator", "DbtCloudRerunOperator", "DbtCloudJobSensor", "DbtCloudRunSensor"];
const OVER = ["success", "failed", "skipped", "upstream_failed", "removed"];
const TO_START = [null, "none", "scheduled", "queued", "restarting"];

export const isOurs = ({instance}) => OURS.includes(instance?.operator_name ?? instance?.operator);

export const isOver = ({instance}) => OVER.includes(instance?.state);

// A cleared task keeps what its last try left in XCom until the next one starts.
export const isToStart = ({instance}) => Boolean(instance) && TO_START.includes(instance.state);

export const isAlive = (state) => state.report.outcome === "in progress" && !isOver(state);

export function startTask(task, show, refresh = () => true) {
  let timer = null;
  let stopped = false;
  let shown = "";
  let changedAt = Date.now();
  let state = {task, loading: true};
  const put = (changes) => {
    state = {...state, ...changes};
    const text = JSON.stringify(state);
    if (stopped || text === shown) return;
    shown = text;
    changedAt = Date.now();
    show(state);
  };
  // Airflow's own header, grid and logs do not know what was pressed here.
  const tellAirflow = () => state.pressed && put({stale: !refresh()});
  const look = async () => {
    clearTimeout(timer);
    if (!document.hidden) {
      const before = state.instance?.state;
      const seen = await read(task);
      put({...seen, noted: state.noted && isToStart(seen)});
      if (before !== state.instance?.state) tellAirflow();
    }
    if (stopped || isOver(state) || (state.instance && !isOurs(state))) return;
    clearTimeout(timer);
    timer = setTimeout(look, Date.now() - changedAt < LIVELY ? SOON : LATER);
  };
  const onVisible = () => !document.hidden && look();
  document.addEventListener("visibilitychange", onVisible);
  look();
  return {
    put,
    look,
    tellAirflow,
    stop: () => {
      stopped = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", onVisible);
    },
  };
}

async function read(task) {
  const {dagId, runId, taskId, mapIndex} = task;
  const of = `${AIRFLOW}api/v2/dags/${encoded(dagId)}/dagRuns/${encoded(runId)}/taskInstances/${encoded(taskId)}`;
  const [report, instance, wishes] = await Promise.all([
    ask(`${of}/xcomEntries/dbt_rerun_report?map_index=${mapIndex}`),
    ask(mapIndex < 0 ? of : `${of}/${mapIndex}`),
    askWishes(task),
  ]);
  const refused = [401, 403].find((status) => report.status === status);
  return {
    loading: false,
    refused,
    failed: refused || report.ok || report.status === 404 ? null : report.status,
    report: report.ok ? asReport(report.body?.value) : null,
    instance: instance.ok ? instance.body : null,
    wishes: wishes.ok ? wishes.body : null,
  };
}

function asReport(value) {
  try {
    const report = typeof value === "string" ? JSON.parse(value) : value;
    return report && typeof report === "object" && Array.isArray(report.attempts) ? report : null;
  } catch {
    return null;
  }
}

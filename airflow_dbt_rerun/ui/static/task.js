// One task: what failed, what is done about it, and the whole chain of dbt runs.

import {AIRFLOW, APP, ask, badge, duration, encoded, linkTo, moment, nodeName, outcomeWords, plural} from "./common.js";
import {actionButtons, askWishes, wishWords} from "./wishes.js";

const EVERY = 10_000; // milliseconds between two looks at a task in progress
const OURS = ["DbtCloudJobOperator", "DbtCloudRerunOperator", "DbtCloudJobSensor", "DbtCloudRunSensor"];
const OVER = ["success", "failed", "skipped", "upstream_failed", "removed"];

const WHY = {
  failed: "No rerun can be expected to heal this.",
  exhausted: "A rerun might heal this, but the policy's limits are reached.",
  hollow: "A rerun was green, but did not do the work that was owed.",
  cancelled: "Stopped by a person or by dbt.",
  timeout: "The time allowed for this task is over.",
  unwatchable: "dbt could not be read for too long: whether the run succeeded is unknown.",
};

const DECISIONS = {
  rerun_from_failure: "Rerun from failure",
  rerun_from_step: "Rerun from the failed step",
  rerun_from_start: "Rerun from start",
  rebuild_tested: "Rebuild what the failed tests check",
  fail: "Not rerun",
};

// --- What is known

export function startTask(task, show) {
  let timer = null;
  let stopped = false;
  let shown = "";
  let state = {task, loading: true};
  const put = (changes) => {
    state = {...state, ...changes};
    const text = JSON.stringify(state);
    if (stopped || text === shown) return;
    shown = text;
    show(state);
  };
  const look = async () => {
    clearTimeout(timer);
    if (!document.hidden) put(await read(task));
    if (!stopped && !OVER.includes(state.instance?.state)) timer = setTimeout(look, EVERY);
  };
  const onVisible = () => !document.hidden && look();
  document.addEventListener("visibilitychange", onVisible);
  look();
  return {
    put,
    look,
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

// --- How it is shown

export function viewTask(h, state, model) {
  if (!state || state.loading) return h("p", {className: "dim"}, "Loading …");
  if (state.refused === 401) return h("p", {className: "dim"}, "Log in to Airflow to see this.");
  if (state.refused) return h("p", {className: "dim"}, "Your role may not read the XComs of this DAG.");
  if (state.failed) return h("p", {className: "dim"}, `Airflow answered ${state.failed}; the next try is soon.`);
  if (!state.report) return h("p", {className: "dim none"}, nothing(state));
  const {report} = state;
  return h(
    "div",
    {className: "task"},
    headline(h, state),
    whatFailed(h, report),
    actionButtons(h, state, model),
    h("h3", {}, plural(report.attempts.length, "dbt run")),
    h("ol", {className: "runs"}, report.attempts.map((attempt) => runRow(h, attempt, attempt === newestFailure(report)))),
    nextRow(h, state),
    policy(h, report),
  );
}

function nothing({instance}) {
  const isOurs = OURS.includes(instance?.operator_name ?? instance?.operator);
  if (!isOurs) return "No dbt heal here: this task is not one of airflow-dbt-rerun.";
  if (!OVER.includes(instance.state)) return "Nothing to show yet: the first dbt run has not started.";
  return "Nothing to show: the task left no report, or its XComs were cleared.";
}

const isAlive = ({report, instance}) => report.outcome === "in progress" && !OVER.includes(instance?.state);

function headline(h, state) {
  const {report, instance} = state;
  const lost = report.outcome === "in progress" && !isAlive(state);
  const tone = lost ? "bad" : outcomeWords(report.outcome)[0];
  return h(
    "header",
    {className: `headline ${tone}`},
    h("h2", {}, lost ? h("span", {className: "badge bad"}, "Ended early") : badge(h, report.outcome), " ", title(h, state, lost)),
    h("p", {className: "dim"}, facts(report, instance)),
    state.wishes?.wish && h("p", {className: "wish"}, wishWords(state.wishes.wish)),
  );
}

function title(h, state, lost) {
  const {report, instance} = state;
  if (lost) return `the task is ${instance?.state}, although its work was not done.`;
  if (report.outcome === "in progress") return doing(h, report);
  if (report.outcome === "healed") return `after ${plural(report.reruns, "rerun")}. ${proof(report)}`;
  if (report.outcome === "succeeded") return "at the first run.";
  return WHY[report.outcome] ?? report.reason;
}

function doing(h, report) {
  const now = report.now ?? {};
  if (now.doing === "waiting") return [report.reason, ", next attempt ", h("b", {key: "until", "data-until": now.until}), "."];
  if (now.doing === "asking") return [report.reason, ": answer in the tab Required Action. Without an answer, it goes on by its default ", h("b", {key: "until", "data-until": now.until}), "."];
  if (now.doing !== "watching") return `${report.reason} …`;
  const step = now.step && `, step ${now.step.index} of ${now.step.of}: ${now.step.name}`;
  return [`dbt is at work${step ?? ""}. Watched since ${moment(now.since)} (`, h("b", {key: "since", "data-since": now.since}), ")."];
}

const PROOFS = {
  verified: "Verified: what had failed has now succeeded.",
  "not verifiable": "Not verifiable: see the last run below.",
  hollow: "The rerun was hollow: see the last run below.",
};

const proof = (report) => PROOFS[report.verified] ?? "";

function facts(report, instance) {
  const all = [
    report.job_id && `job ${report.job_id}`,
    report.seconds && report.outcome !== "in progress" && `${duration(report.seconds)} in all`,
    report.waited_seconds && `${duration(report.waited_seconds)} waited`,
    instance?.try_number > 1 && `try ${instance.try_number} of the task`,
  ];
  return all.filter(Boolean).join(" · ");
}

// What has been healed is shown with its run only.
function newestFailure({outcome, attempts}) {
  if (["healed", "succeeded"].includes(outcome)) return null;
  return attempts.findLast((attempt) => attempt.findings?.length);
}

function whatFailed(h, report) {
  const failed = newestFailure(report);
  const done = !["in progress", "healed", "succeeded"].includes(report.outcome) && report.reason;
  if (!failed) return done ? h("p", {className: "reason"}, report.reason) : null;
  return h(
    "section",
    {className: "failed"},
    h("h3", {}, `What failed in run ${failed.run_id}`),
    findings(h, failed, 5),
    h("p", {className: "decision"}, decision(h, failed)),
    done && !sameReason(failed, report) && h("p", {className: "reason dim"}, report.reason),
  );
}

// The reason of the end usually repeats decision and first finding, which are shown already.
const sameReason = (attempt, report) => report.reason.includes((attempt.decision ?? " ").replace(/^\w+: /, ""));

function findings(h, attempt, most) {
  const shown = attempt.findings.slice(0, most);
  const more = (attempt.found ?? shown.length) - shown.length;
  return [
    h("ul", {key: "findings", className: "findings"}, shown.map((finding, number) => findingRow(h, finding, number))),
    more > 0 && h("p", {key: "more", className: "dim"}, `and ${plural(more, "more failure")}; all are in the log and in dbt`),
    attempt.skipped > 0 && h("p", {key: "skipped", className: "dim"}, `${plural(attempt.skipped, "node")} downstream skipped`),
  ];
}

function findingRow(h, finding, number) {
  return h(
    "li",
    {key: `${number} ${finding.subject}`},
    h(
      "div",
      {className: "node"},
      h("b", {title: finding.subject}, `${finding.resource_type} ${nodeName(finding)}`),
      h("span", {className: "chip", title: finding.signature ?? undefined}, finding.category.replace("_", " ")),
      finding.path && h("code", {className: "path"}, finding.path),
    ),
    h("div", {className: "message"}, finding.message),
    finding.signature && h("div", {className: "dim small"}, `known error: ${finding.signature}`),
  );
}

function decision(h, attempt) {
  if (!attempt.decision) return null;
  const [, action, reason] = attempt.decision.match(/^(\w+): (.*)$/s) ?? [null, null, attempt.decision];
  return [h("b", {key: "what"}, DECISIONS[action] ?? action ?? "Decision"), ": ", reason];
}

const TONES = {Success: "good", Error: "bad", Cancelled: "bad"};

function runRow(h, attempt, isAbove) {
  const tone = attempt.verified === "hollow" ? "bad" : TONES[attempt.status] ?? "wait";
  const numbers = [
    attempt.seconds !== null && attempt.seconds !== undefined && duration(attempt.seconds),
    attempt.nodes_run !== null && attempt.nodes_run !== undefined && `${plural(attempt.nodes_run, "node")} run`,
    attempt.nodes_saved > 0 && `${plural(attempt.nodes_saved, "node")} saved`,
    attempt.waited_seconds > 0 && `after a wait of ${duration(attempt.waited_seconds)}`,
    attempt.git_sha && `commit ${attempt.git_sha.slice(0, 7)}`,
  ];
  return h(
    "li",
    {key: attempt.run_id, className: `run ${tone}`},
    h(
      "div",
      {className: "line"},
      h("span", {className: "which"}, linkTo(h, attempt.url, `run ${attempt.run_id}`, "open this run in dbt")),
      h("span", {className: `badge ${tone}`}, attempt.status ?? "Started"),
      h("span", {className: "summary"}, attempt.summary),
      h("span", {className: "dim numbers"}, numbers.filter(Boolean).join(" · ")),
    ),
    isAbove && h("p", {className: "dim"}, "What failed, and what was decided: see above."),
    !isAbove && attempt.findings?.length > 0 && findings(h, attempt, 3),
    attempt.progress && h("p", {}, attempt.progress),
    !isAbove && attempt.decision && h("p", {className: "decision"}, decision(h, attempt)),
    attempt.verification && h("p", {className: "verification"}, attempt.verification),
    attempt.warnings?.map((warning, number) => h("p", {key: `warning ${number}`, className: "warning"}, `Warning: ${warning}`)),
  );
}

function nextRow(h, state) {
  const now = state.report.now;
  if (!isAlive(state) || now?.doing !== "waiting") return null;
  return h("p", {className: "next"}, "Next attempt ", h("b", {"data-until": now.until}), `, at ${moment(now.until)}`);
}

function policy(h, report) {
  if (!report.policy?.length) return null;
  return h(
    "details",
    {className: "policy", "data-id": "policy"},
    h("summary", {}, "The policy of this task"),
    h("ul", {}, report.policy.map((line, number) => h("li", {key: number}, line))),
  );
}

export const taskPath = ({dagId, runId, taskId, mapIndex}) => `${APP}task/${encoded(dagId, runId, taskId, mapIndex)}`;

export function tabPath({dagId, runId, taskId, mapIndex}) {
  const mapped = mapIndex < 0 ? "" : `/mapped/${mapIndex}`;
  return `${AIRFLOW}dags/${encoded(dagId)}/runs/${encoded(runId)}/tasks/${encoded(taskId)}${mapped}/plugin/dbt-heal`;
}

// One task: what failed, what is done about it, and the whole chain of dbt runs.

import {duration, linkTo, moment, nodeName, plural} from "./common.js";
import {hasGivenUp, headline, isAsking, whyGivenUp} from "./headline.js";
import {isAlive, isOurs, isOver, isToStart} from "./task_model.js";
import {actionButtons} from "./wishes.js";

const DECISIONS = {
  rerun_from_failure: "Rerun from failure",
  rerun_from_step: "Rerun from the failed step",
  rerun_from_start: "Rerun from start",
  rebuild_tested: "Rebuild what the failed tests check",
  ask: "Ask a person",
  fail: "Not rerun",
};

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
    whatFailed(h, state),
    !isAsking(state) && actionButtons(h, state, model),
    h("h3", {}, plural(report.attempts.length, "dbt run")),
    h("ol", {className: "runs"}, report.attempts.map((attempt) => runRow(h, attempt, attempt === newestFailure(report)))),
    nextRow(h, state),
    policy(h, report),
  );
}

function nothing(state) {
  if (!isOurs(state)) return "No dbt heal here: this task is not one of airflow-dbt-rerun.";
  if (!isOver(state)) return "Nothing to show yet: the first dbt run has not started.";
  return "Nothing to show: the task left no report, or its XComs were cleared.";
}

// What has been healed is shown with its run only.
function newestFailure({outcome, attempts}) {
  if (["healed", "succeeded"].includes(outcome)) return null;
  return attempts.findLast((attempt) => attempt.findings?.length);
}

function whatFailed(h, state) {
  const {report} = state;
  const failed = newestFailure(report);
  if (!failed) return null;
  const isSaid = !isToStart(state) && hasGivenUp(report) && failed.decision === `fail: ${whyGivenUp(report)}`; // in the first lines
  return h(
    "section",
    {className: "failed"},
    h("h3", {}, `What failed in run ${failed.run_id}`),
    findings(h, failed, 5),
    !isSaid && h("p", {className: "decision"}, decision(h, failed)),
  );
}

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
    finding.signature && h("div", {className: "dim small"}, `known as: ${finding.signature}`),
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

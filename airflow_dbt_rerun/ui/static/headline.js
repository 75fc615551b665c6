// The first lines of a task: how it stands, and why.

import {WAITING_FOR_YOU, duration, moment, outcomeWords, plural, taskPath} from "./common.js";
import {isAlive, isToStart} from "./task_model.js";
import {wishWords} from "./wishes.js";

const PROOFS = {
  verified: "Verified: what had failed has now succeeded.",
  "not verifiable": "Not verifiable: see the last run below.",
  hollow: "The rerun was hollow: see the last run below.",
};

// What happened, and nothing about what could have: the reason is the next line.
const ENDS = {
  hollow: "a rerun was green, but did not do its work.",
  cancelled: "the work was stopped.",
  timeout: "the time allowed for this task is over.",
  unwatchable: "dbt could not be read for too long, so whether the run succeeded is unknown.",
};

export function headline(h, state) {
  const {report, instance} = state;
  const [tone, words, title] = standing(h, state);
  return h(
    "header",
    {className: `headline ${tone}`},
    h("h2", {}, h("span", {className: `badge ${tone}`}, words), " ", title),
    h("p", {className: "dim"}, facts(report, instance)),
    !isToStart(state) && hasGivenUp(report) && h("p", {className: "why"}, sentence(whyGivenUp(report))),
    isAsking(state) && question(h, state),
    state.wishes?.wish && h("p", {className: "wish"}, wishWords(state.wishes.wish)),
  );
}

function standing(h, state) {
  const {report, instance} = state;
  const [tone, words] = outcomeWords(report.outcome);
  if (isToStart(state) && instance.try_number > 0) return ["wait", "Starts again", "the task was cleared or is retried; below is what it did before."];
  if (isAsking(state)) return [...WAITING_FOR_YOU, `what shall be done about run ${report.job_run_id}?`];
  if (report.outcome === "in progress" && !isAlive(state)) return ["bad", "Ended early", `the task ended (${instance?.state}) before its work was done.`];
  if (report.outcome === "in progress") return [tone, words, doing(h, report)];
  if (hasGivenUp(report) && instance?.state === "up_for_retry") return ["wait", "Will be retried", "Airflow tries this task again."];
  if (report.outcome === "healed") return [tone, words, `after ${plural(report.reruns, "rerun")}. ${PROOFS[report.verified] ?? ""}`];
  if (report.outcome === "succeeded") return [tone, words, "at the first run."];
  return [tone, words, ENDS[report.outcome] ?? (report.reruns ? `given up after ${plural(report.reruns, "rerun")}.` : "it was not rerun.")];
}

function doing(h, report) {
  const now = report.now ?? {};
  if (now.doing === "waiting") return [report.reason, ", next attempt ", h("b", {key: "until", "data-until": now.until}), "."];
  if (now.doing !== "watching") return `${report.reason} …`;
  const step = now.step && `, step ${now.step.index} of ${now.step.of}: ${now.step.name}`;
  return [`dbt is at work${step ?? ""}. Watched since ${moment(now.since)} (`, h("b", {key: "since", "data-since": now.since}), ")."];
}

// --- A question to a person

export const isAsking = (state) => isAlive(state) && state.report.now?.doing === "asking";

function question(h, {report, task}) {
  const {until, question: asked} = report.now;
  const answer = h("a", {key: "answer", href: `${taskPath(task)}/required_actions`}, "Answer in Required Actions");
  const otherwise = asked ? `“${asked.default}” is taken` : "the default is taken";
  return h(
    "p",
    {className: "question"},
    answer,
    asked && `: ${asked.options.join(", ")}`,
    `. Without an answer, ${otherwise} at ${moment(until)} (`,
    h("b", {key: "until", "data-until": until}),
    ").",
  );
}

// --- The reason of the end

export const hasGivenUp = ({outcome}) => !["in progress", "healed", "succeeded"].includes(outcome);

// The reason begins with what failed, which is shown below: the decision about the last run is its other half.
export function whyGivenUp(report) {
  const why = report.attempts.at(-1)?.decision?.match(/^fail: (.*)$/s)?.[1];
  const isHalf = ["failed", "exhausted"].includes(report.outcome) && why && report.reason.includes(why);
  return isHalf ? why : report.reason;
}

const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?…]$/.test(text) ? "" : "."}`;

function facts(report, instance) {
  const job = report.job_name ? `job ${report.job_name} (${report.job_id})` : report.job_id && `job ${report.job_id}`;
  const all = [
    job,
    report.seconds && report.outcome !== "in progress" && `${duration(report.seconds)} in all`,
    report.waited_seconds && `${duration(report.waited_seconds)} waited`,
    instance?.try_number > 1 && `try ${instance.try_number} of the task`,
  ];
  return all.filter(Boolean).join(" · ");
}

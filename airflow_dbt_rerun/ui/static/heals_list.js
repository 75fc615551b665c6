// The heals of the last days one by one, with a filter.

import {badge, moment, nodeName, plural} from "./common.js";

export function viewList(h, state, model) {
  const rows = state.told.heals.filter((row) => matches(row, state));
  if (!state.told.heals.length) return null;
  return h("section", {key: "list"}, h("h3", {}, "One by one"), filter(h, state, model), h("ul", {className: "list"}, rows.map((row) => listRow(h, state, row))), rest(h, state, rows));
}

function matches(row, {text, outcome}) {
  const found = row.findings.flatMap(({subject, message, category}) => [subject, message, category]);
  const all = [row.dag_id, row.task_id, row.run_id, row.job_name, row.job_id, row.reason, ...found];
  const fits = !outcome || (outcome === "person" ? !["healed", "in progress"].includes(row.outcome) : row.outcome === outcome);
  return fits && all.join(" ").toLowerCase().includes(text.toLowerCase());
}

function filter(h, state, model) {
  const option = (value, words) => h("option", {key: value, value}, words);
  return h(
    "div",
    {className: "filter"},
    h("input", {id: "dbt-rerun-filter", type: "search", placeholder: "DAG, run, task, job, node or message", "aria-label": "Filter", defaultValue: state.text, onInput: (event) => model.put({text: event.target.value})}),
    h(
      "select",
      {id: "dbt-rerun-outcome", "aria-label": "Outcome", defaultValue: state.outcome, onChange: (event) => model.put({outcome: event.target.value})},
      option("", "all"),
      option("healed", "healed"),
      option("person", "needed a person"),
      option("in progress", "in progress"),
    ),
  );
}

function listRow(h, state, row) {
  const name = `${row.dag_id} › ${row.task_id}` + (row.map_index < 0 ? "" : ` [${row.map_index}]`);
  const href = state.pathOf({dagId: row.dag_id, runId: row.run_id, taskId: row.task_id, mapIndex: row.map_index});
  const job = row.job_name ?? row.job_id;
  const key = `${row.dag_id} ${row.run_id} ${row.task_id} ${row.map_index}`;
  return h(
    "li",
    {key},
    h(
      "div",
      {className: "line"},
      badge(h, row),
      h("a", {href}, name),
      h("span", {className: "dim"}, [row.run_id, job && `job ${job}`, moment(row.at)].filter(Boolean).join(" · ")),
    ),
    nodes(h, row, key),
  );
}

function nodes(h, {findings, found}, key) {
  const [first, ...others] = findings;
  if (!first) return null;
  const line = (finding, number) => h("div", {key: `${number} ${finding.subject}`, className: "message"}, `${nodeName(finding)}: ${finding.message}`);
  const left = (found ?? findings.length) - findings.length;
  if (!others.length) return line(first, 0);
  return [
    line(first, 0),
    h(
      "details",
      {key: "others", "data-id": key},
      h("summary", {className: "dim"}, `and ${plural(others.length + left, "more node")}`),
      others.map(line),
      left > 0 && h("p", {className: "dim"}, `${left} more are in dbt.`),
    ),
  ];
}

function rest(h, {told}, rows) {
  const words = [!rows.length && "Nothing matches.", told.heals_left > 0 && `${told.heals_left} older ones are not listed.`];
  return h("p", {className: "dim"}, words.filter(Boolean).join(" "));
}

// The last days: how many runs failed, what became of them, and which jobs are broken.

import {APP, ask, badge, duration, moment, plural} from "./common.js";
import {viewList} from "./heals_list.js";

const DAYS = [1, 7, 14, 31];
const OUTCOMES = ["", "healed", "person", "in progress"];

export function startHeals(pathOf, show) {
  let stopped = false;
  let state = {...chosen(), pathOf, loading: true};
  const put = (changes) => {
    state = {...state, ...changes};
    if (stopped) return;
    remember(state);
    show(state);
  };
  const read = async (days) => {
    put({days, loading: true});
    const answer = await ask(`${APP}api/heals?days=${days}`);
    if (state.days !== days) return; // another choice has been made meanwhile
    const refused = [401, 403].find((status) => answer.status === status);
    put({loading: false, refused, failed: answer.ok || refused ? null : answer.status, told: answer.ok ? answer.body : null});
  };
  read(state.days);
  return {put, read, stop: () => (stopped = true)};
}

// What is chosen is in the address: it can be sent to somebody, and is there again after Back.
function chosen() {
  const asked = new URLSearchParams(location.search);
  const [days, outcome] = [Number(asked.get("days")), asked.get("outcome")];
  return {
    days: DAYS.includes(days) ? days : 7,
    text: asked.get("q") ?? "",
    outcome: OUTCOMES.includes(outcome) ? outcome : "",
  };
}

function remember({days, text, outcome}) {
  const address = new URL(location.href);
  const values = {days: days === 7 ? "" : String(days), q: text, outcome};
  for (const [name, value] of Object.entries(values)) {
    if (value) address.searchParams.set(name, value);
    else address.searchParams.delete(name);
  }
  // Airflow's router keeps its own notes in the state of the history.
  if (address.href !== location.href) history.replaceState(history.state, "", address);
}

export function viewHeals(h, state, model) {
  if (!state || (state.loading && !state.told)) return h("p", {className: "dim"}, "Loading …");
  if (state.refused) return h("p", {className: "dim"}, "Log in to Airflow to see this.");
  if (state.failed || !state.told) return h("p", {className: "dim"}, `Airflow answered ${state.failed}. Reload to try again.`);
  const {told} = state;
  return h(
    "div",
    {className: "heals"},
    h("h2", {}, "dbt heals"),
    choices(h, state, model),
    told.counts.task_runs ? [tiles(h, told), chronic(h, state), tasks(h, state), signatures(h, told), viewList(h, state, model)] : empty(h, state),
    footnote(h, told),
  );
}

function choices(h, {days}, model) {
  const button = (each) =>
    h("button", {key: each, type: "button", "aria-pressed": String(each === days), onClick: () => model.read(each)}, each === 1 ? "1 day" : `${each} days`);
  return h("div", {className: "choices", role: "group", "aria-label": "Period"}, DAYS.map(button));
}

function empty(h, {days}) {
  return h(
    "div",
    {key: "empty", className: "empty"},
    h("p", {}, `No dbt run in the last ${days === 1 ? "day" : `${days} days`}, among the DAGs that you may read.`),
    h("p", {className: "dim"}, "Tasks of airflow-dbt-rerun appear here as soon as they run: the operators and sensors that run or watch a dbt job."),
  );
}

function tiles(h, {counts, saved}) {
  const tile = (value, words, tone = "") => h("div", {key: words, className: `tile ${tone}`}, h("b", {}, value), h("span", {}, words));
  return h(
    "div",
    {key: "tiles", className: "tiles"},
    tile(counts.task_runs, counts.task_runs === 1 ? "task run" : "task runs"),
    tile(counts.dbt_runs, counts.dbt_runs === 1 ? "dbt run, rerun or not" : "dbt runs, reruns included"),
    tile(counts.failed, "task runs failed at first"),
    tile(counts.healed, "healed themselves", counts.healed ? "good" : ""),
    tile(counts.person, "needed a person", counts.person ? "bad" : ""),
    counts.would > 0 && tile(counts.would, "would have been rerun, but were held back"),
    counts.in_progress > 0 && tile(counts.in_progress, "in progress", "wait"),
    tile(saved.nodes, "nodes not run again"),
    tile(duration(saved.seconds), "of dbt's time saved, about"),
    tile(duration(saved.unattended_seconds), "waited and rerun without a person"),
  );
}

const taskName = ({dag_id: dag, task_id: task}) => `${dag} › ${task}`;

const pathTo = (state, row) => state.pathOf({dagId: row.dag_id, runId: row.run_id, taskId: row.task_id, mapIndex: row.map_index});

function chronic(h, state) {
  const broken = state.told.tasks.filter((task) => task.is_chronic);
  if (!broken.length) return null;
  return h(
    "section",
    {key: "chronic", className: "chronic"},
    h("h3", {}, "Mend these"),
    h(
      "ul",
      {},
      broken.map((task) =>
        h(
          "li",
          {key: taskName(task)},
          h("a", {href: pathTo(state, task.latest)}, h("b", {}, taskName(task))),
          ` was healed on ${task.healed_days} of ${plural(task.days, "day")}: a job that has to be healed so often is broken.`,
        ),
      ),
    ),
  );
}

function tasks(h, state) {
  const rows = state.told.tasks.slice(0, 15);
  if (!rows.length) return h("p", {key: "fine", className: "fine"}, "Nothing failed. 🎉");
  const cell = (label, value) => h("td", {key: label, "data-label": label}, h("span", {}, value));
  return h(
    "section",
    {key: "tasks"},
    h("h3", {}, "Tasks that fail most"),
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, ["Task", "dbt job", "Task runs", "Failed", "Healed", "Person", "Last"].map((name) => h("th", {key: name}, name)))),
      h(
        "tbody",
        {},
        rows.map((task) =>
          h(
            "tr",
            {key: taskName(task)},
            cell("Task", h("a", {href: pathTo(state, task.latest)}, taskName(task))),
            cell("dbt job", task.jobs.map(({id, name}) => name ?? id).join(", ") || "–"),
            cell("Task runs", task.task_runs),
            cell("Failed", task.failed),
            cell("Healed", task.healed),
            cell("Person", task.person),
            cell("Last", [badge(h, task.latest), ` ${moment(task.latest.at)}`]),
          ),
        ),
      ),
    ),
  );
}

function signatures(h, {signatures: rows}) {
  if (!rows.length) return null;
  return h(
    "section",
    {key: "signatures"},
    h("h3", {}, "Errors that stop most"),
    h(
      "ul",
      {className: "signatures"},
      rows.slice(0, 10).map((row) =>
        h(
          "li",
          {key: `${row.signature} ${row.category}`},
          h("b", {}, row.signature ?? "no known error"),
          h("span", {className: "chip"}, row.category.replace("_", " ")),
          h("span", {className: "dim"}, `${plural(row.task_runs, "task run")} of ${plural(row.tasks, "task")}`),
        ),
      ),
    ),
  );
}

function footnote(h, {counts, cut_at: cut}) {
  const words = [
    "From the reports in XCom: they vanish when a task is cleared and with `airflow db clean`, and only DAGs that you may read count.",
    "Time saved is an estimate: nodes that a rerun left out, at its own mean time per node.",
    cut && `Only the newest ${cut} reports are counted.`,
    counts.unreadable > 0 && `${plural(counts.unreadable, "report")} could not be read, as with a custom XCom backend.`,
  ];
  return h("p", {key: "footnote", className: "dim small"}, words.filter(Boolean).join(" "));
}

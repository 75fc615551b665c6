// What a person wants: recorded by the server, carried out by the task itself.

import {APP, ask, encoded, moment} from "./common.js";

const WORDS = {
  rerun_from_failure: {
    label: "Rerun from failure",
    does: "Resume the failed run: only what failed or was skipped runs again.",
    wish: "to rerun from failure",
  },
  rerun_from_start: {label: "Rerun from start", does: "Start the whole job again.", wish: "to rerun from start"},
  give_up: {label: "Give up waiting", does: "No further run; a run of this task in progress is cancelled, and the task fails.", wish: "to give up"},
};

const pathOf = ({dagId, runId, taskId, mapIndex}) => `${APP}api/wishes/${encoded(dagId, runId, taskId, mapIndex)}`;

export const askWishes = (task) => ask(pathOf(task));

export const wishWords = ({by, at, action}) => `${by} asked ${WORDS[action]?.wish ?? action} (${moment(at)}).`;

async function wishFor(state, model, action) {
  model.put({asking: null, sending: true, answer: null, noted: false});
  const body = JSON.stringify({action, seen: state.wishes.seen});
  const {ok, body: said} = await ask(pathOf(state.task), {method: "POST", headers: {"Content-Type": "application/json"}, body});
  const detail = typeof said?.detail === "string" ? said.detail : "Airflow refused this.";
  model.put({sending: false, pressed: ok, noted: ok, answer: ok ? null : detail});
  if (ok) model.tellAirflow();
  model.look();
}

// "Noted" is true until the next try starts, which then tells of itself.
function answered(h, state) {
  const stale = state.stale && [
    " Airflow's own header, grid and logs show it after a reload of this page. ",
    h("button", {key: "reload", type: "button", onClick: () => location.reload()}, "Reload"),
  ];
  const words = state.answer ?? (state.noted && "Noted: the task was cleared, and its next try does this.");
  return (words || stale) && h("p", {key: "answer", className: "answer", role: "status"}, words, stale);
}

export function actionButtons(h, state, model) {
  const {wishes} = state;
  if (!wishes?.may_act) return null;
  const answer = [wishes.held && h("p", {key: "held", className: "held"}, wishes.held), answered(h, state)];
  if (!wishes.actions.length) return h("div", {}, answer);
  if (state.asking) return h("div", {}, confirmation(h, state, model), answer);
  const button = (action) =>
    h(
      "button",
      {key: action, type: "button", title: WORDS[action].does, disabled: state.sending, onClick: () => model.put({asking: action, answer: null})},
      WORDS[action].label,
    );
  return h("div", {}, h("div", {className: "actions"}, wishes.actions.filter((action) => WORDS[action]).map(button)), answer);
}

function confirmation(h, state, model) {
  const {label, does} = WORDS[state.asking];
  return h(
    "div",
    {className: "actions asking"},
    h("span", {}, `${does} The task is cleared, with the tasks downstream of it.`),
    h("button", {type: "button", className: "sure", onClick: () => wishFor(state, model, state.asking)}, `Yes: ${label.toLowerCase()}`),
    h("button", {type: "button", onClick: () => model.put({asking: null})}, "No"),
  );
}

// What all pages share: addresses, requests, and words for times.

export const APP = new URL("../../", import.meta.url).pathname; // ".../dbt-rerun/"
export const AIRFLOW = new URL("../", new URL(APP, location.origin)).pathname; // "/", or the prefix of base_url

export const encoded = (...parts) => parts.map((part) => encodeURIComponent(part)).join("/");

// Where Airflow's own UI shows these things.
export const runPath = ({dagId, runId}) => `${AIRFLOW}dags/${encoded(dagId)}/runs/${encoded(runId)}`;

export function taskPath({dagId, runId, taskId, mapIndex}) {
  const mapped = mapIndex < 0 ? "" : `/mapped/${mapIndex}`;
  return `${runPath({dagId, runId})}/tasks/${encoded(taskId)}${mapped}`;
}

// One task with us: in a tab of Airflow's UI, and outside of it.
export const tabPath = (task) => `${taskPath(task)}/plugin/dbt-heal`;
export const pagePath = ({dagId, runId, taskId, mapIndex}) => `${APP}task/${encoded(dagId, runId, taskId, mapIndex)}`;

// Each page asks Airflow as the person who looks at it: by the cookie of the same origin.
export async function ask(path, options = {}) {
  const answer = await fetch(path, {credentials: "same-origin", ...options, headers: {Accept: "application/json", ...options.headers}});
  let body = null;
  try {
    body = await answer.json();
  } catch {
    // an error page of a proxy
  }
  return {ok: answer.ok, status: answer.status, body};
}

export function addStyle() {
  const address = new URL("style.css", import.meta.url).href;
  if ([...document.styleSheets].some((sheet) => sheet.href === address)) return;
  if ([...document.querySelectorAll("link")].some((link) => link.href === address)) return;
  document.head.append(Object.assign(document.createElement("link"), {rel: "stylesheet", href: address}));
}

// dbt's texts are anybody's texts: only an address of the web becomes a link.
export function linkTo(h, address, text, title) {
  let url = null;
  try {
    url = new URL(address);
  } catch {
    // no address
  }
  if (!url || !["http:", "https:"].includes(url.protocol)) return text;
  return h("a", {href: url.href, target: "_blank", rel: "noreferrer noopener", title}, text, h("span", {className: "out", "aria-hidden": "true"}, " ↗"));
}

export function duration(seconds) {
  const all = Math.max(Math.round(seconds), 0);
  const [hours, minutes, rest] = [Math.floor(all / 3600), Math.floor(all / 60) % 60, all % 60];
  if (hours) return `${hours} h ${String(minutes).padStart(2, "0")} min`;
  if (minutes >= 10) return `${minutes} min`;
  if (minutes) return rest ? `${minutes} min ${rest} s` : `${minutes} min`;
  return `${rest} s`;
}

export const plural = (count, word, words = `${word}s`) => `${count} ${count === 1 ? word : words}`;

export function moment(when) {
  const date = new Date(typeof when === "number" ? when * 1000 : when);
  if (Number.isNaN(date.getTime())) return "";
  const today = date.toDateString() === new Date().toDateString();
  const time = date.toLocaleTimeString([], {hour: "2-digit", minute: "2-digit"});
  return today ? time : `${date.toLocaleDateString([], {day: "numeric", month: "short"})}, ${time}`;
}

// Counts go on between two answers of the server. The elements are empty in the views, so that React leaves them alone.
export function tick() {
  const now = Date.now() / 1000;
  for (const each of document.querySelectorAll(".dbt-rerun [data-until]")) {
    const left = Number(each.dataset.until) - now;
    each.textContent = left > 0 ? `in ${duration(left)}` : "now";
  }
  for (const each of document.querySelectorAll(".dbt-rerun [data-since]")) {
    each.textContent = duration(now - Number(each.dataset.since));
  }
}

const OUTCOMES = {
  "in progress": ["wait", "In progress"],
  healed: ["good", "Healed"],
  succeeded: ["good", "Succeeded"],
  failed: ["bad", "Needs a person"],
  hollow: ["bad", "Needs a person"],
  exhausted: ["bad", "Needs a person"],
  cancelled: ["bad", "Cancelled"],
  timeout: ["bad", "Needs a person"],
  unwatchable: ["bad", "Needs a person"],
};

export const WAITING_FOR_YOU = ["wait", "Waiting for your answer"];

export const outcomeWords = (outcome) => OUTCOMES[outcome] ?? ["dim", outcome || "Unknown"];

export function badge(h, {outcome, is_asking: isAsking}) {
  const [tone, words] = isAsking ? WAITING_FOR_YOU : outcomeWords(outcome);
  return h("span", {className: `badge ${tone}`}, words);
}

// "orders" for model.shop.orders; a test loses its hash; a step keeps its name.
export function nodeName(finding) {
  const {subject = "", resource_type: kind = ""} = finding;
  if (!kind || !subject.startsWith(`${kind}.`)) return subject;
  const parts = subject.split(".").slice(2);
  if (parts.length > 1 && /^[0-9a-f]{10}$/.test(parts.at(-1))) parts.pop();
  return parts.join(".") || subject;
}

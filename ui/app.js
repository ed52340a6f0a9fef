// SPDX-License-Identifier: Apache-2.0
"use strict";
// Everything that came from a repository or a forge is set by textContent: it
// is never markup here.

const api = "/api/v1";
const final = new Set(["succeeded", "failed", "errored", "cancelled", "skipped"]);
const logCharacters = 2000000; // what a page shows; the rest is in the file
const find = (id) => document.getElementById(id);

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined && text !== null) made.textContent = text;
  return made;
}

async function get(path) {
  const response = await fetch(api + path, { cache: "no-store" });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error || response.statusText);
  return answer;
}

function say(text) {
  find("message").textContent = text;
  find("message").hidden = !text;
}

function setState(node, state) {
  node.className = "state " + (/^[a-z]+$/.test(state) ? state : "");
  node.textContent = state;
}

function ago(usec) {
  return usec ? new Date(usec / 1000).toLocaleString() : "";
}

function took(from, to) {
  if (!from) return "";
  const seconds = Math.max(0, ((to || Date.now() * 1000) - from) / 1e6);
  if (seconds < 10) return seconds.toFixed(1) + " s";
  if (seconds < 60) return Math.round(seconds) + " s";
  if (seconds < 3600) return Math.floor(seconds / 60) + " min " + Math.round(seconds % 60) + " s";
  return Math.floor(seconds / 3600) + " h " + Math.floor((seconds % 3600) / 60) + " min";
}

function amount(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  for (; bytes >= 1024 && unit < units.length - 1; unit++) bytes /= 1024;
  return (unit ? bytes.toFixed(1) : bytes) + " " + units[unit];
}

// What a step used; figures that the host could not tell are not there.
function used(usage) {
  if (!usage) return "";
  const parts = [];
  const has = (key) => Number.isFinite(usage[key]);
  if (has("cpu_usec")) parts.push("cpu " + took(1, usage.cpu_usec + 1));
  if (has("memory_peak")) parts.push("peak " + amount(usage.memory_peak));
  else if (has("process_peak")) parts.push("largest process " + amount(usage.process_peak));
  if (has("io_read") && has("io_write"))
    parts.push("io " + amount(usage.io_read) + " read, " + amount(usage.io_write) + " written");
  if (has("disk_used")) parts.push("disk " + amount(usage.disk_used));
  return parts.join(" · ");
}

function shortRef(ref) {
  return (ref || "").replace(/^refs\/(heads|tags)\//, "");
}

// ---- list of runs ----

function runRow(run) {
  const row = document.createElement("tr");
  const number = document.createElement("td");
  const link = element("a", "", "#" + run.id);
  link.href = "/runs/" + Number(run.id);
  number.append(link);
  const state = document.createElement("td");
  const dot = element("span");
  setState(dot, run.state);
  state.append(dot);
  row.append(number, state, element("td", "", run.project), element("td", "", run.title || run.event),
    element("td", "", shortRef(run.ref)), element("td", "mono", (run.commit || "").slice(0, 10)),
    element("td", "", ago(run.started_usec || run.created_usec)),
    element("td", "", took(run.started_usec, run.ended_usec)));
  return row;
}

let before = 0;

async function showRuns(more) {
  const page = await get("/runs?limit=50" + (more && before ? "&before=" + before : ""));
  // what "on" of its runbook does not ask for was ended at once, and says so under its number
  const rows = page.runs.filter((run) => !run.unwanted).map(runRow);
  if (more) find("run-rows").append(...rows);
  else find("run-rows").replaceChildren(...rows);
  before = page.next || 0;
  find("older").hidden = !before;
  find("runs").hidden = false;
  say(page.runs.length || more ? "" : "No runs yet. Push a commit, or: runbookctl trigger PROJECT");
}

async function keepRuns() {
  let older = false;
  find("older").addEventListener("click", () => {
    older = true; // the list is being read: do not pull it away
    showRuns(true).catch((error) => say(error.message));
  });
  for (;;) {
    if (!older && !document.hidden) await showRuns(false).catch((error) => say(error.message));
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}

// ---- one run ----

const view = { run: 0, steps: [], chosen: null, attempt: 0, reader: null, followed: "" };

// A failure that the run does not fail with.
function allowed(step) {
  return step.allow_failure && (step.state === "failed" || step.state === "errored");
}

// One for each attempt, when there was more than one: its log is shown.
function attemptButtons(step) {
  const attempts = step.attempts || [];
  if (attempts.length < 2 && !(attempts.length && attempts[0].attempt !== step.attempt)) return [];
  return attempts.map((attempt) => {
    const button = element("button", "attempt");
    button.type = "button";
    button.setAttribute("aria-current", String(attempt.attempt === shownAttempt(step)));
    const state = element("span");
    setState(state, attempt.state);
    const more = element("span", "more");
    more.append(element("span", null, "attempt " + attempt.attempt), state,
      element("span", "muted", took(attempt.started_usec, attempt.ended_usec)));
    button.append(more);
    if (attempt.reason) button.append(element("span", "muted", attempt.reason));
    button.addEventListener("click", () => choose(step.slug, attempt.attempt));
    return button;
  });
}

// The one that was clicked, else the current one; while that waits, the last that ran.
function shownAttempt(step) {
  if (view.attempt) return view.attempt;
  const last = (step.attempts || []).slice(-1)[0];
  return last ? last.attempt : step.attempt;
}

function drawSteps() {
  const items = view.steps.map((step) => {
    const item = document.createElement("li");
    const button = element("button");
    button.type = "button";
    button.setAttribute("aria-current", String(step.slug === view.chosen));
    button.append(element("span", "name", step.name));
    const more = element("span", "more");
    const state = element("span");
    setState(state, step.state);
    if (allowed(step)) state.append(" (allowed)");
    const tries = (step.attempts || []).length;
    more.append(state, element("span", "muted",
      (tries > 1 ? tries + " attempts · " : "") + took(step.started_usec, step.ended_usec)));
    button.append(more);
    if (step.reason) button.append(element("span", "muted", step.reason));
    button.addEventListener("click", () => choose(step.slug));
    item.append(button);
    if (step.slug === view.chosen) item.append(...attemptButtons(step));
    return item;
  });
  find("steps").replaceChildren(...items);
}

async function refreshRun() {
  const run = await get("/runs/" + view.run);
  setState(find("run-state"), run.state);
  document.title = "#" + run.id + " " + run.state + " · runbookd";
  find("run-title").textContent = "#" + run.id + " " + (run.title || run.event);
  find("run-facts").textContent = [run.project, shortRef(run.ref), (run.commit || "").slice(0, 10), run.actor,
    ago(run.started_usec || run.created_usec), took(run.started_usec, run.ended_usec)].filter(Boolean).join(" · ");
  find("run-reason").textContent = run.reason || "";
  find("run-reason").hidden = !run.reason;
  find("run-reason").classList.toggle("bad", run.state === "failed" || run.state === "errored");
  view.steps = run.steps || [];
  find("run").hidden = false;
  if (!view.chosen && view.steps.length) {
    const wanted = view.steps.find((step) => step.state === "failed" || step.state === "errored") ||
      view.steps.find((step) => step.state === "running") || view.steps[0];
    choose(wanted.slug);
  }
  drawSteps();
  followLog();
  return run;
}

function choose(slug, attempt) {
  view.chosen = slug;
  view.attempt = attempt || 0;
  drawSteps();
  followLog();
}

// Stream the chosen step's log into the page. Terminal colours are left out,
// other control characters are shown as the symbols that Unicode has for them.
async function followLog() {
  const step = view.steps.find((item) => item.slug === view.chosen);
  if (!step) return;
  const number = shownAttempt(step);
  const attempt = (step.attempts || []).find((item) => item.attempt === number);
  const key = step.slug + "." + number;
  find("log-title").textContent = step.name + (number > 1 || view.attempt ? " (attempt " + number + ")" : "");
  find("log-usage").textContent = used((attempt || step).usage);
  find("log-usage").hidden = !find("log-usage").textContent;
  if (key === view.followed) return;
  view.followed = key;
  if (view.reader) view.reader.abort();
  const log = find("log");
  log.replaceChildren();
  if (!(step.attempts || []).length && final.has(step.state)) {
    log.textContent = step.reason || "This step did not run.";
    return;
  }
  const stop = view.reader = new AbortController();
  const decoder = new TextDecoder();
  let shown = 0;
  let held = "";
  try {
    const response = await fetch(api + "/runs/" + view.run + "/steps/" + encodeURIComponent(step.slug) +
      "/log?follow=1" + (number ? "&attempt=" + Number(number) : ""), { signal: stop.signal });
    if (!response.ok) throw new Error((await response.json()).error);
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      let text = held + (done ? decoder.decode() : decoder.decode(value, { stream: true }));
      const cut = done ? -1 : text.search(/\x1b(\[[0-9;:?]*)?$/); // an escape that is not whole yet
      held = cut >= 0 ? text.slice(cut, cut + 64) : "";
      text = (cut >= 0 ? text.slice(0, cut) : text)
        .replace(/\x1b\[[0-9;:?]*[A-Za-z]/g, "").replace(/\r\n/g, "\n")
        .replace(/[\x00-\x08\x0b-\x1f]/g, (c) => String.fromCharCode(0x2400 + c.charCodeAt(0)));
      const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 8;
      shown += text.length;
      log.append(text);
      while (shown > logCharacters && log.firstChild !== log.lastChild) {
        shown -= log.firstChild.length;
        log.firstChild.remove();
      }
      if (atEnd) log.scrollTop = log.scrollHeight;
      if (done) return;
    }
  } catch (error) {
    if (!stop.signal.aborted) log.append("\n[" + error.message + "]\n");
  }
}

async function keepRun(id) {
  view.run = id;
  const run = await refreshRun();
  const events = new EventSource(api + "/runs/" + id + "/events");
  let planned = 0;
  const soon = () => { // many events, one question
    if (!planned) planned = setTimeout(() => {
      planned = 0;
      refreshRun().then(() => say(""), (error) => say(error.message));
    }, 150);
  };
  events.addEventListener("state", soon);
  events.addEventListener("end", () => { events.close(); soon(); });
  events.addEventListener("error", () => say("Connection lost, trying again …"));
  events.addEventListener("open", () => say(""));
  if (final.has(run.state)) return;
  const timer = setInterval(() => {
    drawSteps();
    if (final.has(find("run-state").textContent)) clearInterval(timer);
  }, 1000);
}

// ---- the queue: who waits for what ----

function processors(milli) {
  return milli / 1000 + (milli === 1000 ? " processor" : " processors");
}

function queueRow(step) {
  const row = element("tr");
  const link = element("a", null, step.run);
  link.href = "/runs/" + Number(step.run);
  row.append(element("td", null, step.position || "–"));
  row.append(element("td"));
  row.lastChild.append(link);
  for (const text of [step.project, step.name, step.priority,
    processors(step.cpu_milli) + ", " + amount(step.memory), took(step.since_usec), step.reason])
    row.append(element("td", null, text));
  return row;
}

async function keepQueue() {
  const queue = await get("/queue");
  const host = queue.host;
  const facts = [queue.total + " waiting", queue.running + " of " + queue.limit + " running"];
  if (host.cpu_milli) facts.push(host.cpu_milli_used / 1000 + " of " + processors(host.cpu_milli) + " promised");
  if (host.memory) facts.push(amount(host.memory_used) + " of " + amount(host.memory) + " memory promised");
  if (host.labels.length) facts.push("labels: " + host.labels.join(" "));
  if (queue.total > queue.waiting.length) facts.push("the first " + queue.waiting.length + " are shown");
  find("queue").hidden = false;
  find("queue-facts").textContent = facts.join(" · ");
  find("queue-rows").replaceChildren(...queue.waiting.map(queueRow));
  say("");
}

function stayInQueue() {
  setInterval(() => {
    if (!document.hidden) keepQueue().catch((error) => say(error.message));
  }, 2000);
  return keepQueue();
}

get("/status").then((status) => {
  find("status").textContent = "version " + status.version;
}, () => {});
const place = location.pathname.match(/^\/runs\/([0-9]+)$/);
(place ? keepRun(Number(place[1])) : location.pathname === "/queue" ? stayInQueue() : keepRuns()).catch((error) => say(error.message));

// SPDX-License-Identifier: Apache-2.0
"use strict";
// Texts from a repository or a forge are only ever set by textContent, so they are never
// parsed as markup.

const api = "/api/v1";
const final = new Set(["succeeded", "failed", "errored", "cancelled", "skipped"]);
const logCharacters = 2000000; // the end of a log that the page shows; the file has all of it
const lost = "Connection lost, trying again …";
const find = (id) => document.getElementById(id);
const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// ---- updating elements in place ----
//
// The element of a run, step or attempt is kept as long as the object is shown, because focus,
// selection and a click that has begun would be lost with it. Texts and attributes are written
// only when they differ.

function setText(node, text) {
  const value = text === undefined || text === null ? "" : plain(text);
  if (node.textContent !== value) node.textContent = value;
  return node;
}

function setAttribute(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

function show(node, text) {
  setText(node, text);
  node.hidden = !node.textContent;
}

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined && text !== null) setText(made, text);
  return made;
}

// Give parent one child for each of items, in their order. make(item) makes a child for a key that
// has none, and update(child, item) is called for each child.
function keyed(parent, items, key, make, update) {
  const wanted = new Set(items.map((item) => String(key(item))));
  const known = new Map();
  for (const child of [...parent.children]) { // remove first, so that the others need not move
    if (wanted.has(child.dataset.key)) known.set(child.dataset.key, child);
    else child.remove();
  }
  let place = parent.firstElementChild;
  for (const item of items) {
    const name = String(key(item));
    let child = known.get(name);
    if (!child) {
      child = make(item);
      child.dataset.key = name;
    }
    update(child, item);
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
  }
}

class Refused extends Error {} // repeating the request does not help

async function get(path) {
  const response = await fetch(api + path, { cache: "no-store" });
  if (response.ok) return response.json();
  const answer = await response.json().catch(() => ({}));
  const sentence = answer.error || response.statusText || "HTTP status " + response.status;
  throw response.status >= 500 ? new Error(sentence) : new Refused(sentence);
}

function say(text) {
  show(find("message"), text);
}

// Repeat work until it succeeds, because runs go on while a process of runbookd restarts. If the
// server refuses it, show the reason and give up.
async function insist(work) {
  for (let pause = 500; ; pause = Math.min(2 * pause, 5000)) {
    try {
      const result = await work();
      say("");
      return result;
    } catch (error) {
      say(error instanceof Refused ? error.message : lost);
      if (error instanceof Refused) return null;
    }
    await wait(pause);
  }
}

function setState(node, state, more) {
  const name = "state " + (/^[a-z]+$/.test(state) ? state : "");
  if (node.className !== name) node.className = name;
  return setText(node, state + (more || ""));
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

// The resources that a step used; values that the host could not measure are absent.
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

// ---- tables ----

// A row with a cell for each heading. On a narrow screen the headings are hidden, and each cell
// shows its label.
function makeRow(body) {
  const row = element("tr");
  for (const heading of body.closest("table").tHead.rows[0].cells) {
    const cell = element("td");
    cell.dataset.label = heading.textContent;
    row.append(cell);
  }
  return row;
}

function linkIn(cell, run) {
  if (!cell.firstChild) {
    cell.append(element("a"));
    cell.firstChild.href = "/runs/" + Number(run);
  }
  setText(cell.firstChild, "#" + run);
}

// ---- list of runs ----

const runs = new Map();
let before = 0;
let older = false;

function drawRuns() {
  const body = find("run-rows");
  const list = [...runs.values()].sort((a, b) => b.id - a.id);
  keyed(body, list, (run) => run.id, () => makeRow(body), (row, run) => {
    const [number, state, ...rest] = row.cells;
    linkIn(number, run.id);
    if (!state.firstChild) state.append(element("span"));
    setState(state.firstChild, run.state);
    const texts = [run.project, run.title || run.event, shortRef(run.ref), (run.commit || "").slice(0, 10),
      ago(run.started_usec || run.created_usec), took(run.started_usec, run.ended_usec)];
    texts.forEach((text, i) => setText(rest[i], text));
    rest[3].classList.add("mono");
  });
}

// The list is empty: if a delivery was not wanted, name it and the reason.
function noRuns(unwanted) {
  if (!unwanted) return "No runs yet. Push a commit, or: runbookctl trigger PROJECT";
  return "No runs yet. The last delivery was not wanted: run " + unwanted.id + " of " + unwanted.project + ", " +
    unwanted.event + " " + shortRef(unwanted.ref) + ": " + unwanted.reason;
}

async function showRuns(more) {
  const page = await get("/runs?limit=50" + (more && before ? "&before=" + before : ""));
  if (!more && !older) runs.clear(); // older runs that were loaded stay
  // a run that "on" of its runbook excludes is not listed; its own page has the reason
  for (const run of page.runs) if (!run.unwanted) runs.set(run.id, run);
  if (more || !older) before = page.next || 0;
  find("older").hidden = !before;
  find("runs").hidden = false;
  drawRuns();
  const unwanted = page.runs.find((run) => run.unwanted);
  show(find("no-runs"), runs.size || more ? "" : noRuns(unwanted));
}

async function keepRuns() {
  find("older").addEventListener("click", () => {
    older = true;
    insist(() => showRuns(true));
  });
  for (;;) {
    if (!document.hidden) await insist(() => showRuns(false));
    await wait(2000);
  }
}

// ---- one run ----

const view = { run: null, id: 0, steps: [], chosen: null, attempt: 0, reader: null, followed: "", listening: false };

function bad(step) {
  return step.state === "failed" || step.state === "errored";
}

// A failure that does not make the run fail.
function allowed(step) {
  return step.allow_failure && bad(step);
}

// The step that is opened first: the failed one that the run's reason names, or else another one
// that made the run fail, a running one, one whose failure is allowed, or the first.
function firstChoice(run, steps) {
  const failed = steps.filter((step) => bad(step) && !allowed(step));
  return failed.find((step) => (run.reason || "").includes('"' + step.name + '"')) || failed[0] ||
    steps.find((step) => step.state === "running") || steps.find(bad) || steps[0];
}

// The attempt that was clicked, else the latest one that has run.
function shownAttempt(step) {
  if (view.attempt) return view.attempt;
  const last = (step.attempts || []).slice(-1)[0];
  return last ? last.attempt : step.attempt;
}

function attemptOf(step, number) {
  return (step.attempts || []).find((attempt) => attempt.attempt === number);
}

// A button with up to three lines: a name, a state with its duration, a reason.
function makeButton(className, named) {
  const item = element("li", className);
  const button = element("button");
  button.type = "button";
  if (named) button.append(element("span", "name"));
  const more = element("span", "more");
  more.append(element("span"), element("span", "muted"));
  button.append(more, element("span", "muted why"));
  item.append(button);
  return item;
}

function updateButton(button, current, state, words, facts, reason) {
  setAttribute(button, "aria-current", String(current));
  const [dot, muted] = button.querySelector(".more").children;
  setState(dot, state, words);
  setText(muted, facts);
  show(button.lastElementChild, reason);
}

// The attempts that get a button of their own: those of the chosen step, if it has several.
function attemptsShown(step) {
  const attempts = step.attempts || [];
  if (step.slug !== view.chosen) return [];
  return attempts.length < 2 && !(attempts.length && attempts[0].attempt !== step.attempt) ? [] : attempts;
}

function makeStep(step) {
  const item = makeButton("", true);
  item.firstChild.addEventListener("click", () => choose(step.slug));
  item.append(element("ol", "attempts"));
  return item;
}

function updateStep(item, step) {
  const tries = (step.attempts || []).length;
  setText(item.querySelector(".name"), step.name);
  updateButton(item.firstChild, step.slug === view.chosen, step.state, allowed(step) ? " (allowed)" : "",
    (tries > 1 ? tries + " attempts · " : "") + took(step.started_usec, step.ended_usec), step.reason);
  keyed(item.lastChild, attemptsShown(step), (attempt) => attempt.attempt, (attempt) => {
    const made = makeButton("attempt", false);
    made.firstChild.addEventListener("click", () => choose(step.slug, attempt.attempt));
    return made;
  }, (child, attempt) => updateButton(child.firstChild, attempt.attempt === shownAttempt(step), attempt.state, "",
    "attempt " + attempt.attempt + " · " + took(attempt.started_usec, attempt.ended_usec), attempt.reason));
}

function drawFacts(run) {
  setText(find("run-facts"), [run.project, shortRef(run.ref), (run.commit || "").slice(0, 10), run.actor,
    ago(run.started_usec || run.created_usec), took(run.started_usec, run.ended_usec)].filter(Boolean).join(" · "));
}

// Result, container and usage of the attempt whose log is shown.
function drawLogFacts() {
  const step = view.steps.find((item) => item.slug === view.chosen);
  if (!step) return;
  const number = shownAttempt(step);
  const attempt = attemptOf(step, number) || step;
  const facts = [];
  setText(find("log-title"), step.name + (number > 1 || view.attempt ? " (attempt " + number + ")" : ""));
  if (Number.isFinite(attempt.exit_code)) facts.push("exit code " + attempt.exit_code);
  if (attempt.signal) facts.push("ended by signal " + attempt.signal);
  if (attempt.container) facts.push("container " + attempt.container);
  if (used(attempt.usage)) facts.push(used(attempt.usage));
  show(find("log-facts"), facts.join(" · "));
}

function drawRun() {
  if (!view.run) return;
  keyed(find("steps"), view.steps, (step) => step.slug, makeStep, updateStep);
  drawFacts(view.run);
  drawLogFacts();
}

// A single finding that is the reason of the run is not repeated.
function findings(run) {
  const list = run.findings || [];
  return list.length === 1 && run.reason && list[0].startsWith(run.reason) ? [] : list;
}

async function refreshRun() {
  const run = view.run = await get("/runs/" + view.id);
  setState(find("run-state"), run.state);
  document.title = plain("#" + run.id + " " + run.state + " · runbookd");
  setText(find("run-title"), "#" + run.id + " " + (run.title || run.event));
  show(find("run-reason"), run.reason);
  find("run-reason").classList.toggle("bad", run.state === "failed" || run.state === "errored");
  keyed(find("run-findings"), findings(run), (text) => text, () => element("li"), setText);
  view.steps = run.steps || [];
  find("run").hidden = false;
  find("run-columns").hidden = !view.steps.length;
  if (!view.chosen && view.steps.length) view.chosen = firstChoice(run, view.steps).slug;
  drawRun();
  followLog();
}

function choose(slug, attempt) {
  view.chosen = slug;
  view.attempt = attempt || 0;
  drawRun();
  followLog();
}

// Has the attempt ended, as far as the page knows?
function logEnded(slug, number) {
  const step = view.steps.find((item) => item.slug === slug);
  const attempt = step && attemptOf(step, number);
  return attempt ? final.has(attempt.state) : Boolean(step) && final.has(step.state);
}

// Read the log from log.place on by one connection, until the server ends it.
async function readLog(path, log, stop) {
  const response = await fetch(path + "&offset=" + log.place.offset, { signal: stop.signal, cache: "no-store" });
  if (!response.ok) {
    const answer = await response.json().catch(() => ({}));
    throw response.status >= 500 ? new Error() : new Refused(answer.error || response.statusText);
  }
  log.place.begin(response.headers.get("Runbook-Log-Cut"));
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done || stop.signal.aborted) return;
    log.place.count(value.length);
    log.text.write(value);
  }
}

// Stream the log of the chosen step into the page. After a broken connection a new one goes on at
// the same byte.
async function followLog() {
  const step = view.steps.find((item) => item.slug === view.chosen);
  if (!step) return;
  const slug = step.slug;
  const number = shownAttempt(step);
  const key = slug + "." + number;
  if (key === view.followed) return;
  view.followed = key;
  if (view.reader) view.reader.abort();
  const stop = view.reader = new AbortController();
  const log = { text: new LogText(find("log"), logCharacters), place: new LogPlace() };
  if (!(step.attempts || []).length && final.has(step.state)) {
    setText(find("log"), step.reason || "This step did not run.");
    return;
  }
  const path = api + "/runs/" + view.id + "/steps/" + encodeURIComponent(slug) + "/log?follow=1" +
    (number ? "&attempt=" + Number(number) : "");
  for (let pause = 250; !stop.signal.aborted;) {
    const from = log.place.offset;
    try {
      await readLog(path, log, stop);
      if (logEnded(slug, number)) break;
    } catch (error) {
      if (stop.signal.aborted) return;
      // 404 while the step runs is temporary: its log has not been created yet
      if (error instanceof Refused && logEnded(slug, number)) {
        if (!log.place.offset) setText(find("log"), error.message);
        return;
      }
    }
    pause = log.place.offset > from ? 250 : Math.min(2 * pause, 4000);
    await wait(pause);
  }
  if (!stop.signal.aborted) log.text.end();
}

// Listen to the events of the run until its end, with a new connection whenever one breaks.
function listen(changed) {
  const events = new EventSource(api + "/runs/" + view.id + "/events");
  view.listening = true;
  events.addEventListener("state", changed);
  events.addEventListener("open", changed);
  events.addEventListener("end", () => {
    events.close();
    view.listening = false;
    changed();
  });
  events.addEventListener("error", () => {
    say(lost);
    if (events.readyState !== EventSource.CLOSED) return; // it reconnects by itself
    setTimeout(() => listen(changed), 1000);
  });
}

async function keepRun(id) {
  view.id = id;
  await insist(refreshRun);
  if (!view.run) return;
  let asking = false;
  let again = false;
  const changed = async () => { // one request for many events
    again = true;
    if (asking) return;
    asking = true;
    while (again) {
      await wait(150);
      again = false;
      await insist(refreshRun);
    }
    asking = false;
  };
  listen(changed);
  for (let seconds = 0; ; seconds++) {
    await wait(1000);
    if (!final.has(view.run.state)) {
      drawRun(); // update the durations
      if (!view.listening) listen(changed); // the run was retried
    } else if (seconds % 10 === 0 && !document.hidden) {
      changed();
    }
  }
}

// ---- the queue ----

function processors(milli) {
  return milli / 1000 + (milli === 1000 ? " processor" : " processors");
}

function drawQueue(queue) {
  const body = find("queue-rows");
  keyed(body, queue.waiting, (step) => step.run + " " + step.name, () => makeRow(body), (row, step) => {
    const [position, run, ...rest] = row.cells;
    setText(position, step.position || "–");
    linkIn(run, step.run);
    const needs = [step.cpu_milli ? processors(step.cpu_milli) : "", step.memory ? amount(step.memory) : ""];
    const texts = [step.project, step.name, step.priority, needs.filter(Boolean).join(", ") || "–",
      took(step.since_usec), step.reason];
    texts.forEach((text, i) => setText(rest[i], text));
  });
}

// The row of a run whose repository cannot be fetched yet, so it has no steps.
function fetchItem(run) {
  return {...run, name: "(fetch)", priority: "–"};
}

async function showQueue() {
  const queue = await get("/queue");
  const host = queue.host;
  const facts = [queue.total + " waiting", queue.running + " of " + queue.limit + " running"];
  if (host.cpu_milli) facts.push(host.cpu_milli_used / 1000 + " of " + processors(host.cpu_milli) + " promised");
  if (host.memory) facts.push(amount(host.memory_used) + " of " + amount(host.memory) + " memory promised");
  if (host.labels.length) facts.push("labels: " + host.labels.join(" "));
  if (queue.total > queue.waiting.length) facts.push("the first " + queue.waiting.length + " are shown");
  find("queue").hidden = false;
  queue.waiting.push(...(queue.fetching || []).map(fetchItem));
  find("queue-table").hidden = !queue.waiting.length;
  setText(find("queue-facts"), facts.join(" · "));
  drawQueue(queue);
}

async function keepQueue() {
  for (;;) {
    if (!document.hidden) await insist(showQueue);
    await wait(2000);
  }
}

async function showVersion() {
  for (let pause = 1000; ; pause *= 2) {
    const status = await get("/status").catch(() => null);
    if (status) return setText(find("status"), "version " + status.version);
    await wait(pause);
  }
}

const place = location.pathname.match(/^\/runs\/([0-9]+)$/);
showVersion();
if (place) keepRun(Number(place[1]));
else if (location.pathname === "/queue") keepQueue();
else keepRuns();

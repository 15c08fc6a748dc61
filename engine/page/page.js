// SPDX-License-Identifier: LGPL-3.0-or-later
// The page of a job. Events are JSON objects, see page/state.h: what has changed of the state. All texts come from the job and may be anything:
// they become text, never markup.
"use strict";

const token = new URLSearchParams(location.search).get("token") || "";
const address = (path) => path + "?token=" + encodeURIComponent(token);
const byId = (id) => document.getElementById(id);
const MOST = { failures: 100, told: 100, output: 100, series: 600 };
const WINDOW = 600;                     // seconds of the charts

function element (name, className, text) {
  const it = document.createElement(name);
  if (className) it.className = className;
  if (text !== undefined) it.textContent = text;
  return it;
}

function setText (it, text) {
  if (it.textContent !== text) it.textContent = text;
}

function setAttribute (it, name, value) {
  if (it.getAttribute(name) !== value) it.setAttribute(name, value);
}

// Make the children of PARENT those of ITEMS, by key: MAKE makes one, UPDATE fills it in. What stays is not touched, so that focus does.
function keep (parent, items, keyOf, make, update) {
  const old = new Map();
  for (const child of parent.children) old.set(child.dataset.key, child);
  let at = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    let child = old.get(key);
    if (child) old.delete(key);
    else { child = make(item); child.dataset.key = key; }
    if (child === at) at = at.nextElementSibling;
    else parent.insertBefore(child, at);
    if (update) update(child, item);
  }
  for (const child of old.values()) child.remove();
}

// --- numbers and times --------------------------------------------------------------------------------------------------------

const count = (n) => n < 1e6 ? n.toLocaleString("en-US") : n < 1e9 ? (n / 1e6).toFixed(2) + " M" : (n / 1e9).toFixed(2) + " G";

function rateText (r) {
  if (r === null || r === undefined) return "–";
  return r >= 1e5 ? (r / 1e3).toFixed(0) + " k" : r >= 100 ? Math.round(r).toLocaleString("en-US") : String(Number(r.toFixed(r >= 10 ? 1 : 2)));
}

function memoryText (bytes) {
  if (!bytes) return "–";
  return bytes < 1e6 ? (bytes / 1e3).toFixed(0) + " kB" : bytes < 1e9 ? (bytes / 1e6).toFixed(0) + " MB"
    : bytes < 1e12 ? (bytes / 1e9).toFixed(2) + " GB" : (bytes / 1e12).toFixed(2) + " TB";
}

function duration (seconds) {
  const s = Math.max(0, seconds);
  if (s < 60) return (s < 10 ? s.toFixed(1) : Math.floor(s)) + " s";
  const m = Math.floor(s / 60), h = Math.floor(m / 60), d = Math.floor(h / 24);
  if (m < 60) return m + " min " + Math.floor(s % 60) + " s";
  return h < 24 ? h + " h " + (m % 60) + " min" : d + " d " + (h % 24) + " h";
}

const clock = (ms) => ms ? new Date(ms).toLocaleTimeString("en-GB") : "";

// --- what is known ------------------------------------------------------------------------------------------------------------

let state, offset = 0;                  // offset: of the job's clock to ours, ms
let connection = "connecting";
const changed = new Set();              // what is to be drawn again
let planned = false;

function forget () {
  state = { run: {}, counts: {}, progress: [], pools: [], nodes: [], plots: [], workers: new Map(), failures: [], told: [], output: [], series: [] };
}

const now = () => Date.now() + offset;

function take (news) {
  offset = news.now - Date.now();
  if (news.whole) { forget(); for (const name in drawers) changed.add(name); }
  for (const name of ["run", "counts", "progress", "pools", "nodes", "plots"])
    if (name in news) { state[name] = news[name]; changed.add(name); }
  if (news.all_workers) state.workers.clear();
  if (news.workers) {
    for (const key in news.workers) state.workers.set(key, news.workers[key]);
    changed.add("workers");
  }
  for (const name in MOST)
    if (name in news) {
      state[name] = state[name].concat(news[name]).slice(-MOST[name]);
      changed.add(name);
    }
  plan();
}

function plan () {
  if (planned) return;
  planned = true;
  requestAnimationFrame(draw);
}

function draw () {
  planned = false;
  const names = [...changed];
  changed.clear();
  for (const name of names) if (drawers[name]) drawers[name]();
}

// --- the head -----------------------------------------------------------------------------------------------------------------

function scriptName () {
  const script = state.run.script || "";
  return script === "-c" ? "tutti -c" : script.split("/").pop() || "Tutti";
}

function drawRun () {
  const run = state.run;
  setText(byId("title"), scriptName());
  const facts = [run.host, run.pid ? "process " + run.pid : "", run.folder, run.arguments ? "arguments: " + run.arguments : ""];
  setText(byId("about"), facts.filter(Boolean).join(" · "));
  setText(byId("footer"), run.version ? "Tutti " + run.version : "");
  drawStatus();
}

function drawStatus () {
  const run = state.run, over = run.state === "ended" || run.state === "lost";
  const after = run.ended && run.began ? " after " + duration((run.ended - run.began) / 1000) : "";
  let kind = over ? run.state : connection === "open" ? "running" : connection === "lost" ? "broken" : "connecting";
  let text = "Connecting …";
  if (run.state === "ended") text = "The job has ended" + (run.status ? (run.status === "0" ? " well" : " with status " + run.status) : "") + after;
  else if (run.state === "lost") text = "The job is gone: its process has ended without a word" + after;
  else if (connection === "lost") text = "Connection lost; trying again …";
  else if (connection === "refused") text = "The page refuses: is the address whole?";
  else if (connection === "open") text = "Running";
  if (connection === "refused" && !over) kind = "broken";
  if (run.state === "ended" && run.status && run.status !== "0") kind = "lost";
  const it = byId("status");
  setAttribute(it, "data-state", kind);
  setText(it, text);
  document.title = (over ? (kind === "lost" ? "✗ " : "✓ ") : "") + scriptName() + " · Tutti";
}

// --- progress and counts ------------------------------------------------------------------------------------------------------

function makeProgress () {
  const it = element("div", "card progress"), row = element("div", "row"), bar = element("div", "bar");
  row.append(element("span", "name"), element("span", "facts"));
  bar.append(element("span"), element("span", "failed"));
  bar.setAttribute("role", "progressbar");
  bar.setAttribute("aria-valuemin", "0");
  bar.setAttribute("aria-valuemax", "100");
  it.append(row, bar);
  return it;
}

function updateProgress (it, p) {
  const [row, bar] = it.children, share = p.all ? Math.min(1, p.done / p.all) : 0, bad = p.all ? Math.min(share, p.failed / p.all) : 0;
  const facts = [count(p.done) + (p.all ? " of " + count(p.all) : "")];
  if (p.all) facts.push((share >= 1 ? "100" : (share * 100).toFixed(1)) + " %");
  if (p.failed) facts.push(count(p.failed) + " failed");
  if (p.over) facts.push(p.began && p.updated ? "took " + duration((p.updated - p.began) / 1000) : "over");
  else if (p.left !== undefined) facts.push(duration(Math.max(0, p.left)) + " left");
  setText(row.children[0], p.name || "Progress");
  setText(row.children[1], facts.join(" · "));
  bar.children[0].style.width = ((share - bad) * 100) + "%";
  bar.children[1].style.width = (bad * 100) + "%";
  setAttribute(bar, "aria-valuenow", (share * 100).toFixed(0));
  setAttribute(bar, "aria-label", p.name || "Progress");
}

function drawProgress () {
  // What goes on comes first, then what ended last; four of them.
  const all = state.progress.filter((p) => !p.over).concat(state.progress.filter((p) => p.over).reverse()).slice(0, 4);
  byId("progresses").hidden = all.length === 0;
  keep(byId("progresses"), all, (p) => p.id, makeProgress, updateProgress);
}

function drawCounts () {
  const c = state.counts;
  const tiles = [["Done", count(c.done || 0)], ["Running", count(c.running || 0)], ["Queued", count(c.queued || 0)]];
  if (c.waiting) tiles.push(["Waiting", count(c.waiting)]);
  tiles.push(["Failed", count((c.failed || 0) - (c.cancelled || 0)), c.failed > c.cancelled ? "bad" : ""]);
  if (c.cancelled) tiles.push(["Cancelled", count(c.cancelled)]);
  tiles.push(["Tasks / s", state.run.state === "running" ? rateText(c.rate) : "–"], ["Busy", (c.busy || 0) + " / " + (c.workers || 0)]);
  keep(byId("counts"), tiles, (t) => t[0],
    (t) => { const it = element("div"); it.append(element("dt", "", t[0]), element("dd")); return it; },
    (it, t) => { setText(it.children[1], t[1]); it.className = t[2] || ""; });
}

// --- charts -------------------------------------------------------------------------------------------------------------------

function svg (name, attributes) {
  const it = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const key in attributes) it.setAttribute(key, attributes[key]);
  return it;
}

function niceTop (value) {
  if (!(value > 0)) return 1;
  const power = Math.pow(10, Math.floor(Math.log10(value)));
  for (const step of [1, 1.5, 2, 3, 5, 7.5, 10]) if (step * power >= value) return step * power;
  return value;
}

// POINTS: [seconds before now, value], the oldest first.
function drawChart (it, points, text, label) {
  const width = 600, height = 100;
  if (!it.firstChild) {
    const image = svg("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img" });
    for (const y of [0, 50, 100]) image.append(svg("line", { class: "grid", x1: 0, x2: width, y1: y, y2: y }));
    image.append(svg("path", { class: "area" }), svg("path", { class: "line" }));
    it.append(image, element("span", "top"), element("span", "from"), element("span", "to", "now"));
  }
  const [image, top, from] = it.children, most = niceTop(Math.max(0, ...points.map((p) => p[1])));
  const oldest = points.length ? points[0][0] : 0, span = Math.min(WINDOW, Math.max(60, Math.ceil(oldest / 60) * 60));
  const xy = points.map(([t, v]) => (width * (1 - t / span)).toFixed(1) + " " + (height * (1 - v / most)).toFixed(1));
  const last = points.length ? points[points.length - 1] : null;
  image.setAttribute("aria-label", label + (last ? ", now " + text(last[1]) + ", at most " + text(Math.max(...points.map((p) => p[1]))) : ""));
  image.children[4].setAttribute("d", xy.length > 1 ? "M" + xy.join("L") : "");
  image.children[3].setAttribute("d", xy.length > 1
    ? "M" + xy.join("L") + `L${(width * (1 - last[0] / span)).toFixed(1)} ${height}L${(width * (1 - oldest / span)).toFixed(1)} ${height}Z` : "");
  setText(top, last ? text(most) : "");
  setText(from, (span / 60) + " min ago");
}

function drawSeries () {
  const s = state.series, rates = [], memory = [];
  if (s.length === 0) return;
  const end = s[s.length - 1][0];
  for (let i = 0; i < s.length; i++) {
    const age = (end - s[i][0]) / 1000;
    if (age > WINDOW || age < 0) continue;  // a clock was set
    memory.push([age, s[i][2]]);
    if (i > 0 && s[i][0] > s[i - 1][0]) rates.push([age, Math.max(0, (s[i][1] - s[i - 1][1]) * 1000 / (s[i][0] - s[i - 1][0]))]);
  }
  drawChart(byId("rate-chart"), rates, (v) => rateText(v) + " /s", "Tasks per second");
  drawChart(byId("memory-chart"), memory, memoryText, "Memory of the workers");
  setText(byId("memory-now"), memory.length ? memoryText(memory[memory.length - 1][1]) : "");
  setText(byId("rate-now"), rates.length ? rateText(rates[rates.length - 1][1]) + " tasks/s" : "");
}

// --- workers ------------------------------------------------------------------------------------------------------------------

function makeWorker () {
  const it = element("div", "worker"), row = element("div", "row");
  row.append(element("span", "what"), element("span", "time"));
  it.append(row, element("div", "facts"));
  return it;
}

function workerTime (w) {
  return w.state === "busy" && w.since && state.run.state === "running" ? duration((now() - w.since) / 1000) : "";
}

function updateWorker (it, w) {
  const row = it.children[0], facts = it.lastElementChild;
  const what = w.state === "busy" ? (w.name || "task " + w.task) : w.state === "none" ? "none" : w.state;
  const parts = ["worker " + w.index];
  if (w.task !== undefined && w.name) parts.push("task " + w.task);
  if (w.attempt) parts.push("attempt " + w.attempt);
  if (w.memory) parts.push(memoryText(w.memory));
  if (w.restarts) parts.push(w.restarts + (w.restarts === 1 ? " restart" : " restarts"));
  parts.push(count(w.done) + " done");
  if (w.node && state.nodes.length > 1) parts.push(w.node);
  setAttribute(it, "data-state", w.state);
  setText(row.children[0], what);
  setText(row.children[1], workerTime(w));
  setText(facts, parts.join(" · "));
  setAttribute(it, "title", [what, ...parts, w.pid ? "pid " + w.pid : "", w.ending ? "is ended: " + w.ending : ""].filter(Boolean).join("\n"));
  let bar = it.children.length === 3 ? it.children[1] : null;
  if (w.all && !bar) {
    bar = element("div", "bar");
    bar.append(element("span"));
    it.insertBefore(bar, facts);
  } else if (!w.all && bar) { bar.remove(); bar = null; }
  if (bar) bar.firstElementChild.style.width = (Math.min(1, w.begun / w.all) * 100) + "%";
}

function poolTitle (id) {
  const pool = state.pools.find((p) => p.id === id);
  return pool ? (pool.name || "Pool " + id) + (pool.state === "open" ? "" : " (" + pool.state + ")") : "Pool " + id;
}

function drawWorkers () {
  const groups = new Map();
  for (const w of state.workers.values()) {
    if (!groups.has(w.pool)) groups.set(w.pool, []);
    groups.get(w.pool).push(w);
  }
  const ids = [...groups.keys()].sort((a, b) => a - b), c = state.counts;
  keep(byId("workers"), ids, (id) => id,
    () => { const it = element("div"); it.append(element("h3"), element("div", "workers")); return it; },
    (it, id) => {
      it.children[0].hidden = ids.length < 2;
      setText(it.children[0], poolTitle(id));
      keep(it.children[1], groups.get(id).sort((a, b) => a.index - b.index), (w) => w.index, makeWorker, updateWorker);
    });
  const more = (c.workers || 0) - state.workers.size;
  setText(byId("workers-count"), state.workers.size === 0 ? "none now" : more > 0 ? `${state.workers.size}, and ${more} more` : String(state.workers.size));
}

function drawNodes () {
  const odd = state.nodes.filter((n) => n.state !== "there");
  const text = odd.map((n) => n.name + " is " + n.state + (n.reason ? ": " + n.reason : "")).join("; ");
  byId("nodes").hidden = text === "";
  setText(byId("nodes"), text);
}

// --- what has happened --------------------------------------------------------------------------------------------------------

function makeFailure (f) {
  const it = element("details"), head = element("summary");
  const where = [f.task ? "task " + f.task : "", f.item !== undefined ? "item " + f.item : "", f.worker !== undefined ? "worker " + f.worker : ""];
  head.append(element("span", "how", f.how + (f.again ? ", tried again" : "")), element("span", "name", f.name || ""),
    element("span", "when", where.filter(Boolean).join(" · ") + (f.attempts ? " · attempt " + f.attempts : "")),
    element("span", "first", (f.text || "").split("\n")[0]), element("time", "when", clock(f.time)));
  it.append(head, element("pre", "", f.text || "(nothing is known of it)"));
  if (f.tail) it.append(element("p", "tail", "The worker's last lines:"), element("pre", "", f.tail));
  return it;
}

// The death of a worker and that of its task are one for readers.
function joinedFailures () {
  const named = new Map(state.failures.filter((f) => f.how === "died").map((f) => [f.task, f]));
  const deaths = new Set(state.failures.filter((f) => f.how === "worker died").map((f) => f.task));
  return state.failures.filter((f) => f.how !== "died" || !deaths.has(f.task))
    .map((f) => f.how === "worker died" && named.has(f.task) ? { ...f, name: named.get(f.task).name } : f).reverse();
}

function drawFailures () {
  const list = byId("failures-list"), all = joinedFailures();
  if (all.length === 0) {
    if (!list.querySelector("p")) list.replaceChildren(element("p", "", "None."));
  } else keep(list, all, (f) => f.id, makeFailure);
  const missing = (state.counts.failures || 0) > state.failures.length;
  setText(byId("failures-count"), all.length === 0 ? "" : missing ? `the last ${all.length}` : String(all.length));
}

function makeLine (l) {
  const it = element("li");
  it.append(element("span", "when", clock(l.time) + "  "));
  if (l.worker !== undefined) it.append(element("span", "who", "worker " + l.worker + "  "));
  it.append(element("span", l.error ? "error" : "", l.text));
  return it;
}

function drawLines (name) {
  const list = byId(name + "-list"), atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 30;
  byId(name).hidden = state[name].length === 0;
  keep(list, state[name], (l) => l.id, makeLine);
  if (atEnd) list.scrollTop = list.scrollHeight;
}

function drawPlots () {
  const all = state.plots.filter((p) => p.version !== 0);
  byId("plots").hidden = all.length === 0;
  keep(byId("plots-list"), all, (p) => p.name,
    (p) => {
      const it = element("figure", "card"), image = element("img");
      image.alt = p.name;
      it.append(element("figcaption", "", p.name), image);
      return it;
    },
    (it, p) => {
      const source = address("plots/" + encodeURIComponent(p.name)) + "&version=" + p.version;
      if (it.children[1].getAttribute("src") !== source) it.children[1].src = source;
    });
}

const drawers = {
  run: () => { drawRun(); drawCounts(); }, counts: () => { drawCounts(); drawFailures(); }, progress: drawProgress,
  pools: drawWorkers, nodes: drawNodes, plots: drawPlots, workers: drawWorkers, failures: drawFailures,
  told: () => drawLines("told"), output: () => drawLines("output"), series: drawSeries, status: drawStatus,
};

// What runs gets older without news of it.
function age () {
  for (const group of byId("workers").children)
    for (const it of group.children[1].children) {
      const w = state.workers.get(group.dataset.key + "." + it.dataset.key);
      if (w) setText(it.children[0].children[1], workerTime(w));
    }
}

// --- the connection -----------------------------------------------------------------------------------------------------------

function setConnection (name) {
  connection = name;
  changed.add("status");
  plan();
}

function connect () {
  const source = new EventSource(address("events"));
  source.onmessage = (event) => {
    if (connection !== "open") setConnection("open");
    take(JSON.parse(event.data));
  };
  source.onerror = () => {
    source.close();
    if (state.run.state === "ended" || state.run.state === "lost") return;
    setConnection("lost");
    // Is it that we may not?
    fetch(address("state"), { method: "HEAD" }).then((answer) => { if (answer.status === 403) setConnection("refused"); }, () => {});
    setTimeout(connect, 1000);
  };
}

forget();
drawStatus();
setInterval(age, 500);
connect();

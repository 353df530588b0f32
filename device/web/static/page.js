"use strict";
// What the page shows. The device tells it over one stream (see device/web/stream.py); nothing is
// loaded from elsewhere and nothing is kept.

const STRIP_MS = 180000;
const LABEL_MS = 7000; // a shorter piece would be hidden by its number
const MOST_EVENTS = 60;
const MOST_LANES = 6;
const PICTURE_EACH_MS = 300;
const REFUSAL_MS = 8000;
const SILENT_MS = 6000; // the device says something every few seconds
const LOST_MS = 15000; // a device without power closes nothing: the browser believes it for hours
const LIVED_MS = 10000; // the device ends a stream once an hour: one that lived so long is no outage
const ANSWER_MS = 15000; // the device itself gives a command ten seconds
const ADVICE = {
  "too small": "too small: come closer, or move the camera nearer",
  "blurred": "blurred: hold still, or focus the lens",
  "too dark": "too dark: more light on the face",
  "too bright": "too bright: less light on the face",
  "turned away": "turned away: face the camera",
};
const NO_LEADER = "no expression leads clearly";
// Of the guide: name, unit, the scale's ends, its limits' key, words below and above them.
const GUIDE = [
  ["Size", "size_px", "px", 0, 240, "too small", ""],
  ["Light", "brightness", "", 0, 255, "too dark", "too bright"],
  ["Sharpness", "sharpness", "", 0, 20, "blurred", ""],
  ["Turned", "yaw", "", 0, 1.2, "", "turned away"],
  ["Tilt", "tilt_deg", "°", -45, 45, "tilted", "tilted"],
];
const LEVEL_DEG = 20; // advice alone: no face is rejected for its tilt
const LABELS = {
  "smoothing.threshold": "Threshold",
  "smoothing.dwell_s": "Dwell (s)",
  "smoothing.refractory_s": "Refractory time (s)",
  "detector.kind": "Face detector",
  "camera.frame_rate_hz": "Frames a second",
};
const STEPS = {
  grey: "to grey", detect_track: "find and follow faces", classify: "name expressions",
  smooth: "smooth", publish: "hand to the broker", show: "hand to the screen",
};

const byId = (id) => document.getElementById(id);
const csrf = document.querySelector("meta[name=csrf]").content;
let about = null, state = null, health = null, stream = null;
let heard = -Infinity, begun = -Infinity; // the last message, the stream
let seen = 0, lastEvent = 0, isPaused = false; // when the last state came
let keptOut = "", hasFailed = false; // why there is no stream; whether the last one was lost
let calibratingUntil = 0, refusal = "", refusedUntil = 0;
const tracks = new Map(); // track_id: [{expression, from, to}], to is null while it lasts

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Of a clock that never jumps: a device and a tablet may learn the time long after their start.
const clock = () => performance.now();

const percent = (share) => `${Math.round((share ?? 0) * 100)}\u00a0%`;

function span(seconds) {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

// The stream

function connect() {
  if (stream || document.hidden) return;
  stream = new EventSource("/stream");
  begun = clock();
  const listen = (name, take) => stream.addEventListener(name, (event) => {
    heard = clock();
    keptOut = "";
    hasFailed = false;
    take(JSON.parse(event.data));
  });
  listen("about", takeAbout);
  listen("state", takeState);
  listen("events", takeEvents);
  listen("health", takeHealth);
  stream.onerror = () => {
    const isRefused = stream.readyState === EventSource.CLOSED;
    const hasLived = heard - begun > LIVED_MS;
    lose(hasLived && !isRefused);
    if (isRefused) findOutWhy();
  };
}

function lose(isNoOutage = false) {
  disconnect();
  if (isNoOutage) return connect();
  hasFailed = true;
  heard = Math.min(heard, clock() - SILENT_MS); // told at once, not after the silence
  showWhetherLive();
  setTimeout(connect, 2000);
}

function disconnect() {
  if (stream) stream.close();
  stream = null;
}

function abortIn(wait) {
  const controller = new AbortController();
  setTimeout(() => controller.abort(), wait);
  return controller.signal;
}

async function findOutWhy() {
  try {
    const answer = await fetch("/session", { signal: abortIn(ANSWER_MS) });
    if (answer.status === 401) location.replace("/login");
    if (answer.status === 503) keptOut = (await answer.text()).trim();
    showWhetherLive();
  } catch { /* the device is not there: the pill says so */ }
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) disconnect();
  else connect();
  showWhetherLive();
});

// What the device says

function takeAbout(message) {
  if (about && about.run === message.run) return;
  // The device has started anew: it may be another version, and it takes no command of this page.
  if (about) return location.reload();
  about = message;
  say(byId("name"), about.name);
  document.title = about.name === "Mien" ? "Mien" : `${about.name} – Mien`;
  say(byId("notice"), about.notice);
  byId("legend").replaceChildren(...[...about.expressions, "uncertain"].map((name) => {
    const item = make("li", {}, name);
    item.dataset.expression = name;
    return item;
  }));
  makeFields();
}

function takeState(message) {
  state = message;
  setPaused(state.camera === "paused");
  const now = clock();
  for (const face of state.faces) follow(face, now);
  for (const [id, parts] of tracks) {
    if (!state.faces.some((face) => face.track_id === id)) end(parts, seen);
  }
  seen = now;
  showStage();
  showFaces();
  showGuide();
  showWhetherLive();
}

function takeEvents(messages) {
  const fresh = messages.filter((event) => event.number > lastEvent);
  const now = clock();
  for (const event of fresh) {
    lastEvent = event.number;
    const at = now - event.age_s * 1000;
    const parts = tracks.get(event.track_id) ?? [];
    tracks.set(event.track_id, parts);
    end(parts, at);
    if (event.event_type !== "vanished") parts.push({ expression: event.expression, from: at, to: null });
    byId("event-list").prepend(eventLine(event));
  }
  while (byId("event-list").children.length > MOST_EVENTS) byId("event-list").lastChild.remove();
  byId("no-events").hidden = byId("event-list").children.length > 0;
  const last = fresh.at(-1);
  if (last && last.age_s < 3) say(byId("spoken"), eventText(last));
  showStrip();
}

function eventText(event) {
  const who = `Face ${event.track_id}`;
  const lasted = span(event.duration_ms / 1000);
  if (event.event_type === "appeared") return `${who} appeared: ${event.expression} ${percent(event.probability)}`;
  if (event.event_type === "changed") return `${who}: ${event.previous} → ${event.expression} ${percent(event.probability)}, after ${lasted}`;
  return `${who} vanished, last ${event.expression}, after ${lasted}`;
}

function eventLine(event) {
  const when = new Date(Date.now() - event.age_s * 1000);
  const time = make("time", { dateTime: when.toISOString() }, when.toLocaleTimeString([], { hourCycle: "h23" }));
  const line = make("li", { className: event.event_type }, time, make("i"), make("span", {}, eventText(event)));
  line.dataset.expression = event.expression;
  return line;
}

function takeHealth(message) {
  health = message;
  setPaused(health.paused);
  showHealth();
  fillFields();
  showWhetherLive();
}

// What is shown

function showWhetherLive() {
  const isLive = clock() - heard < SILENT_MS;
  document.body.classList.toggle("stale", !isLive);
  if (!isLive) {
    pill("watching", "bad", silence());
    pill("broker", "wait", "Broker: not known");
  } else if (isPaused) {
    pill("watching", "wait", "Paused");
  } else if (!state) {
    pill("watching", "wait", "Starting");
  } else if (state.camera === "offline") {
    pill("watching", "bad", "No camera");
  } else {
    const rate = health && health.fps ? `, ${health.fps.toFixed(0)} frames a second` : "";
    pill("watching", "good", `Working${rate}`);
  }
  byId("pause").disabled = byId("identify").disabled = !isLive;
  const isCalibrating = clock() < calibratingUntil;
  byId("calibrate").hidden = byId("calibrate-said").hidden = Boolean(about) && !about.has_rest;
  const why = isCalibrating ? "" : whyNotCalibrate(isLive);
  byId("calibrate").disabled = isCalibrating || Boolean(why);
  say(byId("calibrate"), isCalibrating ? "Look neutral…" : "Calibrate");
  say(byId("calibrate-not"), why && ` Not now: ${why}.`);
  showTrouble(isLive);
  if (!isLive) say(byId("headline"), silence());
}

function silence() {
  if (keptOut) return "Too many pages are open";
  const isNew = !hasFailed && clock() - begun < SILENT_MS; // the page, or somebody looks again
  return isNew ? "Connecting…" : "No answer from the device";
}

function whyNotCalibrate(isLive) {
  if (!isLive || !state) return "no answer from the device";
  if (isPaused) return "paused, nobody is watched";
  if (state.camera === "offline") return "no camera";
  return state.faces.length ? "" : "no face in view";
}

function showTrouble(isLive) {
  const troubles = clock() < refusedUntil ? [refusal] : [];
  if (!isLive && keptOut) troubles.push(keptOut);
  if (isLive && state && state.problem) troubles.push(state.problem);
  if (isLive && health) {
    if (health.problem && !troubles.includes(health.problem)) troubles.push(health.problem);
    if (health.throttled) troubles.push(`the processor is slowed down: ${health.throttling.join(", ")}`);
    const broker = health.broker;
    if (broker.connected) pill("broker", "good", "Broker connected");
    else {
      const waiting = health.outbox_depth === 1 ? "1 event waits" : `${health.outbox_depth} events wait`;
      pill("broker", "bad", `Broker not connected, ${waiting}`);
    }
  }
  byId("trouble").hidden = !troubles.length;
  say(byId("trouble"), troubles.join(" · "));
}

function pill(id, tone, text) {
  byId(id).dataset.tone = tone;
  say(byId(id).firstElementChild, text);
}

function setPaused(paused) {
  isPaused = paused;
  say(byId("pause"), paused ? "Resume" : "Pause");
}

function headline() {
  if (isPaused) return "Paused: nobody is watched";
  if (state.camera === "offline") return "No camera";
  return state.faces.length || state.has_picture ? "" : "No face in view";
}

function showStage() {
  const stage = byId("stage");
  if (state.width && state.height) stage.style.aspectRatio = `${state.width} / ${state.height}`;
  stage.classList.toggle("plain", !state.has_picture);
  byId("picture").hidden = !state.has_picture;
  byId("plain-said").hidden = state.has_picture || isPaused;
  say(byId("headline"), headline());
  byId("sign").hidden = !state.flashes;
  say(byId("sign"), about.name);
  const boxes = byId("boxes");
  keyed(boxes, state.faces, () => make("div", { className: "box" }, make("b")), (box, face) => {
    const [left, top, right, bottom] = face.box;
    Object.assign(box.style, {
      left: `${left * 100}%`, top: `${top * 100}%`,
      width: `${(right - left) * 100}%`, height: `${(bottom - top) * 100}%`,
    });
    box.dataset.expression = face.expression;
    box.className = `box${face.is_missing ? " missing" : ""}${top < 0.12 ? " high" : ""}`;
    const sure = face.expression === "uncertain" ? "" : ` ${percent(face.probability)}`;
    say(box.firstChild, `${face.track_id}: ${face.expression}${sure}`);
  });
}

// Keeps one child for each face, in their order.
function keyed(parent, faces, create, fill) {
  const left = new Map([...parent.children].map((child) => [child.dataset.track, child]));
  faces.forEach((face, place) => {
    const key = String(face.track_id);
    const child = left.get(key) ?? create(face);
    left.delete(key);
    child.dataset.track = key;
    if (parent.children[place] !== child) parent.insertBefore(child, parent.children[place] ?? null);
    fill(child, face);
  });
  for (const child of left.values()) child.remove();
}

function showFaces() {
  byId("no-face").hidden = state.faces.length > 0;
  say(byId("no-face"), isPaused ? "Paused." : state.camera === "offline" ? "No camera." : "No face in view.");
  keyed(byId("face-list"), state.faces, makeFace, fillFace);
}

function makeFace(face) {
  const rows = about.expressions.map((name) => {
    const bar = make("div", { className: "bar" }, make("i"));
    const row = make("tr", {}, make("th", { scope: "row" }, name),
      make("td", { className: "track" }, bar), make("td", { className: "number" }));
    row.dataset.expression = name;
    return row;
  });
  const caption = make("caption", { className: "unseen" }, `Probabilities of face ${face.track_id}`);
  return make("article", { className: "face" },
    make("h3", {}, make("span", {}, `Face ${face.track_id}`), make("span", { className: "since" })),
    make("p", { className: "said" }, make("strong"), make("span")),
    make("p", { className: "why" }),
    make("p", { className: "rest help", hidden: !about.has_rest }),
    make("table", {}, caption, make("tbody", {}, ...rows)));
}

function restText(known) {
  if (clock() < calibratingUntil) return "look neutral now";
  return known < 0.05 ? "not known yet" : `known to ${percent(known)}`;
}

function fillFace(card, face) {
  const isUncertain = face.expression === "uncertain";
  say(card.querySelector(".since"), `for ${span(face.for_s)}`);
  say(card.querySelector(".said strong"), face.expression);
  say(card.querySelector(".said span"), isUncertain ? "" : `${percent(face.probability)} sure`);
  say(card.querySelector(".why"), isUncertain ? ADVICE[face.reason] ?? face.reason ?? NO_LEADER : "");
  say(card.querySelector(".rest"), `Face at rest: ${restText(face.rest_known)}`);
  const leader = Object.entries(face.probabilities).reduce((a, b) => (b[1] > a[1] ? b : a))[0];
  for (const row of card.querySelectorAll("tbody tr")) {
    const share = face.probabilities[row.dataset.expression];
    row.classList.toggle("leads", row.dataset.expression === leader);
    row.querySelector("i").style.width = `${share * 100}%`;
    say(row.lastChild, percent(share));
  }
}

function showGuide() {
  const guide = state.guide, table = byId("guide");
  table.hidden = !guide;
  if (!guide) {
    const still = isPaused ? "Paused." : "As soon as there is a face, this says whether it is good enough to read.";
    say(byId("aim-said"), still);
    return;
  }
  const good = "The largest face is good enough to read.";
  say(byId("aim-said"), state.reason ? `The largest face is ${ADVICE[state.reason] ?? state.reason}.` : good);
  const body = table.tBodies[0];
  if (!body.children.length) body.append(...GUIDE.flatMap(makeScale));
  GUIDE.forEach((spec, number) => fillScale(body.children[2 * number], body.children[2 * number + 1], spec, guide));
}

function makeScale([name]) {
  const scale = make("div", { className: "scale" }, make("i"), make("b"));
  return [
    make("tr", {}, make("th", { scope: "row" }, name), make("td", { className: "track" }, scale),
      make("td", { className: "number verdict" })),
    make("tr", { className: "of" }, make("td"), make("td", { colSpan: 2 })),
  ];
}

function fillScale(row, note, [, key, unit, low, high, below, above], guide) {
  const value = guide[key];
  const [least, most] = key === "tilt_deg" ? [-LEVEL_DEG, LEVEL_DEG] : about.limits[key];
  const place = (at) => `${100 * Math.min(1, Math.max(0, (at - low) / (high - low)))}%`;
  const [zone, needle] = row.querySelector(".scale").children;
  zone.style.left = place(least ?? low);
  zone.style.right = `calc(100% - ${place(most ?? high)})`;
  needle.hidden = value === null;
  if (value !== null) needle.style.left = place(value);
  let verdict = value === null ? "not known" : "good";
  if (value !== null && least !== null && value < least) verdict = below;
  if (value !== null && most !== null && value > most) verdict = above;
  const cell = row.lastChild;
  cell.className = `number verdict ${verdict === "good" ? "good" : "bad"}`;
  say(cell, verdict);
  const digits = high <= 2 ? 2 : 0;
  const shown = value === null ? "" : `${value.toFixed(digits).replace(/^-(0(\.0+)?)$/, "$1")}${unit && unit !== "°" ? " " : ""}${unit}`;
  let limits = [least !== null && `at least ${least}`, most !== null && `at most ${most}`].filter(Boolean).join(", ");
  if (least === -most) limits = `at most ${most} either way`;
  say(note.lastChild, `${shown}; ${limits}`);
}

// The strip of the last minutes

function end(parts, at) {
  const last = parts.at(-1);
  if (last && last.to === null) last.to = Math.max(at, last.from);
}

function follow(face, now) {
  const parts = tracks.get(face.track_id) ?? [];
  tracks.set(face.track_id, parts);
  const last = parts.at(-1);
  if (!last || last.to !== null || last.expression !== face.expression) {
    end(parts, now - face.for_s * 1000);
    parts.push({ expression: face.expression, from: now - face.for_s * 1000, to: null });
  }
}

function showStrip() {
  const now = clock(), begin = now - STRIP_MS, said = [];
  for (const [id, parts] of tracks) {
    const left = parts.filter((part) => part.to === null || part.to > begin);
    if (left.length) tracks.set(id, left);
    else tracks.delete(id);
  }
  const lanes = []; // tracks that were not in view together share one
  for (const [id, parts] of [...tracks].sort((a, b) => a[1][0].from - b[1][0].from)) {
    said.push(`face ${id}: ${parts.map((part) => part.expression).join(", ")}`);
    let lane = lanes.find((other) => other.until < parts[0].from);
    if (!lane) lanes.push(lane = { element: make("div", { className: "lane" }) });
    lane.until = parts.at(-1).to ?? Infinity;
    lane.element.append(...parts.map((part) => stripPiece(part, begin, now)));
    const shownMs = Math.min(lane.until, now) - Math.max(parts[0].from, begin);
    if (shownMs > LABEL_MS) lane.element.append(stripLabel(id, parts[0], begin));
  }
  const shown = lanes.slice(-MOST_LANES).map((lane) => lane.element);
  byId("strip").replaceChildren(...(shown.length ? shown : [make("div", { className: "lane" })]));
  say(byId("strip-said"), said.join("; ") || "nobody");
}

function stripPiece(part, begin, now) {
  const from = Math.max(part.from, begin), piece = make("i");
  piece.dataset.expression = part.expression;
  piece.style.left = `${100 * (from - begin) / STRIP_MS}%`;
  piece.style.width = `${100 * ((part.to ?? now) - from) / STRIP_MS}%`;
  return piece;
}

function stripLabel(id, part, begin) {
  const label = make("span", {}, String(id));
  label.style.left = `${100 * Math.max(0, part.from - begin) / STRIP_MS}%`;
  return label;
}

// Health

function showHealth() {
  const whole = (value, unit) => (value === null ? "not known" : `${value}${unit}`);
  const counts = health.counts;
  const broker = health.broker;
  const rows = [
    ["Frames a second", health.fps.toFixed(1)],
    ["Pace", health.pace],
    ["Temperature", whole(health.temperature_c, " °C")],
    ["Memory", whole(health.memory_mb, " MB")],
    ["Broker", about.broker || "Mien's own"],
    ["Connection to it", broker.connected ? "connected" : "none"],
    ["Events that wait", health.outbox_depth],
    ["Events lost", counts.dropped_events],
    ["Frames seen", counts.frames],
    ["Frames skipped, failed", `${counts.dropped_frames}, ${counts.failed_frames}`],
    ["Model", health.model.name],
    ["Model version", health.model.version || "none"],
    ["Face detector", health.detector || "none"],
    ["Running for", span(health.uptime_s)],
    ["Mien", health.version],
  ];
  byId("health-list").replaceChildren(...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, String(value))]));
  byId("stages").tBodies[0].replaceChildren(...Object.entries(health.stages).map(([name, times]) => make("tr", {},
    make("th", { scope: "row" }, STEPS[name] ?? name),
    make("td", {}, `${times.p50_ms.toFixed(2)} ms`), make("td", {}, `${times.p95_ms.toFixed(2)} ms`))));
}

// Changes

async function command(name, body = {}) {
  try {
    const answer = await fetch(`/command/${name}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Mien-Csrf": csrf },
      body: JSON.stringify(body),
      signal: abortIn(ANSWER_MS),
    });
    if (answer.headers.get("Content-Type") === "application/json") return await answer.json();
    if (answer.status === 401) location.replace("/login");
    return { status: "error", error: (await answer.text()).trim() };
  } catch {
    return { status: "error", error: "No answer from the device." };
  }
}

byId("pause").addEventListener("click", async () => {
  const answer = await command(isPaused ? "resume" : "pause");
  if (answer.status === "ok") setPaused(answer.data.paused);
  say(byId("spoken"), answer.status === "ok" ? (isPaused ? "Paused" : "Resumed") : answer.error);
  if (answer.status !== "ok") showRefusal(answer.error);
  showWhetherLive();
});

byId("calibrate").addEventListener("click", async () => {
  const answer = await command("calibrate");
  const isDone = answer.status === "ok";
  if (isDone) calibratingUntil = clock() + answer.data.lasts_s * 1000;
  else showRefusal(answer.error);
  say(byId("spoken"), isDone ? `Look neutral for ${answer.data.lasts_s} seconds.` : answer.error);
  showWhetherLive();
});

byId("identify").addEventListener("click", async () => {
  const answer = await command("identify");
  say(byId("spoken"), answer.status === "ok" ? "The device's screen and this page flash." : answer.error);
  if (answer.status !== "ok") showRefusal(answer.error);
});

// Why the device did not do something, long enough to be read.
function showRefusal(text) {
  refusal = text;
  refusedUntil = clock() + REFUSAL_MS;
  showTrouble(clock() - heard < SILENT_MS);
}

function makeFields() {
  byId("fields").append(...about.settable.map((setting) => {
    const id = `set-${setting.key}`, said = `${id}-help`;
    const input = setting.choices
      ? make("select", { id }, ...setting.choices.map((choice) => make("option", {}, choice)))
      : make("input", { id, type: "number", step: "any", required: true, min: setting.low, max: setting.high, inputMode: "decimal" });
    input.name = setting.key;
    input.setAttribute("aria-describedby", said);
    const range = setting.low === null ? "" : ` (${setting.low} to ${setting.high})`;
    const label = make("label", { htmlFor: id }, LABELS[setting.key] ?? setting.key);
    return make("div", {}, label, input, make("p", { className: "help", id: said }, setting.help.replace(/^s (of )?/, "") + range));
  }));
  byId("set").addEventListener("input", (event) => {
    event.target.dataset.dirty = "true";
    showWhetherToSave();
    say(byId("set-said"), "");
  });
  byId("set").addEventListener("submit", save);
}

const fields = () => [...byId("fields").querySelectorAll("input, select")];
const valueOf = (input) => (input.type === "number" ? input.valueAsNumber : input.value);

function showWhetherToSave() {
  byId("set").querySelector("button").disabled = !fields().some((input) => input.dataset.dirty);
}

// What somebody has changed here stays; all else follows the device.
function fillFields() {
  for (const input of fields()) {
    const value = health.settings[input.name];
    if (valueOf(input) === value) delete input.dataset.dirty;
    else if (value !== undefined && !input.dataset.dirty) input.value = value;
  }
  showWhetherToSave();
}

async function save(event) {
  event.preventDefault();
  const sent = new Map(fields().filter((input) => input.dataset.dirty).map((input) => [input, valueOf(input)]));
  if (!sent.size) return;
  byId("set").querySelector("button").disabled = true;
  const settings = Object.fromEntries([...sent].map(([input, value]) => [input.name, value]));
  const answer = await command("set", { settings });
  const isDone = answer.status === "ok", said = byId("set-said");
  const later = isDone ? answer.data.after_restart : [];
  said.className = isDone ? "good" : "bad";
  const note = later.length ? ` ${later.map((key) => LABELS[key] ?? key).join(", ")}: after the next restart.` : "";
  const saved = about.remembers ? "Saved." : "Saved until Mien ends: this run remembers nothing.";
  say(said, isDone ? `${saved}${note}` : answer.error);
  if (isDone) {
    for (const [input, value] of sent) if (valueOf(input) === value) delete input.dataset.dirty;
    Object.assign(health.settings, answer.data.settings);
  }
  showWhetherToSave();
}

// The picture: asked for as soon as the last one is there, a few times a second

let shot = 0;
async function nextPicture() {
  let wait = 500;
  if (!document.hidden && state && state.has_picture) {
    const next = new Image();
    next.src = `/picture.jpg?${shot += 1}`;
    const giveUp = setTimeout(() => { next.src = ""; }, ANSWER_MS); // else the next one never comes
    try {
      await next.decode(); // before it takes the old one's place, so that nothing flickers
      const old = byId("picture");
      Object.assign(next, { id: old.id, alt: old.alt, hidden: old.hidden });
      old.replaceWith(next);
      wait = PICTURE_EACH_MS;
    } catch { wait = 1000; }
    clearTimeout(giveUp);
  }
  setTimeout(nextPicture, wait);
}

setInterval(() => {
  if (stream && clock() - Math.max(heard, begun) > LOST_MS) lose();
  showWhetherLive();
  showStrip();
}, 1000);
connect();
nextPicture();

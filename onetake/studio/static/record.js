// Step 3: read the script, with level, clock, and what was lost. Several takes can be compared.

import { get } from "/static/api.js";
import { app } from "/static/app.js";
import { action, alert, button, calm, clock, fill, h, tell } from "/static/dom.js";
import { LevelMeter } from "/static/levels.js";
import { Recording } from "/static/recording.js";
import { channelsOf, listen, openMicrophone } from "/static/room.js";
import { languageField } from "/static/start.js";

const BEST_S = [60, 120];
const BYTES_PER_SAMPLE = 2;
const MOST_LOST = 5;
const LEVELS = { clipped: "✕ Clipped now: lower the input gain", loud: "! Too loud", quiet: "! Too quiet", silent: "… No voice", good: "✓ Good level" };

let view = null; // the elements and the recording of this visit

export const recordStep = {
  async enter(section) {
    view = { section, marked: [] };
    view.state = h("p", { class: "state", id: "record-state" }, "Ready");
    view.clock = h("p", { class: "clock", id: "record-clock" }, "0:00.0");
    view.length = h("progress", { max: 1, value: 0, "aria-label": "Length of the take" });
    view.hint = h("p", { class: "note", id: "record-hint" });
    view.meter = new LevelMeter(app.state.levels);
    view.lost = h("ul", { id: "record-lost", class: "problems" });
    view.record = button("Record", action(begin), { class: "primary large", id: "record-begin", disabled: true });
    view.next = button("Next", () => turn(1), { id: "record-next", hidden: true, class: "primary large" });
    view.stop = button("Stop", action(stop), { id: "record-stop", hidden: true, class: "large" });
    view.card = h("div", { id: "script", class: "script", lang: app.language });
    view.takes = h("div", { id: "record-takes" });
    const speaker = h("input", { id: "speaker", value: app.speaker, autocomplete: "name", oninput: (event) => { app.speaker = event.target.value; showCard(); } });
    fill(section,
      h("div", { class: "row" }, languageField("record-language", () => this.enter(section)), h("p", {}, h("label", { for: "speaker" }, "Your name, for the consent "), speaker)),
      view.card, h("div", { class: "buttons" }, view.record, view.next, view.stop),
      h("div", { class: "row" }, view.state, view.clock), view.length, view.hint, view.lost, view.meter.element, view.takes);
    view.script = await get(`/api/scripts/${app.language}`);
    view.at = 0;
    showCard();
    showTakes();
    await prepareMicrophone();
  },
  leave() {
    if (!view?.recording) listen(null);
  },
};

async function prepareMicrophone() {
  try {
    await (app.microphone ?? openMicrophone());
  } catch (error) {
    return blocked(error.message);
  }
  listen(app.microphone, onChunk);
  if (app.microphone.processing.length) blocked(`Blocked: the browser applies ${app.microphone.processing.join(", ")}. Switch it off, or drop a recording instead.`);
  else {
    view.record.disabled = false;
    view.hint.textContent = lengthHint(0);
  }
}

function blocked(message) {
  view.record.disabled = true;
  state("rejected", "✕ Recording is not possible");
  view.hint.textContent = message;
  alert(message);
}

// The script as cards: the consent and what comes before, the marked sentence alone, and the rest.
function cards() {
  const { consent, before, marked, after } = view.script;
  const named = consent.replace("{name}", app.speaker.trim() || "…");
  const middle = Math.ceil(before.length / 2);
  const end = Math.ceil(after.length / 2);
  return [[named, ...before.slice(0, middle)], before.slice(middle), [marked], after.slice(0, end), after.slice(end)];
}

const MARKED_CARD = 2;

function showCard() {
  const all = cards();
  const isMarked = view.at === MARKED_CARD;
  view.card.lang = app.language;
  view.card.replaceChildren(
    h("p", { class: "progress", lang: "en" }, `Part ${view.at + 1} of ${all.length}${isMarked ? ": the sentence for the prompt clip. Pause before it and after it." : ""}`),
    h("p", { class: isMarked ? "sentence marked" : "sentence" }, all[view.at].join(" ")));
  view.next.hidden = !view.recording || view.at === all.length - 1;
}

// Go to another card; where the marked sentence is on the screen is where it is in the take.
function turn(step) {
  view.at += step;
  if (view.at === MARKED_CARD || view.at === MARKED_CARD + 1) view.marked.push(view.recording.seconds);
  showCard();
  if (view.next.hidden) view.stop.focus();
}

async function begin() {
  const channels = await channelsOf(app.microphone);
  view.lost.replaceChildren();
  Object.assign(view, { at: 0, marked: [], isLost: false, channels });
  view.recording = await Recording.begin(app.microphone, channels, "take", app.language);
  app.isRecording = true;
  view.recording.addEventListener("lost", ({ at, seconds }) => lost(at, seconds));
  view.recording.addEventListener("trouble", ({ error }) => alert(`${error.message} What was sent until now is stored.`));
  for (const [element, hidden] of [[view.record, true], [view.stop, false]]) element.hidden = hidden;
  state("info", "● Recording");
  showCard();
  view.next.focus();
}

function lost(at, seconds) {
  const text = `Samples lost at ${clock(at)} (${(1000 * seconds).toFixed(0)} ms): close other programs, and record again.`;
  view.isLost = true;
  view.lost.append(h("li", {}, text));
  if (view.lost.children.length > MOST_LOST) view.lost.firstChild.remove();
  alert(text);
}

// Every 50 ms, recording or not.
function onChunk(chunk) {
  const level = view.meter.add(chunk);
  if (!view.recording || view.isStopping) return;
  const seconds = view.recording.seconds;
  view.clock.textContent = clock(seconds);
  view.length.value = Math.min(1, seconds / limit());
  view.hint.textContent = lengthHint(seconds);
  if (level === "clipped") view.clippedUntil = seconds + 2;
  const isClipped = seconds < (view.clippedUntil ?? 0);
  state(isClipped ? "rejected" : view.isLost ? "rejected" : level === "good" ? "ready" : "fixable", `● Recording · ${isClipped ? LEVELS.clipped : view.isLost ? "✕ Samples were lost" : LEVELS[level]}`);
  if (seconds >= limit()) action(stop)();
}

function state(kind, text) {
  if (view.state.textContent === text) return;
  view.state.className = `state ${kind}`;
  view.state.textContent = text;
}

// Seconds that the service accepts: by length, and by the size of a 16-bit WAV.
function limit() {
  const { max_s, max_bytes } = app.state.limits;
  const channels = view.recording && !view.recording.equal ? view.channels : 1;
  return Math.min(max_s, (max_bytes - 100) / (app.microphone.sampleRate * BYTES_PER_SAMPLE * channels)) - 0.5;
}

function lengthHint(seconds) {
  const { min_s } = app.state.limits;
  const most = `at most ${clock(limit()).slice(0, -2)}`;
  if (seconds === 0) return `At least ${min_s} s, best 1 to 2 minutes, ${most}.`;
  if (seconds < min_s) return `Too short until ${min_s} s.`;
  if (seconds < BEST_S[0]) return "Long enough; 1 to 2 minutes are best.";
  return seconds <= BEST_S[1] ? "The best length." : `Longer than needed; ${most}.`;
}

async function stop() {
  const { recording } = view;
  if (!recording || view.isStopping) return;
  view.isStopping = true;
  state("info", "Storing the take");
  const number = app.state.takes.filter((take) => take.origin === "recorded").length + 1;
  try {
    const take = await recording.finish(`Take ${number}`, view.marked.length === 2 ? view.marked : null);
    if (!view.isLost) calm();
    state("ready", `■ Stopped: ${take.name}, ${clock(recording.seconds)}`);
    await app.load();
    app.take = app.state.takes.find((one) => one.id === take.id);
  } finally {
    view.recording = null;
    app.isRecording = false;
    view.isStopping = false;
    for (const [element, hidden] of [[view.record, false], [view.stop, true], [view.next, true]]) element.hidden = hidden;
    view.record.textContent = "Record another take";
  }
  await showTakes();
  tell(`${app.take.name} is stored.`);
}

// All takes of this session beside each other: length, verdict, level, and a player.
async function showTakes() {
  const takes = app.sources;
  view.takes.replaceChildren();
  if (!takes.length) return;
  const rows = takes.map((take) => h("tr", { "data-take": take.id }, h("th", { scope: "row" }, take.name), h("td", {}, "checking"), h("td", {}), h("td", {}),
    h("td", {}, h("audio", { controls: true, preload: "none", src: `/takes/${take.id}/audio`, "aria-label": take.name })),
    h("td", {}, button("Findings", () => { app.choose(take); app.show("findings", { focus: true }); }, { "aria-label": `Findings of ${take.name}` }))));
  const heads = ["Take", "Verdict", "Length", "Loudness", "Listen", ""].map((text) => (text ? h("th", { scope: "col" }, text) : h("td", {})));
  view.takes.append(h("h3", {}, "Takes"), h("div", { class: "scrolled", tabindex: "0", role: "region", "aria-label": "Takes" },
    h("table", { class: "takes" }, h("thead", {}, h("tr", {}, heads)), h("tbody", {}, rows))));
  for (const [at, take] of takes.entries()) {
    const found = await app.check(take);
    const cells = rows[at].cells;
    cells[1].replaceChildren(h("span", { class: `verdict ${found.verdict}` }, found.verdict));
    cells[2].textContent = clock(found.seconds ?? 0);
    cells[3].textContent = found.loudness_lufs === null ? "" : `${found.loudness_lufs.toFixed(1)} LUFS`;
  }
}

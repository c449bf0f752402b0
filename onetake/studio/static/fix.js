// Step 5: the plan, the part to keep, and the result beside the original.

import { post } from "/static/api.js";
import { app } from "/static/app.js";
import { action, button, clock, fill, h, tell } from "/static/dom.js";
import { nothing } from "/static/findings.js";

const CHOSEN_AFTER_MS = 300;
let form, chosen;

export const fixStep = {
  async enter(section) {
    const take = app.take;
    if (!take) return nothing(section);
    const parent = app.state.takes.find((one) => one.id === take.parent);
    const isFixed = take.origin === "fixed" && parent;
    const plan = h("div", { id: "plan" });
    chosen = { edits: new Set(), start_s: null, end_s: null };
    form = { take, plan, apply: button("Apply", action(() => apply(take), "Fixing"), { class: "primary", id: "fix-apply" }) };
    const first = await post(`/api/takes/${take.id}/plan`, {});
    for (const choice of first.choices) if (choice.safe) chosen.edits.add(choice.name);
    fill(section, isFixed ? await comparison(parent, take) : null, choices(first), windowFields(first, await app.check(take)), h("h3", {}, "Plan"), plan, h("p", { class: "buttons" }, form.apply));
    await replan();
  },
};

function choices({ choices: all }) {
  if (!all.length) return null;
  const boxes = all.map(({ name, what, safe, rules }) => h("p", {}, h("label", {},
    h("input", { type: "checkbox", checked: safe, value: name, onchange: (event) => { chosen.edits[event.target.checked ? "add" : "delete"](name); later(); } }),
    ` ${what}`), h("small", {}, ` for ${rules.join(", ")}${safe ? "" : "; unsafe: it changes how the voice sounds"}`)));
  return h("fieldset", { id: "edits" }, h("legend", {}, "Edits"), boxes);
}

// The part to keep: two handles on one line, which the keyboard moves by tenths of a second.
function windowFields({ seconds, window: proposed }, found) {
  if (!seconds) return null;
  const wave = new DOMParser().parseFromString(found.html, "text/html").querySelector(".waveform");
  const slider = (id, label, value) => h("input", { type: "range", id, min: 0, max: seconds.toFixed(1), step: 0.1, value: String(value), "aria-label": label });
  const [from, until] = proposed ?? [0, seconds];
  const kept = h("div", { class: "kept" });
  const start = slider("window-start", "Start of the part to keep", from.toFixed(1));
  const end = slider("window-end", "End of the part to keep", until.toFixed(1));
  const text = h("output", { id: "window-text" });
  const player = h("audio", { controls: true, preload: "metadata", src: `/takes/${app.take.id}/audio`, "aria-label": app.take.name });
  const show = () => {
    const [low, high] = [Number(start.value), Number(end.value)];
    text.textContent = `${clock(low)} to ${clock(high)}, ${(high - low).toFixed(1)} s`;
    kept.style.left = `${(100 * low) / seconds}%`;
    kept.style.width = `${(100 * (high - low)) / seconds}%`;
    for (const [element, value] of [[start, low], [end, high]]) element.setAttribute("aria-valuetext", clock(value));
  };
  const moved = (other, isStart) => (event) => {
    if (isStart ? event.target.value > Number(other.value) : event.target.value < Number(other.value)) other.value = event.target.value;
    player.currentTime = Number(event.target.value);
    const isWhole = Number(start.value) === 0 && Number(end.value) >= Math.floor(seconds * 10) / 10;
    chosen.start_s = isWhole ? null : Number(start.value);
    chosen.end_s = isWhole ? null : Math.min(seconds, Number(end.value));
    show();
    later();
  };
  start.addEventListener("input", moved(end, true));
  end.addEventListener("input", moved(start, false));
  show();
  const reset = button("Use the proposed part", () => {
    [start.value, end.value] = [from, until].map(String);
    chosen.start_s = chosen.end_s = null;
    show();
    later();
  });
  return h("fieldset", { class: "window" }, h("legend", {}, "Part to keep"), wave && h("div", { class: "plot" }, wave, kept), player, h("label", { for: "window-start" }, "Start"), start, h("label", { for: "window-end" }, "End"), end,
    h("p", {}, text, " ", reset, h("small", {}, proposed ? ` Proposed: ${clock(from)} to ${clock(until)}.` : " Proposed: all of it.")));
}

let timer;
function later() {
  clearTimeout(timer);
  timer = setTimeout(() => action(replan)(), CHOSEN_AFTER_MS);
}

function sent() {
  const edits = [...chosen.edits].filter((name) => name !== "loudness");
  return { edits, loudness: chosen.edits.has("loudness"), start_s: chosen.start_s, end_s: chosen.end_s };
}

async function replan() {
  const { take, plan, apply: button } = form;
  const planned = await post(`/api/takes/${take.id}/plan`, sent());
  if (planned.error) {
    button.disabled = true;
    plan.replaceChildren(h("p", { class: "state rejected" }, `✕ ${planned.error.message}`), h("p", {}, planned.error.hint));
    return;
  }
  button.disabled = planned.edits.length === 0;
  const edits = planned.edits.map((edit) => h("li", {}, edit.what, edit.rule ? h("small", {}, ` for ${edit.rule}`) : "", edit.safe ? "" : h("strong", {}, " unsafe")));
  plan.replaceChildren(edits.length ? h("ol", {}, edits) : h("p", {}, "✓ Nothing needs to be changed: this take is sent as it is."));
}

async function apply(take) {
  const made = await post(`/api/takes/${take.id}/fix`, sent());
  await app.load();
  app.choose(app.state.takes.find((one) => one.id === made.id));
  tell(`${made.name} is ready to compare.`);
}

// Original and result at equal loudness and the same position; one button, or one key on it, changes over.
async function comparison(original, result) {
  const checks = await Promise.all([original, result].map((take) => app.check(take)));
  const loudness = checks.map((found) => found.loudness_lufs);
  const quietest = Math.min(...loudness.map((lufs) => lufs ?? 0));
  const offset = original.id === result.parent ? await offsetOf(result) : 0;
  const players = [original, result].map((take, at) => {
    const audio = h("audio", { preload: "auto", src: `/takes/${take.id}/audio` });
    audio.volume = loudness[at] === null ? 1 : Math.min(1, 10 ** ((quietest - loudness[at]) / 20));
    return audio;
  });
  let now = 1;
  const label = h("output", {}, "Result");
  const other = (from, to) => Math.max(0, players[from].currentTime + (from === 0 ? -offset : offset));
  const change = () => {
    const [from, to] = [now, 1 - now];
    const isPlaying = !players[from].paused;
    players[from].pause();
    players[to].currentTime = other(from, to);
    now = to;
    label.textContent = now ? "Result" : "Original";
    if (isPlaying) players[to].play();
  };
  const play = button("Play", () => { if (players[now].paused) players[now].play(); else players[now].pause(); });
  for (const audio of players) for (const kind of ["play", "pause"]) audio.addEventListener(kind, () => { play.textContent = players[now].paused ? "Play" : "Pause"; });
  return h("fieldset", { id: "compare", class: "compare" }, h("legend", {}, "Original and result, equally loud"),
    h("p", { class: "buttons" }, play, button("Switch (Space)", change, { id: "change-over" }), h("span", {}, "Playing: ", label)),
    h("ul", {}, result.changes.map((text) => h("li", {}, text))), players);
}

// How much of the original the result leaves out at its start, as its changes say.
async function offsetOf(result) {
  const cut = result.changes.map((text) => /^keep (\d+):(\d+\.\d) to /.exec(text)).find(Boolean);
  return cut ? 60 * Number(cut[1]) + Number(cut[2]) : 0;
}

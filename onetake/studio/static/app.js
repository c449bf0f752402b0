// The page: its steps, the chosen take, and the state that the server keeps.

import { get, post, remove } from "/static/api.js";
import { $, action, alert, button, calm, confirm, h, tell } from "/static/dom.js";
import { cloneStep, followRuns } from "/static/clone.js";
import { findingsStep } from "/static/findings.js";
import { fixStep } from "/static/fix.js";
import { promptStep } from "/static/prompt.js";
import { recordStep } from "/static/record.js";
import { roomStep } from "/static/room.js";
import { startStep } from "/static/start.js";
import { previewStep } from "/static/preview.js";
import { voicesStep } from "/static/voices.js";

const STEPS = [
  ["start", "Start", startStep], ["room", "Room", roomStep], ["record", "Record", recordStep],
  ["findings", "Findings", findingsStep], ["fix", "Fix", fixStep], ["prompt", "Prompt clip", promptStep],
  ["clone", "Clone", cloneStep], ["preview", "Preview", previewStep], ["voices", "Voices", voicesStep],
];
const WITH_TAKE = ["findings", "fix", "prompt", "clone", "preview"];

export const app = {
  state: null,
  take: null, // the chosen one
  prompts: new Map(), // the prompt clip that was made for a take, by their ids
  checks: new Map(), // what the server found in a take, by id
  language: "en",
  speaker: "",
  step: "start",

  async load() {
    this.state = await get("/api/state");
    const known = this.state.takes.find((take) => take.id === this.take?.id);
    this.take = known ?? this.sources.at(-1) ?? null;
    this.draw();
  },

  // The takes that can be cloned: not clips, previews and speeches.
  get sources() {
    return this.state.takes.filter((take) => take.purpose === "take" && !["prompt", "preview", "speech"].includes(take.origin));
  },

  choose(take) {
    this.take = take;
    this.draw();
    if (WITH_TAKE.includes(this.step)) this.show(this.step);
  },

  // Check a take once; a second call returns what is known.
  async check(take) {
    if (!this.checks.has(take.id)) this.checks.set(take.id, await get(`/api/takes/${take.id}/check`));
    return this.checks.get(take.id);
  },

  draw() {
    const real = this.state.real;
    $("badge").textContent = real ? "Real service: a clone costs money" : "Rehearsal: nothing leaves this machine, nothing is charged";
    $("badge").className = `badge ${real ? "real" : "rehearsal"}`;
    const select = $("take");
    select.replaceChildren(...this.sources.map((take) => h("option", { value: take.id, selected: take.id === this.take?.id }, take.name)));
    const take = this.take;
    $("current").hidden = !take || !WITH_TAKE.includes(this.step);
    if (!take) return;
    $("download").href = `/takes/${take.id}/audio?download`;
    $("save").hidden = take.origin === "opened";
    $("saved").textContent = take.saved ? `saved as ${take.saved}` : take.origin === "opened" ? "" : "not saved: it is deleted when the studio ends";
  },

  async show(step, { focus = false } = {}) {
    calm();
    tell("");
    for (const [name, , module] of STEPS) {
      if (name === this.step && name !== step) module.leave?.();
      $(`step-${name}`).hidden = name !== step;
      const link = $("steps").querySelector(`[data-step="${name}"]`);
      if (name === step) link.setAttribute("aria-current", "step");
      else link.removeAttribute("aria-current");
    }
    this.step = step;
    this.draw();
    if (focus) $("main").focus();
    const [, title, module] = STEPS.find(([name]) => name === step);
    document.title = `${title} · onetake studio`;
    await action(() => module.enter($(`step-${step}`)))();
  },
};

function prepare() {
  const entries = STEPS.map(([name, title], number) =>
    h("li", {}, button(`${number + 1} ${title}`, () => app.show(name), { "data-step": name })));
  $("steps").append(...entries);
  $("take").addEventListener("change", (event) => app.choose(app.state.takes.find((take) => take.id === event.target.value)));
  $("save").addEventListener("click", action(async () => {
    const saved = await post(`/api/takes/${app.take.id}/save`);
    await app.load();
    tell(`Saved as ${saved.saved}`);
  }));
  $("remove").addEventListener("click", action(async () => {
    const what = app.take.origin === "opened" ? "The file stays where it is." : app.take.saved ? "Its saved copy stays." : "It is not saved.";
    if (!(await confirm(`Remove ${app.take.name}?`, what, "Remove"))) return;
    await remove(`/api/takes/${app.take.id}`);
    await app.load();
    await app.show(app.take ? app.step : "start");
  }));
  addEventListener("beforeunload", (event) => { if (app.isRecording) event.preventDefault(); });
}

prepare();
try {
  await app.load();
  followRuns(app);
  await app.show(app.take ? "findings" : "start");
  const recovered = app.state.takes.filter((take) => take.origin === "recovered").length;
  if (recovered) tell(`Recovered from a session that ended early: ${recovered} ${recovered === 1 ? "take" : "takes"}.`);
} catch (error) {
  alert(error.message);
}

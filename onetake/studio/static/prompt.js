// Step 6: a prompt clip under 8 seconds, and exactly the words that are spoken in it.

import { get, post } from "/static/api.js";
import { app } from "/static/app.js";
import { action, button, clock, fill, h, tell } from "/static/dom.js";
import { nothing } from "/static/findings.js";

const TYPED_AFTER_MS = 300;

export const promptStep = {
  async enter(section) {
    const take = app.take;
    if (!take) return nothing(section);
    fill(section, h("p", { class: "state info" }, "Searching for clean sentences"));
    let clips;
    try {
      clips = await get(`/api/takes/${take.id}/clips`);
    } catch (error) {
      fill(section, h("p", { class: "state rejected" }, `✕ ${error.message}`), h("p", {}, "The clone works without a prompt clip, too."));
      return;
    }
    const player = h("audio", { preload: "auto", src: `/takes/${take.id}/audio` });
    const items = clips.map((clip) => candidate(take, clip, player));
    const made = app.state.takes.find((one) => one.id === app.prompts.get(take.id));
    fill(section,
      h("p", { class: "lead" }, "A short sample with its exact words brings the clone closer to the voice. Without one, the clone works too."),
      made ? chosenClip(take, made) : null, h("ol", { class: "clips" }, items), player);
  },
};

function candidate(take, clip, player) {
  const id = `text-${clip.number}`;
  const problem = h("p", { class: "note", id: `problem-${clip.number}` });
  const use = button("Use this clip", action(async () => {
    const made = await post(`/api/takes/${take.id}/clip`, { number: clip.number, text: text.value });
    app.prompts.set(take.id, made.id);
    await app.load();
    tell("The clip is chosen.");
    await app.show("prompt", { focus: true });
  }, "Cutting the clip"));
  const text = h("textarea", { id, rows: 2, maxlength: 2000, lang: take.language ?? "", "aria-describedby": problem.id });
  text.value = clip.text;
  let timer;
  const check = async () => {
    const found = await post("/api/prompt-text", { text: text.value }).then(() => null, (error) => error);
    problem.textContent = found ? found.message : `✓ The form is valid: ${text.value.trim().length} characters, ends with punctuation`;
    problem.classList.toggle("problem", Boolean(found));
    text.setAttribute("aria-invalid", String(Boolean(found)));
    use.disabled = Boolean(found);
  };
  text.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(check, TYPED_AFTER_MS); });
  check();
  const from = { script: "the marked sentence of the script; its text is known", "speech model": "the words are proposed by the speech model: compare them" }[clip.source] ?? "write down what is said";
  const play = button(`Play ${clock(clip.start_s)} to ${clock(clip.end_s)}`, () => playSpan(player, clip.start_s, clip.end_s));
  return h("li", {}, h("p", {}, play, ` ${(clip.end_s - clip.start_s).toFixed(1)} s`, h("small", {}, clip.snr_db ? `, SNR ${clip.snr_db.toFixed(0)} dB` : "", `; ${from}`)),
    h("label", { for: id }, "What is said, with its punctuation"), text, problem, use);
}

function chosenClip(take, made) {
  return h("div", { class: "panel", id: "chosen-clip" }, h("p", { class: "state ready" }, "✓ Chosen"), h("blockquote", { lang: take.language ?? "" }, made.text),
    h("audio", { controls: true, preload: "none", src: `/takes/${made.id}/audio`, "aria-label": made.name }),
    h("p", { class: "buttons" }, button("Go to the clone", () => app.show("clone", { focus: true }), { class: "primary" }),
      button("Use none", () => { app.prompts.delete(take.id); app.show("prompt"); })));
}

export function playSpan(audio, start, end) {
  audio.currentTime = start;
  audio.ontimeupdate = () => { if (audio.currentTime >= end) audio.pause(); };
  audio.play();
}

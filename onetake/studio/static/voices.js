// Step 9: the voices, how long they live, and calls whose outcome only the user can find out.

import { get, post } from "/static/api.js";
import { app } from "/static/app.js";
import { action, alert, button, confirm, date, fill, h, tell } from "/static/dom.js";

const STATES = {
  temporary: ["info", "Temporary"], expiring: ["fixable", "! Expiring"], kept: ["ready", "✓ Kept"],
  expired: ["rejected", "✕ Expired"], gone: ["rejected", "✕ Gone: the service no longer has it"],
};
const CHARGED = "Some services charge a one-time fee for a voice at its first speech call.";

export const voicesStep = {
  async enter(section) {
    const { voices, unknown } = await get("/api/voices");
    const again = () => this.enter(section);
    fill(section, unknown.map((call) => unknownCall(call, again)),
      voices.length ? voices.map((voice) => voiceView(voice, again)) : h("p", {}, "No voices yet. Rehearse a clone to see one here."));
  },
};

function voiceView(voice, again) {
  const [kind, text] = STATES[voice.state];
  const isAlive = !["expired", "gone"].includes(voice.state);
  return h("article", { class: "voice panel", "aria-label": `Voice ${voice.name}` },
    h("h3", {}, voice.name, " ", h("span", { class: `verdict ${kind}` }, text), " ", h("span", { class: `badge ${voice.service}` }, voice.service === "real" ? "Real service" : "Rehearsal")),
    h("p", { class: "facts" }, `${voice.voice_id} · made ${date(voice.created_at)} · ${left(voice)}`),
    h("p", {}, voice.consent ? `Consent: ${voice.consent}` : "No consent is recorded."),
    isAlive ? sayForm(voice, again) : null,
    isAlive && voice.state !== "kept" ? h("p", {}, button("Keep", action(() => keep(voice, again), "Keeping the voice"), { "aria-label": `Keep ${voice.name}` }), h("small", {}, ` ${CHARGED}`)) : null);
}

function left({ state, seconds_left, expires_at, kept_at }) {
  if (state === "kept") return `kept since ${date(kept_at)}`;
  if (state === "expired" || state === "gone") return `expired ${date(expires_at)}`;
  const hours = Math.floor(seconds_left / 3600);
  return `${hours >= 48 ? `${Math.floor(hours / 24)} days` : `${hours} hours`} left, until ${date(expires_at)}`;
}

async function agreed(voice, title, text, yes) {
  return voice.service === "rehearsal" || confirm(title, text, yes);
}

async function keep(voice, again) {
  if (!(await agreed(voice, `Keep ${voice.name}?`, `A speech call of three characters is charged. ${CHARGED}`, "Keep"))) return;
  await post("/api/voices/keep", { service: voice.service, voice: voice.voice_id, confirmed: true });
  await again();
  tell(`${voice.name} is kept.`);
}

function sayForm(voice, again) {
  const id = voice.voice_id;
  const text = h("textarea", { id: `say-${id}`, rows: 2, maxlength: 9999 });
  const speed = h("input", { type: "range", id: `speed-${id}`, min: 0.5, max: 2, step: 0.05, value: "1" });
  const shown = h("output", {}, "1.00");
  speed.addEventListener("input", () => { shown.textContent = Number(speed.value).toFixed(2); });
  const result = h("div", {});
  const pause = button("Insert a pause", () => {
    text.setRangeText("<#0.5#>", text.selectionStart, text.selectionEnd, "end");
    text.focus();
  });
  const say = button("Say", action(async () => {
    if (!text.value.trim()) return alert("Write a text first.");
    const what = `${text.value.length} characters are charged; the voice is kept by the call. ${CHARGED}`;
    if (!(await agreed(voice, `Let ${voice.name} speak?`, what, "Say"))) return;
    const spoken = await post("/api/voices/say", { service: voice.service, voice: id, text: text.value, speed: Number(speed.value), confirmed: true });
    result.replaceChildren(h("audio", { controls: true, src: `/takes/${spoken.id}/audio`, "aria-label": spoken.name }),
      h("p", {}, h("a", { class: "button", href: `/takes/${spoken.id}/audio?download`, download: true }, "Download"), h("small", {}, ` ${spoken.file}`)));
    tell("The speech is ready.");
    if (voice.state !== "kept") await app.load();
  }, "Waiting for the speech"), { "aria-label": `Say with ${voice.name}` });
  return h("details", {}, h("summary", {}, "Say"), h("label", { for: text.id }, "Text"), text,
    h("p", {}, h("label", { for: speed.id }, "Speed "), speed, " ", shown, " ", pause), h("p", {}, say), result);
}

function unknownCall(call, again) {
  const isClone = call.call === "clone";
  const voice = h("input", { id: `settle-${call.id}`, autocomplete: "off" });
  const settle = (outcome) => action(async () => {
    await post("/api/voices/settle", { service: call.service, attempt: call.id, outcome, voice_id: voice.value || null });
    await app.load();
    await again();
    tell("The outcome is recorded.");
  });
  const what = isClone ? `The clone of ${call.take}` : `A speech of ${call.name}`;
  return h("article", { class: "panel unknown", "aria-label": "Call with an unknown outcome" },
    h("h3", {}, "? Outcome unknown"),
    h("p", {}, `${what} was sent ${date(call.called_at ?? call.claimed_at)}, and its answer was lost. It may have been charged, so it is not repeated. Look it up in your account with the service.`),
    call.service_message ? h("p", {}, `The service says: ${call.service_message}`) : null,
    isClone ? h("p", {}, h("label", { for: voice.id }, "voice_id in your account "), voice, " ", button("It made this voice", settle("voice"))) : h("p", {}, button("It succeeded", settle("kept"))),
    h("p", {}, button("It failed", settle("failed"))));
}

// Step 7: consent, the exact request and its price; rehearse, or clone after another question.

import { post } from "/static/api.js";
import { app } from "/static/app.js";
import { action, alert, button, confirm, date, fill, h, tell } from "/static/dom.js";
import { nothing } from "/static/findings.js";

const CHANGED_AFTER_MS = 500;
const STATES = {
  checking: "Checking", uploading: "Uploading", verifying: "Verifying the upload", cloning: "Cloning: 5 to 30 seconds. You may close the page.",
  paid: "✓ Paid: the voice is made", known: "✓ Known: this take was cloned before, and nothing was sent",
  refused: "✕ Refused: there is no voice", unknown: "? Outcome unknown: the call may have been charged, and is not repeated",
};
const KINDS = { paid: "ready", known: "ready", refused: "rejected", unknown: "fixable" };
const ORDER = ["checking", "uploading", "verifying", "cloning", "paid"];

let fields, timer;

export const cloneStep = {
  async enter(section) {
    const take = app.take;
    if (!take) return nothing(section);
    const real = app.state.real;
    fields = { take, review: h("div", { id: "review" }), runs: h("div", { id: "runs" }) };
    const price = real?.price ?? "unknown";
    const rehearse = button("Rehearse", action(() => start("rehearsal")), { class: "primary large", id: "rehearse" });
    const clone = real && button(`Clone for ${real.price ?? "an unknown price"}`, action(() => startPaid(price)), { id: "clone", class: "large", disabled: Boolean(real.problem) });
    fill(section, consentFields(take), previewFields(), optionFields(take), h("h3", {}, "What will be sent"), fields.review,
      h("p", { class: "buttons" }, rehearse, clone),
      real ? h("p", { class: "note" }, real.problem ? `The real service cannot be used: ${real.problem}` : `Real service: ${real.host}. One click makes at most one paid call; the same take is never paid for twice.`)
        : h("p", { class: "note" }, "This studio only rehearses: start it without --sandbox to use the real service."),
      fields.runs);
    section.onchange = later;
    showRuns();
    await review();
  },
};

function consentFields(take) {
  const today = new Date().toLocaleDateString("sv"); // 2026-11-28
  const statement = h("input", { id: "statement", value: app.speaker ? `${app.speaker}, ${today}` : "", placeholder: `Name, ${today}`, autocomplete: "off" });
  const option = (value, text, checked) => h("p", {}, h("label", {}, h("input", { type: "radio", name: "consent", value, checked }), ` ${text}`));
  const recorded = app.state.takes.filter((one) => ["recorded", "recovered", "dropped", "opened"].includes(one.origin) && one.id !== take.id);
  const other = h("select", { id: "statement-take", "aria-label": "Recording of the statement" }, recorded.map((one) => h("option", { value: one.id }, one.name)));
  fields.statement = () => {
    if (!statement.value.trim()) return null;
    const how = document.querySelector("input[name=consent]:checked").value;
    const spoken_in = { typed: null, take: sourceOf(take).id, other: other.value }[how] || null;
    return { statement: statement.value, spoken_in };
  };
  return h("fieldset", {}, h("legend", {}, "Consent of the speaker"),
    h("p", {}, h("label", { for: "statement" }, "Who agreed, and when "), statement),
    option("typed", "This statement is enough", !take.language), option("take", "It is spoken at the start of this take, which is kept", Boolean(take.language)),
    recorded.length ? h("p", {}, h("label", {}, h("input", { type: "radio", name: "consent", value: "other" }), " It is spoken in "), other) : null);
}

// The recording from which a fixed or joined take was made: the statement may be cut off in the result.
function sourceOf(take) {
  const parent = app.state.takes.find((one) => one.id === take.parent);
  return parent && take.origin === "fixed" ? sourceOf(parent) : take;
}

function previewFields() {
  const text = h("textarea", { id: "preview-text", rows: 2, maxlength: 2000 });
  const models = [...app.state.models.clone].reverse();
  const model = h("select", { id: "preview-model" }, models.map((name) => h("option", {}, name)));
  fields.preview = () => (text.value.trim() ? { text: text.value, model: model.value } : {});
  return h("fieldset", {}, h("legend", {}, "Preview"), h("p", {}, h("label", { for: "preview-text" }, "A text that the new voice reads (charged per character); empty for none"), text),
    h("p", {}, h("label", { for: "preview-model" }, "Model "), model));
}

function optionFields(take) {
  const name = h("input", { id: "voice-name", value: take.name.replace(/\.\w+$/, ""), maxlength: 100 });
  const box = (id, text) => h("p", {}, h("label", {}, h("input", { type: "checkbox", id }), ` ${text}`));
  const prompt = app.prompts.get(take.id) ?? app.prompts.get(take.parent);
  const clip = app.state.takes.find((one) => one.id === prompt);
  fields.options = () => ({
    name: name.value, prompt: clip?.id ?? null,
    noise_reduction: document.getElementById("noise").checked, volume_normalization: document.getElementById("volume").checked,
    accept_poor: document.getElementById("accept-poor").checked,
  });
  return h("fieldset", {}, h("legend", {}, "Voice"), h("p", {}, h("label", { for: "voice-name" }, "Name "), name),
    h("p", {}, clip ? `Prompt clip: “${clip.text}” ` : "No prompt clip ", button("Choose", () => app.show("prompt", { focus: true }), { "aria-label": "Choose a prompt clip" })),
    box("accept-poor", "Clone the take even if its quality is poor"),
    h("details", {}, h("summary", {}, "Processing by the service"), box("noise", "Reduce noise"), box("volume", "Normalize the volume")));
}

const form = (service) => ({ service, take: fields.take.id, consent: fields.statement(), ...fields.preview(), ...fields.options() });

function later() {
  clearTimeout(timer);
  timer = setTimeout(() => review().catch((error) => alert(error.message)), CHANGED_AFTER_MS);
}

// What would be sent, as `onetake clone --dry-run` shows it.
async function review() {
  const { review: place } = fields;
  const isReal = app.state.real && !app.state.real.problem;
  place.replaceChildren(h("p", {}, "Preparing the request"));
  let plan;
  try {
    plan = await post("/api/clones/plan", form(isReal ? "real" : "rehearsal"));
  } catch (error) {
    place.replaceChildren(h("p", { class: "state rejected" }, `✕ ${error.message}`));
    return;
  }
  if (plan.known) {
    place.replaceChildren(h("p", { class: "state ready" }, `✓ Paid before: voice ${plan.known.name}. Nothing would be sent.`));
  } else if (plan.unsettled) {
    place.replaceChildren(h("p", { class: "state fixable" }, `? ${plan.unsettled.message}`),
      h("p", {}, "It is not repeated, because it could be charged twice. Look it up in your account with the service, then settle it."), settleButton());
    document.getElementById("clone")?.setAttribute("disabled", "");
    if (!isReal) document.getElementById("rehearse").disabled = true;
  } else {
    place.replaceChildren(plan.changes.length ? h("p", {}, `Before it is sent: ${plan.changes.join("; ")}.`) : h("p", {}, "The take is sent as it is."),
      h("details", {}, h("summary", {}, "The exact request"), h("pre", { tabindex: "0", "aria-label": "The request as JSON" }, JSON.stringify(plan.request, null, 1))),
      h("p", {}, `Price: ${plan.price ?? "not set (setting price)"}. Limit: one paid call.`));
  }
}

const settleButton = () => h("p", {}, button("Settle it", () => app.show("voices", { focus: true }), { class: "primary" }));

async function startPaid(price) {
  const { host } = app.state.real;
  const amount = price === "unknown" ? "The price is not set. The call costs money." : `The call costs ${price}.`;
  if (!(await confirm(`Clone with ${host}?`, `${amount} ${app.take.name} is uploaded to your storage and sent to the service.`, "Clone"))) return;
  await start("real", price);
}

async function start(service, confirmed_price = null) {
  const run = await post("/api/clones", { ...form(service), confirmed_price });
  app.state.clones.push(run);
  follow(run);
  showRuns();
}

// Follow all clones that have not ended, also those that were started before the page was loaded.
export function followRuns() {
  for (const run of app.state.clones) if (!run.has_ended) follow(run);
}

function follow(run) {
  const events = new EventSource(`/api/clones/${run.id}/events`);
  events.onmessage = ({ data }) => {
    const state = run.state;
    Object.assign(run, JSON.parse(data));
    if (run.state !== state) tell(STATES[run.state]);
    if (run.has_ended) {
      events.close();
      action(() => app.load())().then(showRuns);
    }
    showRuns();
  };
}

function showRuns() {
  if (app.step !== "clone" || !fields) return;
  const shown = app.state.clones.filter((run) => run.take === fields.take.id).reverse();
  fields.runs.replaceChildren(...shown.map(runView));
}

function runView(run) {
  const percent = run.progress_total ? run.progress_done / run.progress_total : null;
  const reached = ORDER.indexOf(run.state);
  return h("article", { class: "run panel", "aria-label": run.service === "real" ? "Clone" : "Rehearsal" },
    h("p", {}, h("span", { class: `badge ${run.service === "real" ? "real" : "rehearsal"}` }, run.service === "real" ? "Real service" : "Rehearsal"), ` ${date(run.started_at)}`),
    h("ol", { class: "stages" }, ORDER.map((name, at) => h("li", { class: at < reached || run.state === "paid" ? "done" : at === reached ? "now" : "" }, name))),
    h("p", { class: `state ${KINDS[run.state] ?? "info"}`, "data-state": run.state }, STATES[run.state].replace("Paid:", run.service === "real" ? "Paid:" : "Rehearsed:")),
    run.has_ended ? null : h("progress", { value: percent, "aria-label": "Progress of the clone" }),
    run.result ? h("p", {}, `Voice ${run.result.name} (${run.result.voice_id})`, run.result.expires_at ? `, until ${date(run.result.expires_at)} unless it is kept` : "") : null,
    run.error ? h("p", {}, run.error.hint ? `${run.error.message}: ${run.error.hint}` : run.error.message, run.error.service_message ? `. The service says: ${run.error.service_message}` : "") : null,
    run.state === "unknown" ? settleButton() : null,
    run.warnings.length ? h("ul", {}, run.warnings.map((text) => h("li", {}, text))) : null,
    run.result ? h("p", { class: "buttons" }, run.preview ? button("Listen to the preview", () => app.show("preview", { focus: true })) : null, button("See the voices", () => app.show("voices", { focus: true }))) : null);
}

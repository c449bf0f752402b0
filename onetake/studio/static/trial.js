// Step 8: the take and what its clone said, side by side.

import { app } from "/static/app.js";
import { button, fill, h } from "/static/dom.js";
import { nothing } from "/static/findings.js";

export const trialStep = {
  enter(section) {
    if (!app.take) return nothing(section);
    const trials = app.state.takes.filter((take) => take.origin === "trial" && take.parent === app.take.id).reverse();
    const player = (take) => h("audio", { controls: true, preload: "none", src: `/takes/${take.id}/audio`, "aria-label": take.name });
    if (!trials.length) {
      fill(section, h("p", {}, `There is no trial of ${app.take.name}. Give a trial text when you clone, or let the voice speak.`),
        h("p", { class: "buttons" }, button("Clone", () => app.show("clone", { focus: true }), { class: "primary" }), button("Voices", () => app.show("voices", { focus: true }))));
      return;
    }
    const likeness = (trial) => app.state.clones.find((run) => run.trial === trial.id)?.result.likeness ?? null;
    const pairs = trials.map((trial) => h("div", { class: "choices" },
      h("div", { class: "panel" }, h("h3", {}, "Take"), h("p", {}, app.take.name), player(app.take)),
      h("div", { class: "panel" }, h("h3", {}, "Trial"), h("p", {}, trial.text), player(trial),
        likeness(trial) === null ? null : h("p", { class: "likeness" }, `Likeness ${likeness(trial).toFixed(2)} of 1: an estimate; two people are mostly below ${app.state.same_voice}.`), h("p", {}, h("a", { class: "button", href: `/takes/${trial.id}/audio?download`, download: true }, "Download")))));
    fill(section, pairs, h("p", { class: "note" }, "Listening does not keep the voice. A rehearsal answers with a short sample of your own take instead of a clone."));
  },
};

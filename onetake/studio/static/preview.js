// Step 8: the take and what its clone said, side by side.

import { app } from "/static/app.js";
import { button, fill, h } from "/static/dom.js";
import { nothing } from "/static/findings.js";

export const previewStep = {
  enter(section) {
    if (!app.take) return nothing(section);
    const previews = app.state.takes.filter((take) => take.origin === "preview" && take.parent === app.take.id).reverse();
    const player = (take) => h("audio", { controls: true, preload: "none", src: `/takes/${take.id}/audio`, "aria-label": take.name });
    if (!previews.length) {
      fill(section, h("p", {}, `There is no preview of ${app.take.name}. Give a preview text when you clone, or let the voice speak.`),
        h("p", { class: "buttons" }, button("Clone", () => app.show("clone", { focus: true }), { class: "primary" }), button("Voices", () => app.show("voices", { focus: true }))));
      return;
    }
    const likeness = (preview) => app.state.clones.find((run) => run.preview === preview.id)?.result.likeness ?? null;
    const pairs = previews.map((preview) => h("div", { class: "choices" },
      h("div", { class: "panel" }, h("h3", {}, "Take"), h("p", {}, app.take.name), player(app.take)),
      h("div", { class: "panel" }, h("h3", {}, "Preview"), h("p", {}, preview.text), player(preview),
        likeness(preview) === null ? null : h("p", { class: "likeness" }, `Likeness ${likeness(preview).toFixed(2)} of 1: an estimate; two people are mostly below ${app.state.same_voice}.`), h("p", {}, h("a", { class: "button", href: `/takes/${preview.id}/audio?download`, download: true }, "Download")))));
    fill(section, pairs, h("p", { class: "note" }, "Listening does not keep the voice. A rehearsal answers with a short sample of your own take instead of a clone."));
  },
};

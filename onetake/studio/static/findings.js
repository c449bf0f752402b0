// Step 4: the verdict, the worst reason, one next step; every finding plays its span.

import { post } from "/static/api.js";
import { app } from "/static/app.js";
import { action, button, clock, fill, h, tell } from "/static/dom.js";

const MARKS = { ready: "✓", fixable: "!", rejected: "✕" };
const MEANINGS = {
  ready: "The service accepts this take as it is.",
  fixable: "The service accepts this take after a fix.",
  rejected: "The service would refuse this take.",
};
const NEXT = {
  clone: ["Rehearse the clone", "clone"],
  fix: ["Fix it", "fix"],
  record: ["Record again", "record"],
  join: ["Record more", "record"],
};

export const findingsStep = {
  async enter(section) {
    const take = app.take;
    if (!take) return nothing(section);
    const status = h("p", { class: "state info" }, "Checking");
    fill(section, status);
    const found = await counted(status, take);
    if (app.take !== take) return; // another one was chosen meanwhile
    const [text, step] = NEXT[found.next];
    const others = app.sources.filter((one) => one.id !== take.id);
    fill(section,
      h("p", { class: `headline ${found.quality === "poor" ? "rejected" : found.verdict}`, id: "headline" }, `${MARKS[found.verdict]} ${found.headline}`),
      h("p", { id: "worst" }, found.worst ?? MEANINGS[found.verdict], h("br"), h("small", {}, found.sound)),
      h("p", { class: "buttons" }, button(text, () => app.show(step, { focus: true }), { class: "primary", id: "next-step" }),
        found.next === "record" && found.verdict !== "rejected" ? button("Fix it anyway", () => app.show("fix", { focus: true })) : null,
        found.next === "clone" && found.findings.some((finding) => finding.severity !== "info") ? button("See what can be improved", () => app.show("fix", { focus: true })) : null),
      found.next === "join" && others.length ? joinForm(take, others) : null,
      picture(found), rules(found));
    tell(`${take.name}: ${found.headline}`);
  },
};

export function nothing(section) {
  fill(section, h("p", {}, "There is no take yet."), h("p", {}, button("Record or drop one", () => app.show("start", { focus: true }), { class: "primary" })));
}

// The section of the report: its own markup, in which the server has escaped everything.
function picture(found) {
  const parsed = new DOMParser().parseFromString(found.html, "text/html");
  return h("div", { class: "report" }, ...parsed.body.children);
}

function rules(found) {
  if (!found.findings.length) return null;
  return h("details", { class: "rules" }, h("summary", {}, "Why, and what to do"),
    h("dl", {}, found.findings.flatMap(({ rule, why, advice }) => [h("dt", {}, rule), h("dd", {}, `${why} ${advice}`)])));
}

async function counted(status, take) {
  const started = performance.now();
  const timer = setInterval(() => { status.textContent = `Checking: ${clock((performance.now() - started) / 1000)}`; }, 100);
  try {
    return await app.check(take);
  } finally {
    clearInterval(timer);
  }
}

function joinForm(take, others) {
  const boxes = others.map((one) => h("p", {}, h("label", {}, h("input", { type: "checkbox", name: "join", value: one.id }), ` ${one.name}`)));
  const join = action(async () => {
    const chosen = boxes.map((box) => box.querySelector("input")).filter((box) => box.checked).map((box) => box.value);
    const joined = await post("/api/join", { takes: [take.id, ...chosen] });
    await app.load();
    app.choose(app.state.takes.find((one) => one.id === joined.id));
  }, "Joining");
  return h("fieldset", {}, h("legend", {}, `Join ${take.name} with`), boxes, button("Join", join, { id: "join" }));
}

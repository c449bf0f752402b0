// Step 1: drop a recording, or begin to record.

import { put } from "/static/api.js";
import { app } from "/static/app.js";
import { action, alert, button, fill, h, tell } from "/static/dom.js";
import { Microphone } from "/static/microphone.js";

export const startStep = {
  async enter(section) {
    const input = h("input", { type: "file", id: "files", multiple: true, accept: "audio/*,video/*,.wav,.mp3,.m4a,.flac,.ogg,.opus,.aac,.wma", onchange: action((event) => add([...event.target.files])) });
    const zone = h("div", { class: "drop" }, h("label", { for: "files" }, "Drop recordings here, or choose files"), input);
    for (const kind of ["dragover", "dragenter"]) zone.addEventListener(kind, (event) => { event.preventDefault(); zone.classList.add("over"); });
    zone.addEventListener("dragleave", () => zone.classList.remove("over"));
    zone.addEventListener("drop", (event) => {
      event.preventDefault();
      zone.classList.remove("over");
      action(() => add([...event.dataTransfer.files]))();
    });
    const record = button("Record", () => app.show("room", { focus: true }), { class: "primary large" });
    const problem = h("p", { class: "problem", id: "no-microphone" });
    fill(section,
      h("p", { class: "lead" }, "Record your voice or drop a recording. See what is wrong with it before you pay for a clone, rehearse, then clone."),
      h("div", { class: "choices" },
        h("div", { class: "panel" }, h("h3", {}, "Record"), languageField("start-language"), h("p", {}, record), problem),
        h("div", { class: "panel" }, h("h3", {}, "Use a recording"), zone)),
      h("p", { class: "note" }, "Everything stays on this machine until you clone with the real service. Takes are deleted when the studio ends, unless you save them."));
    const blocked = await withoutMicrophone();
    record.disabled = Boolean(blocked);
    problem.textContent = blocked;
  },
};

// The language of the script, and of the sentence for the room check.
export function languageField(id, onchange = () => {}) {
  const options = app.state.languages.map(({ code, name }) => h("option", { value: code, lang: code, selected: code === app.language }, name));
  const select = h("select", { id, onchange: (event) => { app.language = event.target.value; onchange(); } }, options);
  return h("p", {}, h("label", { for: id }, "Script in "), select);
}

async function withoutMicrophone() {
  if (!navigator.mediaDevices?.getUserMedia) return "This browser gives pages no access to a microphone. Drop a recording instead.";
  if ((await Microphone.devices()).length === 0) return "No microphone was found. Connect one and reload the page, or drop a recording instead.";
  const permission = await navigator.permissions?.query({ name: "microphone" }).catch(() => null);
  if (permission?.state === "denied") return "The browser may not use the microphone. Allow it in the address bar, or drop a recording instead.";
  return "";
}

async function add(files) {
  let added = null;
  for (const file of files) {
    tell(`Adding ${file.name}`);
    added = await put(`/api/takes?name=${encodeURIComponent(file.name)}`, file);
  }
  tell("");
  if (!added) return alert("No file was dropped.");
  await app.load();
  app.choose(app.state.takes.find((take) => take.id === added.id));
  await app.show("findings", { focus: true });
}

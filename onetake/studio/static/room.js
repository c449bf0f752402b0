// Step 2: the device, five seconds of silence, and one sentence.

import { get, remove } from "/static/api.js";
import { app } from "/static/app.js";
import { action, alert, button, fill, h, tell } from "/static/dom.js";
import { LevelMeter } from "/static/levels.js";
import { Microphone } from "/static/microphone.js";
import { Recording } from "/static/recording.js";

const SILENT_S = 5;
const SPOKEN_S = 6;

export const roomStep = {
  async enter(section) {
    const devices = h("select", { id: "device", onchange: action(async (event) => { await openMicrophone(event.target.value); await this.enter(section); }) });
    const meter = new LevelMeter(app.state.levels);
    const instruction = h("p", { class: "instruction", id: "room-instruction" }, "Check the room: five silent seconds, then one sentence.");
    const result = h("div", { id: "room-result" });
    const begin = button("Check the room", action(() => check(instruction, result, begin)), { class: "primary", id: "room-begin", disabled: true });
    fill(section, h("p", {}, h("label", { for: "device" }, "Microphone "), devices), meter.element, instruction,
      h("p", { class: "buttons" }, begin, button("Skip to the script", () => app.show("record", { focus: true }))), result);
    const microphone = await microphoneOrReason(instruction, begin);
    for (const { deviceId, label } of await Microphone.devices()) {
      const selected = deviceId === microphone?.settings.deviceId;
      devices.append(h("option", { value: deviceId, selected }, label || "Microphone"));
    }
    if (!microphone) return;
    listen(microphone, (chunk) => meter.add(chunk));
    if (microphone.processing.length) block(result, begin, microphone.processing);
    else begin.disabled = false;
  },
  leave: () => listen(null),
};

let stopListening = () => {};

// Let one function have the microphone's chunks, until the next call.
export function listen(microphone, onChunk) {
  stopListening();
  stopListening = () => {};
  if (!microphone) return;
  microphone.addEventListener("chunk", onChunk);
  stopListening = () => microphone.removeEventListener("chunk", onChunk);
}

export async function openMicrophone(deviceId) {
  await app.microphone?.close();
  app.microphone = null;
  app.microphone = await Microphone.open(deviceId);
  app.microphone.addEventListener("ended", () => { app.microphone = null; alert("The microphone was disconnected: connect it, and choose it again."); });
  return app.microphone;
}

async function microphoneOrReason(instruction, begin) {
  try {
    return app.microphone ?? (await openMicrophone());
  } catch (error) {
    begin.disabled = true;
    instruction.textContent = error.message;
    alert(error.message);
    return null;
  }
}

function block(result, begin, processing) {
  begin.disabled = true;
  result.replaceChildren(h("p", { class: "state rejected" }, "✕ Processing is on"),
    h("p", {}, `The browser changes the sound: ${processing.join(", ")}. A clone of it would sound wrong, so recording is blocked. Switch it off in the settings of the browser or the microphone, or use another browser.`));
}

async function check(instruction, result, begin) {
  const { marked } = await get(`/api/scripts/${app.language}`);
  result.replaceChildren();
  const channels = await channelsOf(app.microphone);
  const recording = await Recording.begin(app.microphone, channels, "room", null);
  recording.addEventListener("trouble", ({ error }) => alert(error.message));
  app.isRecording = true;
  try {
    await countDown(SILENT_S, (left) => { instruction.textContent = `Be silent: ${left}`; });
    tell("Now read the sentence.");
    await countDown(SPOKEN_S, (left) => {
      instruction.replaceChildren("Now read: ", h("span", { lang: app.language, class: "sentence" }, marked), ` (${left})`);
    });
  } finally {
    app.isRecording = false;
  }
  instruction.textContent = "Measuring the room";
  const take = await recording.finish("Room check", null);
  const found = await get(`/api/takes/${take.id}/room`);
  await remove(`/api/takes/${take.id}`);
  showRoom(found, instruction, result, begin);
}

function showRoom(found, instruction, result, begin) {
  const isGood = found.state === "good";
  instruction.textContent = isGood ? "The room is good. Record your take." : "Change what is listed, and check again. You can also continue.";
  const mark = isGood ? h("p", { class: "state ready" }, "✓ Good") : h("p", { class: "state fixable" }, "! Noisy");
  const rows = found.rows.map(({ name, value, problem }) => h("tr", {}, h("th", { scope: "row" }, name),
    h("td", {}, value ?? "not measured"), h("td", {}, value === null ? "" : problem ?? "good")));
  result.replaceChildren(mark,
    h("table", {}, h("thead", {}, h("tr", {}, ["Property", "Measured", "Result"].map((text) => h("th", { scope: "col" }, text)))), h("tbody", {}, rows)),
    found.others.length ? h("ul", {}, found.others.map((text) => h("li", {}, text))) : "",
    h("p", { class: "buttons" }, button("Go to the script", () => app.show("record", { focus: true }), { class: isGood ? "primary" : "" })));
  tell(isGood ? "The room is good." : "The room is noisy.");
  begin.textContent = "Check again";
  begin.classList.remove("primary");
}

const STEADY_CHUNKS = 6;

// The number of channels, once it is steady: a graph that has just started may deliver one channel of silence first.
export function channelsOf(microphone) {
  return new Promise((resolve) => {
    let last = 0;
    let same = 0;
    const count = ({ channels }) => {
      same = channels === last ? same + 1 : 1;
      last = channels;
      if (same < STEADY_CHUNKS) return;
      microphone.removeEventListener("chunk", count);
      resolve(channels);
    };
    microphone.addEventListener("chunk", count);
  });
}

async function countDown(seconds, show) {
  for (let left = seconds; left > 0; left--) {
    show(left);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

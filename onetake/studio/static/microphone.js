// The microphone, with all processing off. It runs from the room check on: a cold start loses the first samples.

const PROCESSING = ["echoCancellation", "noiseSuppression", "autoGainControl"];
const NAMES = { echoCancellation: "echo cancellation", noiseSuppression: "noise suppression", autoGainControl: "automatic gain" };

export class MicrophoneError extends Error {}

export class Microphone extends EventTarget {
  // Open a device; fires "chunk" for every 50 ms, and "ended" when the device is gone.
  static async open(deviceId) {
    if (!navigator.mediaDevices?.getUserMedia) throw new MicrophoneError("This browser gives pages no access to a microphone. Drop a recording instead.");
    const off = Object.fromEntries(PROCESSING.map((name) => [name, false]));
    let stream;
    try {
      const device = deviceId ? { deviceId: { exact: deviceId } } : {};
      stream = await navigator.mediaDevices.getUserMedia({ audio: { ...device, ...off, channelCount: { ideal: 2 } } });
    } catch (error) {
      throw new MicrophoneError(reason(error));
    }
    const microphone = new Microphone(stream);
    try {
      await microphone.start();
    } catch (error) {
      await microphone.close();
      throw error;
    }
    return microphone;
  }

  constructor(stream) {
    super();
    this.stream = stream;
    this.track = stream.getAudioTracks()[0];
    this.settings = this.track.getSettings();
    this.track.addEventListener("ended", () => this.dispatchEvent(new Event("ended")));
  }

  // What the browser does to the sound although the page asked it not to.
  get processing() {
    return PROCESSING.filter((name) => this.settings[name] === true).map((name) => NAMES[name]);
  }

  async start() {
    try {
      this.context = new AudioContext({ sampleRate: this.settings.sampleRate }); // no resampling
      this.source = this.context.createMediaStreamSource(this.stream);
    } catch { // Firefox connects a device only at its own rate
      await this.context?.close();
      this.context = new AudioContext();
      this.source = this.context.createMediaStreamSource(this.stream);
    }
    await this.context.audioWorklet.addModule("/static/worklet.js");
    this.node = new AudioWorkletNode(this.context, "capture", { channelCountMode: "max" });
    this.node.port.onmessage = ({ data }) => this.dispatchEvent(Object.assign(new Event("chunk"), data));
    this.source.connect(this.node).connect(this.context.destination); // its output is silence
    await this.context.resume();
  }

  get sampleRate() { return this.context.sampleRate; }

  async close() {
    this.node?.port.postMessage("end");
    this.source?.disconnect();
    for (const track of this.stream.getTracks()) track.stop();
    if (this.context?.state !== "closed") await this.context?.close();
  }

  static async devices() {
    const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
    return all.filter((device) => device.kind === "audioinput");
  }
}

function reason(error) {
  if (error.name === "NotAllowedError") return "The browser may not use the microphone. Allow it in the address bar, or drop a recording instead.";
  if (error.name === "NotFoundError" || error.name === "OverconstrainedError") return "No microphone was found. Connect one, or drop a recording instead.";
  if (error.name === "NotReadableError") return "Another program uses the microphone. Close that program, or drop a recording instead.";
  return `The microphone cannot be opened (${error.name}). Drop a recording instead.`;
}

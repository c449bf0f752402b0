// One recording: sends the microphone's samples to the server every second, and notices samples that were lost.

import { post, put } from "/static/api.js";

const SEND_MS = 1000;
const CLOCK_SLACK_S = 0.25;
const LATE_MS = 2000; // chunks arrive late when the page is busy, but then they all come at once

export class Recording extends EventTarget {
  // Start recording; fires "lost" with `at` and `seconds` for samples that are missing.
  static async begin(microphone, channels, purpose, language) {
    const facts = { sample_rate_hz: microphone.sampleRate, channels, purpose, language };
    const { id } = await post("/api/recordings", facts);
    return new Recording(microphone, channels, id);
  }

  constructor(microphone, channels, id) {
    super();
    Object.assign(this, { microphone, channels, id, frames: 0, sent: 0, waiting: [], equal: true });
    this.onChunk = (chunk) => this.add(chunk);
    microphone.addEventListener("chunk", this.onChunk);
    this.timer = setInterval(() => this.send().catch((error) => this.fail(error)), SEND_MS);
  }

  get seconds() { return this.frames / this.microphone.sampleRate; }

  add(chunk) {
    if (chunk.channels !== this.channels) return this.fail(new Error("The microphone changed its channels: stop, and record again."));
    const frames = chunk.samples.length / this.channels;
    this.origin ??= { frame: chunk.end - frames, time: performance.now() - (1000 * frames) / this.microphone.sampleRate };
    for (const gap of chunk.gaps) {
      const at = (gap.end - gap.frames - this.origin.frame) / this.microphone.sampleRate;
      if (at > 0) this.lose(at, gap.frames / this.microphone.sampleRate);
    }
    this.waiting.push(chunk.samples);
    this.frames += frames;
    this.equal &&= chunk.equal;
    this.compareWithClock();
  }

  // Fewer samples than the time that passed: the browser dropped some without leaving zeros.
  compareWithClock() {
    const now = performance.now();
    const missing = (now - this.origin.time) / 1000 - this.seconds;
    if (missing <= CLOCK_SLACK_S) {
      this.late = null;
      return;
    }
    this.late ??= { since: now, at: this.seconds, least: missing };
    this.late.least = Math.min(this.late.least, missing);
    if (now - this.late.since < LATE_MS) return;
    this.lose(this.late.at, this.late.least);
    this.origin.time += 1000 * this.late.least;
    this.late = null;
  }

  lose(at, seconds) {
    this.dispatchEvent(Object.assign(new Event("lost"), { at, seconds }));
  }

  fail(error) {
    this.dispatchEvent(Object.assign(new Event("trouble"), { error }));
  }

  // Send what has come since the last time; what the server did not confirm is sent again.
  send() {
    this.sending = (this.sending ?? Promise.resolve()).catch(() => {}).then(() => this.sendNow());
    return this.sending;
  }

  async sendNow() {
    if (this.waiting.length === 0) return;
    const chunks = this.waiting.slice();
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
    await put(`/api/recordings/${this.id}?first=${this.sent}`, new Blob(chunks));
    this.waiting.splice(0, chunks.length);
    this.sent += bytes;
  }

  // Stop, and make a take of it; when this returns, the take is on disk.
  async finish(name, marked) {
    this.microphone.removeEventListener("chunk", this.onChunk);
    clearInterval(this.timer);
    await this.send();
    return post(`/api/recordings/${this.id}/finish`, { name, marked });
  }
}

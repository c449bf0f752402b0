// Copies the microphone's samples as they come, measures them, and notices samples that are missing.
// A chunk holds the frames of about 50 ms, interleaved.

const SHORTEST_GAP = 128; // the browser fills whole blocks of 128 frames with zeros where it lost samples
const AUDIBLE = 0.002; // a microphone whose own noise is below this may be digitally silent

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.channels = 0;
    this.frame = 0; // since the graph started
    this.zeros = 0; // frames of exact zeros until now
    this.level = 0; // the highest sample of the last chunk with sound
    this.port.onmessage = () => { this.ended = true; };
  }

  begin(channels) {
    this.channels = channels;
    this.size = Math.ceil(sampleRate / 20 / 128) * 128;
    this.next();
  }

  next() {
    this.samples = new Float32Array(this.size * this.channels);
    this.filled = 0;
    this.peak = 0;
    this.power = 0;
    this.equal = true;
    this.gaps = [];
  }

  process([input]) {
    if (this.ended) return false;
    if (input.length === 0) return true;
    if (input.length !== this.channels) this.begin(input.length);
    const frames = input[0].length;
    for (let at = 0; at < frames; at++) this.add(input, at);
    this.frame += frames;
    if (this.filled === this.size) this.send();
    return true;
  }

  add(input, at) {
    let loudest = 0;
    for (let channel = 0; channel < this.channels; channel++) {
      const sample = input[channel][at];
      this.samples[this.filled * this.channels + channel] = sample;
      this.power += sample * sample;
      loudest = Math.max(loudest, Math.abs(sample));
      if (sample !== input[0][at]) this.equal = false;
    }
    this.filled++;
    if (loudest > this.peak) this.peak = loudest;
    if (loudest === 0) {
      this.zeros++;
      return;
    }
    if (this.zeros >= SHORTEST_GAP && this.zeros < sampleRate && this.level > AUDIBLE) {
      this.gaps.push({ end: this.frame + at, frames: this.zeros });
    }
    this.zeros = 0;
  }

  send() {
    if (this.peak > 0) this.level = this.peak;
    const { samples, channels, peak, equal, gaps } = this;
    const rms = Math.sqrt(this.power / samples.length);
    const end = this.frame;
    this.port.postMessage({ samples, channels, peak, rms, equal, gaps, end }, [samples.buffer]);
    this.next();
  }
}

registerProcessor("capture", Capture);

// The level meter: RMS over 0.4 s and the highest peak of the last two seconds, with the zones of the strict profile.

import { h } from "/static/dom.js";

const QUIETEST = -60;
const RMS_CHUNKS = 8;
const PEAK_CHUNKS = 40;
const CLIPPED = 0.9999;

export const db = (value) => (value > 0 ? 20 * Math.log10(value) : -Infinity);

// A line below a meter that marks where the level should be.
function zone(low, high) {
  const mark = h("div", { class: "zone" });
  mark.style.left = `${(100 * (low - QUIETEST)) / -QUIETEST}%`;
  mark.style.width = `${(100 * (high - low)) / -QUIETEST}%`;
  return mark;
}

export class LevelMeter {
  constructor({ low_dbfs, high_dbfs, peak_dbfs }) {
    this.powers = [];
    this.peaks = [];
    this.targets = { low_dbfs, high_dbfs, peak_dbfs };
    this.rms = h("meter", { min: QUIETEST, max: 0, low: low_dbfs, high: high_dbfs, optimum: (low_dbfs + high_dbfs) / 2, "aria-label": "Level" });
    this.peak = h("meter", { min: QUIETEST, max: 0, low: QUIETEST, high: peak_dbfs, optimum: peak_dbfs - 6, "aria-label": "Peak" });
    this.rmsText = h("span", { class: "figure" });
    this.peakText = h("span", { class: "figure" });
    this.element = h("div", { class: "levels" },
      h("span", {}, "Level"), h("div", { class: "bar" }, this.rms, zone(low_dbfs, high_dbfs)), this.rmsText, h("small", {}, `speak at ${low_dbfs} to ${high_dbfs} dB`),
      h("span", {}, "Peak"), h("div", { class: "bar" }, this.peak, zone(QUIETEST, peak_dbfs)), this.peakText, h("small", {}, `stay below ${peak_dbfs} dB`));
    this.show(-Infinity, -Infinity);
  }

  // Add a chunk; returns "clipped", "loud", "good", "quiet" or "silent".
  add({ rms, peak }) {
    this.powers = [...this.powers, rms * rms].slice(-RMS_CHUNKS);
    this.peaks = [...this.peaks, peak].slice(-PEAK_CHUNKS);
    const level = db(Math.sqrt(this.powers.reduce((sum, power) => sum + power, 0) / this.powers.length));
    const highest = Math.max(...this.peaks);
    this.show(level, db(highest));
    if (peak >= CLIPPED) return "clipped";
    if (db(highest) > this.targets.peak_dbfs || level > this.targets.high_dbfs) return "loud";
    if (level < -45) return "silent";
    return level < this.targets.low_dbfs ? "quiet" : "good";
  }

  show(level, peak) {
    this.rms.value = Math.max(QUIETEST, level);
    this.peak.value = Math.max(QUIETEST, peak);
    this.rmsText.textContent = level > QUIETEST ? `${level.toFixed(0)} dB` : "–";
    this.peakText.textContent = peak > QUIETEST ? `${peak.toFixed(0)} dB` : "–";
  }
}

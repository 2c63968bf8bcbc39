// The tracks of both annotators and what is decided, one below the other on one time axis, painted on a canvas.

import { readLabelColours } from "../segments/label_colours.js";
import { firstIndex } from "../segments/segment_index.js";
import { TimeScale, tickDistance } from "../segments/time_scale.js";
import { clock } from "../shared/times.js";

/** @typedef {import("../segments/segment_index.js").Segment} Segment */
/** @typedef {import("../segments/segment_index.js").SegmentIndex} SegmentIndex */
/** @typedef {{start_ns: number, end_ns: number, track: string}} Place */
/** @typedef {{title: string, index: SegmentIndex}} Side */

const ROW = 22;
const RULER = 22;
const GAP = 8;
const MARGIN = 118;

/** Events: "seek" (detail.ns) where somebody clicks. */
export class AnnotatorLanes extends EventTarget {
  /**
   * @param {HTMLElement} root
   * @param {Side[]} sides from above to below
   * @param {import("../player/frame_table.js").FrameTable} frames
   * @param {(segment: {label: string}) => number} colourOf
   */
  constructor(root, sides, frames, colourOf) {
    super();
    this.root = root;
    this.sides = sides;
    this.colourOf = colourOf;
    this.canvas = /** @type {HTMLCanvasElement} */ (root.querySelector("canvas"));
    this.context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    this.playhead = /** @type {HTMLElement} */ (root.querySelector(".lanes-playhead"));
    this.scale = new TimeScale(frames.durationNs, frames.durationNs / frames.count);
    /** @type {Place | null} */
    this.place = null;
    this.ns = 0;
    this._frame = 0;
    /** @type {string[]} */
    this.tracks = [];
    new ResizeObserver(() => this._resize()).observe(root);
    addEventListener("themechange", () => this.invalidate());
    this.canvas.addEventListener("click", (event) => {
      const ns = this.scale.toNs(event.offsetX - this.left);
      if (event.offsetX >= this.left) this.dispatchEvent(new CustomEvent("seek", { detail: { ns } }));
    });
    this.canvas.addEventListener("wheel", (event) => this._wheel(event), { passive: false });
    this._resize();
  }

  /** Pixels in CSS for one of ours: larger where the page's type is larger. */
  get unit() {
    return Number.parseFloat(getComputedStyle(document.documentElement).fontSize) / 14;
  }

  get left() {
    return MARGIN * this.unit;
  }

  /** Show a place with as much around it. @param {Place} place */
  show(place) {
    this.place = place;
    const around = Math.max(2e9, place.end_ns - place.start_ns);
    this.scale.show(Math.max(0, place.start_ns - around), place.end_ns + around);
    this.invalidate();
  }

  /** @param {number} factor above 1: closer */
  zoom(factor) {
    this.scale.zoom(factor, this.place ? (this.place.start_ns + this.place.end_ns) / 2 : this.ns);
    this.invalidate();
  }

  fit() {
    this.scale.fit();
    this.invalidate();
  }

  /** @param {number} ns */
  setPlayhead(ns) {
    this.ns = ns;
    if (this.scale.follow(ns, true)) this.invalidate();
    const x = this.left + this.scale.toX(ns);
    this.playhead.style.transform = `translateX(${x}px)`;
    this.playhead.hidden = x < this.left;
  }

  invalidate() {
    if (!this._frame) {
      this._frame = requestAnimationFrame(() => {
        this._frame = 0;
        this._paint();
      });
    }
  }

  /** @param {WheelEvent} event */
  _wheel(event) {
    event.preventDefault();
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      this.scale.moveTo(this.scale.startNs + (event.deltaX || event.deltaY) * this.scale.nsPerPixel);
    } else {
      this.scale.zoom(1.0015 ** -event.deltaY, this.scale.toNs(event.offsetX - this.left));
    }
    this.invalidate();
  }

  _resize() {
    this.scale.resize(this.root.clientWidth - this.left);
    this.invalidate();
  }

  /** Only tracks on which somebody has something. */
  _measure() {
    const [{ index }] = this.sides;
    this.tracks = index.tracks.filter((track) => this.sides.some((side) => side.index.layout(track).segments.length));
    const { unit } = this;
    const height = (RULER + this.tracks.length * (this.sides.length * ROW + GAP)) * unit;
    const [wide, high] = [this.root.clientWidth * devicePixelRatio, height * devicePixelRatio].map(Math.round);
    if (this.canvas.width !== wide || this.canvas.height !== high) {
      this.canvas.width = wide;
      this.canvas.height = high;
      this.canvas.style.height = `${height}px`;
      this.playhead.style.height = `${height}px`;
    }
  }

  _paint() {
    this._measure();
    this._readColours();
    const { context, scale, unit, tracks, sides, colours } = this;
    const width = this.root.clientWidth;
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    context.fillStyle = colours.panel;
    context.fillRect(0, 0, width, this.canvas.height);
    this._paintRuler(width);
    context.textBaseline = "middle";
    tracks.forEach((track, number) => {
      const top = (RULER + number * (sides.length * ROW + GAP)) * unit;
      context.fillStyle = colours.line;
      context.fillRect(0, top, width, 1);
      this._paintPlace(track, top);
      sides.forEach((side, row) => {
        const y = top + (row * ROW + GAP / 2) * unit;
        const { segments, reach } = side.index.layout(track);
        const first = firstIndex(segments.length, (place) => reach[place] > scale.startNs);
        for (let place = first; place < segments.length && segments[place].start_ns < scale.endNs; place++) {
          this._paintSegment(segments[place], y);
          const { start_ns, end_ns } = segments[place];
          if (place && reach[place - 1] > start_ns) this._paintOverlap(start_ns, Math.min(end_ns, reach[place - 1]), y);
        }
      });
      this._paintNames(track, top);
    });
    this.setPlayhead(this.ns);
  }

  /**
   * The place in question, behind what the two have there.
   * @param {string} track
   * @param {number} top
   */
  _paintPlace(track, top) {
    const { context, scale, place, left, unit, sides, colours } = this;
    if (!place || place.track !== track) return;
    const from = Math.max(left, left + scale.toX(place.start_ns));
    const to = left + scale.toX(place.end_ns);
    context.fillStyle = colours.accentSoft;
    context.fillRect(from - 2, top + 1, to - from + 4, (sides.length * ROW + GAP) * unit - 1);
    context.fillStyle = colours.accent;
    for (const x of [from - 2, to]) context.fillRect(x, top + 1, 2, (sides.length * ROW + GAP) * unit - 1);
  }

  /**
   * @param {Segment} segment
   * @param {number} top
   */
  _paintSegment(segment, top) {
    const { context, scale, left, unit, colours } = this;
    const height = ROW * unit - 3;
    const from = Math.max(left, left + scale.toX(segment.start_ns));
    const width = Math.max(1, Math.min(left + scale.toX(segment.end_ns), this.root.clientWidth) - from - 1);
    const { fill, edge } = this.labelColours[this.colourOf(segment)];
    context.fillStyle = width < 3 ? edge : fill;
    context.fillRect(from, top, width, height);
    context.fillStyle = edge;
    context.fillRect(from, top, Math.min(3, width), height);
    if (width < 14 * unit) return;
    context.save();
    context.beginPath();
    context.rect(from, top, width - 2, height);
    context.clip();
    context.fillStyle = colours.text;
    context.textAlign = "left";
    context.font = `${12 * unit}px ${colours.sans}`;
    const words = [segment.label, segment.object, segment.hand, segment.outcome].filter(Boolean).join(" · ");
    context.fillText(words.slice(0, 200), from + 7 * unit, top + height / 2 + 0.5);
    context.restore();
  }

  /**
   * Where one annotator has two labels at a time, the later one lies on top.
   * @param {number} startNs
   * @param {number} endNs
   * @param {number} top
   */
  _paintOverlap(startNs, endNs, top) {
    const { context, scale, left, colours } = this;
    const from = Math.max(left, left + scale.toX(startNs));
    context.fillStyle = colours.bad;
    context.fillRect(from, top - 1, Math.max(2, left + scale.toX(endNs) - from), 3);
  }

  /**
   * @param {string} track
   * @param {number} top
   */
  _paintNames(track, top) {
    const { context, unit, left, sides, colours } = this;
    context.fillStyle = colours.panel;
    context.fillRect(0, top + 1, left - 2, (sides.length * ROW + GAP) * unit - 1);
    context.textAlign = "left";
    sides.forEach((side, row) => {
      const y = top + ((row + 0.5) * ROW + GAP / 2 - 1) * unit;
      context.font = `${11 * unit}px ${colours.sans}`;
      context.fillStyle = colours.soft;
      context.textAlign = "right";
      context.fillText(side.title, left - 8 * unit, y);
    });
    context.textAlign = "left";
    context.font = `600 ${11 * unit}px ${colours.sans}`;
    context.fillStyle = colours.text;
    context.fillText(track, 10 * unit, top + (ROW / 2 + GAP / 2 - 1) * unit, left - 60 * unit);
  }

  /** @param {number} width */
  _paintRuler(width) {
    const { context, scale, unit, left, colours } = this;
    const distance = tickDistance(scale.nsPerPixel, 76 * unit);
    const decimals = distance >= 1e9 ? 0 : distance >= 1e8 ? 1 : 2;
    context.font = `${11 * unit}px ${colours.sans}`;
    context.textAlign = "left";
    context.textBaseline = "middle";
    for (let ns = Math.ceil(scale.startNs / distance) * distance; ns <= scale.endNs; ns += distance) {
      const x = Math.round(left + scale.toX(ns));
      if (x > width) break;
      context.fillStyle = colours.line;
      context.fillRect(x, 0, 1, this.canvas.height);
      context.fillStyle = colours.soft;
      context.fillText(clock(ns, decimals), x + 4 * unit, (RULER / 2) * unit);
    }
  }

  _readColours() {
    const style = getComputedStyle(document.documentElement);
    const read = (/** @type {string} */ name) => style.getPropertyValue(`--${name}`).trim();
    this.colours = {
      panel: read("panel"), line: read("line"), text: read("text"), soft: read("text-soft"), accent: read("accent"), bad: read("bad"),
      accentSoft: read("accent-soft"), sans: read("sans"),
    };
    this.labelColours = readLabelColours(style);
  }

  /** @type {Record<"panel" | "line" | "text" | "soft" | "accent" | "accentSoft" | "bad" | "sans", string>} */
  colours = { panel: "", line: "", text: "", soft: "", accent: "", bad: "", accentSoft: "", sans: "" };
  /** @type {{fill: string, edge: string}[]} */
  labelColours = [];
}

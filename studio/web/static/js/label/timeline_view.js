// What a timeline shows, and the part of the time that is in view: its canvas is painted, and the mouse read, from this.

import { TimeScale } from "../segments/time_scale.js";

/** @typedef {import("../segments/segment_index.js").SegmentIndex} SegmentIndex */
/** @typedef {import("../player/frame_table.js").FrameTable} FrameTable */
/** @typedef {import("./proposals.js").Proposal} Proposal */

/**
 * Where things are, in CSS pixels.
 * @typedef {object} TimelineLayout
 * @property {number} left where time begins; before it stand the names of the tracks
 * @property {number} right
 * @property {number} bottom
 * @property {number} minimap its lower end
 * @property {number} ruler its lower end, where the tracks begin
 * @property {number} height of a track
 * @property {number} unit a pixel at the usual size of type
 */

/** Tells what the person does and where they look; the events are those of `Timeline`. */
export class TimelineView extends EventTarget {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {SegmentIndex} index
   * @param {FrameTable} frames
   */
  constructor(canvas, index, frames) {
    super();
    this.canvas = canvas;
    this.index = index;
    this.frames = frames;
    this.durationNs = frames.durationNs;
    this.scale = new TimeScale(this.durationNs, this.durationNs / frames.count);
    /** @type {Proposal[]} by start */
    this.proposals = [];
    /** @type {number[]} moments of least motion, by time */
    this.minima = [];
    /** @type {Set<string>} */
    this.selection = new Set();
    this.chosenProposal = "";
    this.activeTrack = index.tracks[0];
    /** @type {number | null} where the next segment of the active track begins */
    this.markNs = null;
    this.playheadNs = 0;
    this.follows = true;
    /** @type {Map<string, {start_ns: number, end_ns: number}>} edges while they are dragged */
    this.dragged = new Map();
    /** @type {{track: string, startNs: number, endNs: number} | null} a segment while it is drawn */
    this.drawn = null;
    /** @type {number | null} */
    this.snapNs = null;
    /** @type {TimelineLayout} */
    this.layout = { left: 0, right: 0, bottom: 0, minimap: 0, ruler: 0, height: 1, unit: 1 };
    this._stale = true;
    this._frame = 0;
  }

  /** Paint anew before the next frame is shown. */
  invalidate() {
    this._stale = true;
    this.requestPaint();
  }

  /**
   * @param {number} factor
   * @param {number} [aroundNs]
   */
  zoom(factor, aroundNs) {
    const { startNs, endNs } = this.scale;
    const seen = this.playheadNs >= startNs && this.playheadNs <= endNs;
    this.scale.zoom(factor, aroundNs ?? (seen ? this.playheadNs : (startNs + endNs) / 2));
    this.viewChanged();
  }

  fit() {
    this.scale.fit();
    this.viewChanged();
  }

  /** @param {{start_ns: number, end_ns: number}} interval */
  show({ start_ns, end_ns }) {
    this.scale.show(start_ns, end_ns);
    this.viewChanged();
  }

  /** @param {{start_ns: number, end_ns: number}} interval moved into view, if it is not there */
  reveal({ start_ns, end_ns }) {
    const { startNs, endNs } = this.scale;
    if (start_ns >= startNs && end_ns <= endNs) return;
    if (end_ns - start_ns > endNs - startNs) this.scale.moveTo(start_ns - 0.05 * (endNs - startNs));
    else this.scale.moveTo((start_ns + end_ns) / 2 - (endNs - startNs) / 2);
    this.viewChanged();
  }

  viewChanged() {
    this.emit("view", { startNs: this.scale.startNs, endNs: this.scale.endNs });
    this.invalidate();
  }

  /**
   * @param {string} name
   * @param {Record<string, unknown>} detail
   */
  emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  requestPaint() {
    if (!this._frame) this._frame = requestAnimationFrame(() => this.paint());
  }

  /** Paint what waits to be painted now. */
  paint() {
    throw new Error("a timeline says how it is painted");
  }
}

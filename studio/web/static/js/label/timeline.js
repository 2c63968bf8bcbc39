// The timeline: tracks of segments on one canvas, with ruler and minimap. It shows and tells what the person wants; what
// becomes of that is the page's to decide.

import { TimelinePainter } from "./timeline_painter.js";
import { TimelinePointer } from "./timeline_pointer.js";
import { TimeScale } from "../segments/time_scale.js";

/** @typedef {import("../segments/segment_index.js").Segment} Segment */
/** @typedef {import("../segments/segment_index.js").SegmentIndex} SegmentIndex */
/** @typedef {import("../player/frame_table.js").FrameTable} FrameTable */

/**
 * @typedef {object} Ghost a proposed segment
 * @property {string} proposal
 * @property {string} track
 * @property {number} start_ns
 * @property {number} end_ns
 * @property {string | null} label
 */

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

/**
 * Events, all with a detail: "seek" {ns, exact}, "select" {segment, track, add}, "edges" {edges: {segment, startNs,
 * endNs}[]}, "create" {track, startNs, endNs}, "play" {segment}, "view" {startNs, endNs}.
 */
export class Timeline extends EventTarget {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {SegmentIndex} index
   * @param {FrameTable} frames
   * @param {(segment: {label: string | null}) => number} colourOf which of the label colours
   */
  constructor(canvas, index, frames, colourOf) {
    super();
    this.canvas = canvas;
    this.index = index;
    this.frames = frames;
    this.durationNs = frames.endNs(frames.count - 1);
    this.scale = new TimeScale(this.durationNs, this.durationNs / frames.count);
    /** @type {Ghost[]} by start */
    this.ghosts = [];
    /** @type {number[]} moments of least motion, by time */
    this.minima = [];
    /** @type {Set<string>} */
    this.selection = new Set();
    this.chosenGhost = "";
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
    this.painter = new TimelinePainter(this, colourOf);
    this.pointer = new TimelinePointer(this);
    new ResizeObserver(() => this._resized()).observe(canvas);
    addEventListener("themechange", () => {
      this.painter.readColours();
      this.invalidate();
    });
    this._resized();
  }

  /** Paint anew before the next frame is shown. */
  invalidate() {
    this._stale = true;
    this._request();
  }

  /**
   * Move the playhead; while playing the view follows by pages.
   * @param {number} ns
   * @param {boolean} playing
   */
  setPlayhead(ns, playing) {
    if (ns === this.playheadNs) return;
    this.playheadNs = ns;
    const moved = this.follows && !this.pointer.busy && this.scale.follow(ns, playing);
    if (moved) this.viewChanged();
    else this._request();
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

  /** @param {Ghost[]} ghosts */
  setGhosts(ghosts) {
    this.ghosts = [...ghosts].sort((a, b) => a.start_ns - b.start_ns);
    this.invalidate();
  }

  viewChanged() {
    this.tell("view", { startNs: this.scale.startNs, endNs: this.scale.endNs });
    this.invalidate();
  }

  /**
   * @param {string} name
   * @param {Record<string, unknown>} detail
   */
  tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  /** Paint what waits to be painted now. */
  paint() {
    cancelAnimationFrame(this._frame);
    this._frame = 0;
    this.painter.paint(this._stale);
    this._stale = false;
  }

  _request() {
    if (!this._frame) this._frame = requestAnimationFrame(() => this.paint());
  }

  _resized() {
    const { clientWidth, clientHeight } = this.canvas;
    if (!clientWidth || !clientHeight) return;
    const unit = parseFloat(getComputedStyle(document.documentElement).fontSize) / 14;
    const ruler = 38 * unit;
    const height = (clientHeight - ruler) / Math.max(1, this.index.tracks.length);
    this.layout = { left: 92 * unit, right: clientWidth, bottom: clientHeight, minimap: 18 * unit, ruler, height, unit };
    this.canvas.width = Math.round(clientWidth * devicePixelRatio);
    this.canvas.height = Math.round(clientHeight * devicePixelRatio);
    this.scale.resize(clientWidth - this.layout.left);
    this.viewChanged();
    this.paint(); // a canvas is empty after its size was set
  }
}

// The timeline: tracks of segments on one canvas, with ruler and minimap. It shows segments and tells what the person
// does; what becomes of that is the page's to decide.

import { TimelinePainter } from "./timeline_painter.js";
import { TimelinePointer } from "./timeline_pointer.js";
import { TimelineView } from "./timeline_view.js";

/** @typedef {import("../segments/segment_index.js").SegmentIndex} SegmentIndex */
/** @typedef {import("../player/frame_table.js").FrameTable} FrameTable */

/**
 * Events, all with a detail: "seek" {ns, exact}, "select" {segment, track, add}, "edges" {edges: {segment, startNs,
 * endNs}[]}, "create" {track, startNs, endNs}, "play" {segment}, "view" {startNs, endNs}.
 */
export class Timeline extends TimelineView {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {SegmentIndex} index
   * @param {FrameTable} frames
   * @param {(segment: {label: string | null}) => number} colourOf which of the label colours
   */
  constructor(canvas, index, frames, colourOf) {
    super(canvas, index, frames);
    this.painter = new TimelinePainter(this, colourOf);
    this.pointer = new TimelinePointer(this);
    new ResizeObserver(() => this._resized()).observe(canvas);
    addEventListener("themechange", () => {
      this.painter.readColours();
      this.invalidate();
    });
    this._resized();
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
    else this.requestPaint();
  }

  /** Paint what waits to be painted now. */
  paint() {
    cancelAnimationFrame(this._frame);
    this._frame = 0;
    this.painter.paint(this._stale);
    this._stale = false;
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

// Paints a timeline. What changes seldom lies on a layer of its own, so that a moving playhead costs one copy.

import { readLabelColours } from "../segments/label_colours.js";
import { firstIndex } from "../segments/segment_index.js";
import { tickDistance } from "../segments/time_scale.js";
import { clock } from "../shared/times.js";

/** @typedef {import("../segments/segment_index.js").Segment} Segment */
/** @typedef {import("./timeline_view.js").TimelineView} TimelineView */
/** @typedef {import("./proposals.js").Proposal} Proposal */

/** Pixels by which a segment must differ from the one before to be painted. */
const LEAST = 3;
const NAMES = /** @type {const} */ ({
  ground: "--ground", panel: "--panel", raised: "--raised", line: "--line", strong: "--line-strong", text: "--text",
  soft: "--text-soft", accent: "--accent", accentSoft: "--accent-soft", doubt: "--doubt", bad: "--bad", focus: "--focus",
  playhead: "--playhead", sans: "--sans",
});
const RIGHT_TO_LEFT = /^[^\p{L}]*[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/u;

export class TimelinePainter {
  /**
   * @param {TimelineView} timeline
   * @param {(segment: {label: string | null}) => number} colourOf
   */
  constructor(timeline, colourOf) {
    this.timeline = timeline;
    this.colourOf = colourOf;
    this.target = /** @type {CanvasRenderingContext2D} */ (timeline.canvas.getContext("2d"));
    this.layer = document.createElement("canvas");
    this.context = /** @type {CanvasRenderingContext2D} */ (this.layer.getContext("2d"));
    this.minimap = document.createElement("canvas");
    this.minimapKey = "";
    this.layout = timeline.layout;
    /** @type {Record<keyof typeof NAMES, string>} */
    this.colours = /** @type {any} */ ({});
    /** @type {{fill: string, edge: string}[]} */
    this.labelColours = [];
    this.readColours();
  }

  readColours() {
    const style = getComputedStyle(document.documentElement);
    for (const [name, property] of Object.entries(NAMES)) {
      this.colours[/** @type {keyof typeof NAMES} */ (name)] = style.getPropertyValue(property).trim();
    }
    this.labelColours = readLabelColours(style);
  }

  /** @param {boolean} stale whether more than the playhead has changed */
  paint(stale) {
    const { canvas } = this.timeline;
    if (this.layer.width !== canvas.width || this.layer.height !== canvas.height) {
      this.layer.width = canvas.width;
      this.layer.height = canvas.height;
      stale = true;
    }
    if (stale) this._paintLayer();
    this.target.setTransform(1, 0, 0, 1, 0, 0);
    this.target.drawImage(this.layer, 0, 0);
    this.target.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    this._paintOpen();
    this._paintPlayhead();
  }

  _paintLayer() {
    const { index, layout, activeTrack } = this.timeline;
    const { context, colours } = this;
    this.layout = layout;
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    context.fillStyle = colours.panel;
    context.fillRect(0, 0, layout.right, layout.bottom);
    context.textBaseline = "middle";
    context.fillStyle = colours.ground;
    const active = layout.ruler + index.tracks.indexOf(activeTrack) * layout.height;
    context.fillRect(layout.left, active, layout.right, layout.height);
    this._paintRuler();
    index.tracks.forEach((track, place) => this._paintTrack(track, layout.ruler + place * layout.height));
    this._paintMinimap();
    this._paintNames();
  }

  /**
   * @param {string} track
   * @param {number} top
   */
  _paintTrack(track, top) {
    const { index, scale, layout, proposals, selection } = this.timeline;
    const { context, colours } = this;
    context.fillStyle = colours.line;
    context.fillRect(0, top, layout.right, 1);
    const { segments, reach, lanes, laneCount } = index.layout(track);
    const inner = layout.height - 5;
    const lane = inner / laneCount;
    for (const proposal of proposals) {
      if (proposal.track === track && proposal.end_ns > scale.startNs && proposal.start_ns < scale.endNs) {
        this._paintProposal(proposal, top + 6, inner - 6);
      }
    }
    const first = firstIndex(segments.length, (place) => reach[place] > scale.startNs);
    /** @type {number[]} the last pixel that was painted in each lane */
    const painted = [];
    let seam = 0;
    for (let place = first; place < segments.length && segments[place].start_ns < scale.endNs; place++) {
      const segment = segments[place];
      if (place) seam = this._paintSeam(reach[place - 1], segment.start_ns, top, layout.height, seam);
      const left = scale.toX(segment.start_ns);
      const right = scale.toX(segment.end_ns);
      const last = painted[lanes[place]] ?? -LEAST;
      // seen from afar: what lies within a few pixels of the one before says nothing of its own
      if (right < last + LEAST && left < last + LEAST && !selection.has(segment.segment)) continue;
      painted[lanes[place]] = right;
      this._paintSegment(segment, top + 3 + lanes[place] * lane, lane - 1);
    }
  }

  /**
   * @param {Segment} segment
   * @param {number} top
   * @param {number} height
   */
  _paintSegment(segment, top, height) {
    const { scale, layout, selection, dragged } = this.timeline;
    const { context, colours } = this;
    const edges = dragged.get(segment.segment) ?? segment;
    const left = Math.max(layout.left - 4, layout.left + scale.toX(edges.start_ns));
    const right = Math.min(layout.right + 4, layout.left + scale.toX(edges.end_ns));
    const width = right - left < LEAST ? LEAST : right - left - 1;
    const { fill, edge } = this.labelColours[this.colourOf(segment)];
    const chosen = selection.has(segment.segment);
    context.fillStyle = width <= LEAST ? edge : fill;
    context.fillRect(left, top, width, height);
    if (width > LEAST) {
      context.fillStyle = edge;
      context.fillRect(left, top, LEAST, height);
    }
    if (chosen) {
      context.strokeStyle = colours.focus;
      context.lineWidth = 2;
      context.strokeRect(left + 1, top + 1, Math.max(1, width - 2), height - 2);
    }
    const words = [segment.label, segment.object, segment.outcome === "failure" ? "✗" : null].filter(Boolean).join(" · ");
    this._paintWords(words, left + 3, top, width - 3, height, colours.text, chosen ? "600" : "400");
  }

  /**
   * @param {Proposal} proposal
   * @param {number} top
   * @param {number} height
   */
  _paintProposal(proposal, top, height) {
    const { scale, layout, chosenProposal } = this.timeline;
    const { context, colours } = this;
    const left = Math.max(layout.left - 4, layout.left + scale.toX(proposal.start_ns));
    const right = Math.min(layout.right + 4, layout.left + scale.toX(proposal.end_ns));
    const width = Math.max(1, right - left - 1);
    const chosen = proposal.proposal === chosenProposal;
    if (chosen) {
      context.fillStyle = colours.accentSoft;
      context.fillRect(left, top, width, height);
    }
    context.globalAlpha = chosen || proposal.label ? 1 : 0.55;
    if (width < 4) {
      context.fillStyle = colours.strong;
      context.fillRect(left, top, 1, height);
    } else {
      context.strokeStyle = chosen ? colours.accent : colours.strong;
      context.lineWidth = chosen ? 1.5 : 1;
      context.setLineDash([3, 3]);
      context.strokeRect(left + 0.5, top + 0.5, width - 1, height - 1);
      context.setLineDash([]);
    }
    context.globalAlpha = 1;
    if (proposal.label) this._paintWords(proposal.label, left + 3, top, width - 3, height, colours.soft, "italic 400");
  }

  /**
   * A gap between two segments, or where they overlap.
   * @param {number} beforeNs where the segment before ends
   * @param {number} nextNs where the next begins
   * @param {number} top
   * @param {number} height
   * @param {number} last pixel of the seam before
   * @returns {number} the last pixel of this one
   */
  _paintSeam(beforeNs, nextNs, top, height, last) {
    const { scale, layout } = this.timeline;
    const overlap = nextNs < beforeNs;
    const from = layout.left + scale.toX(Math.min(beforeNs, nextNs));
    const to = layout.left + scale.toX(Math.max(beforeNs, nextNs));
    const hidden = overlap ? to <= from : to - from < 1;
    if (to < layout.left || hidden || to < last + LEAST) return last;
    this.context.fillStyle = overlap ? this.colours.bad : this.colours.doubt;
    this.context.fillRect(from, overlap ? top + 1 : top + height - 2, Math.max(2, to - from - 1), overlap ? 3 : 1);
    return to;
  }

  /**
   * Words in a box, cut where it ends; those that run from right to left begin at its right.
   * @param {string} words
   * @param {number} left
   * @param {number} top
   * @param {number} width
   * @param {number} height
   * @param {string} colour
   * @param {string} style
   */
  _paintWords(words, left, top, width, height, colour, style) {
    const { unit, left: edge } = this.layout;
    const start = Math.max(left, edge);
    const room = width - (start - left);
    if (room < 10 * unit || height < 9 * unit) return;
    const { context } = this;
    context.save();
    context.beginPath();
    context.rect(start, top, room - 2, height);
    context.clip();
    context.fillStyle = colour;
    context.font = `${style} ${12 * unit}px ${this.colours.sans}`;
    const reversed = RIGHT_TO_LEFT.test(words);
    context.direction = reversed ? "rtl" : "ltr";
    context.textAlign = reversed ? "right" : "left";
    const shown = words.length > 200 ? words.slice(0, 200) : words;
    context.fillText(shown, reversed ? start + room - 4 * unit : start + 4 * unit, top + height / 2 + 0.5);
    context.restore();
  }

  _paintRuler() {
    const { scale, layout, minima } = this.timeline;
    const { context, colours } = this;
    const { unit, left } = layout;
    context.fillStyle = colours.panel;
    context.fillRect(left, layout.minimap, layout.right, layout.ruler - layout.minimap);
    const distance = tickDistance(scale.nsPerPixel, 76 * unit);
    const decimals = distance >= 1e9 ? 0 : distance >= 1e8 ? 1 : 2;
    context.font = `${11 * unit}px ${colours.sans}`;
    context.textAlign = "left";
    context.direction = "ltr";
    const middle = layout.minimap + 9 * unit;
    for (let ns = Math.floor(scale.startNs / distance) * distance; ns <= scale.endNs; ns += distance) {
      const x = Math.round(left + scale.toX(ns));
      context.fillStyle = colours.line;
      context.fillRect(x, layout.ruler - 8 * unit, 1, layout.bottom);
      context.fillStyle = colours.soft;
      context.fillText(clock(ns, decimals), x + 3 * unit, middle);
    }
    this._paintFrames();
    context.fillStyle = colours.accent;
    let last = -10;
    for (let place = firstIndex(minima.length, (one) => minima[one] >= scale.startNs); place < minima.length; place++) {
      const x = left + scale.toX(minima[place]);
      if (x > layout.right) break;
      if (x - last < 4) continue;
      last = x;
      context.beginPath();
      context.moveTo(x - 3 * unit, layout.ruler - 1);
      context.lineTo(x + 3 * unit, layout.ruler - 1);
      context.lineTo(x, layout.ruler - 6 * unit);
      context.fill();
    }
  }

  /** The edges of single frames, once they are wide enough. */
  _paintFrames() {
    const { scale, layout, frames } = this.timeline;
    if (scale.shortestNs / scale.nsPerPixel < 6) return;
    this.context.fillStyle = this.colours.strong;
    const last = frames.frameAt(Math.min(scale.endNs, this.timeline.durationNs - 1));
    for (let frame = frames.frameAt(scale.startNs); frame <= last; frame++) {
      this.context.fillRect(Math.round(layout.left + scale.toX(frames.startNs(frame))), layout.ruler - 4, 1, 4);
    }
  }

  _paintMinimap() {
    const { index, scale, layout, durationNs } = this.timeline;
    const { context, colours } = this;
    const width = layout.right - layout.left;
    const key = `${index.changes} ${width} ${layout.minimap} ${devicePixelRatio} ${colours.raised}`;
    if (key !== this.minimapKey) this._drawMinimap(width, layout.minimap);
    this.minimapKey = key;
    context.drawImage(this.minimap, layout.left, 0, width, layout.minimap);
    if (scale.fitted) return;
    const from = layout.left + (scale.startNs / durationNs) * width;
    const to = layout.left + (scale.endNs / durationNs) * width;
    context.strokeStyle = colours.text;
    context.lineWidth = 1.5;
    context.strokeRect(from + 0.75, 0.75, Math.max(3, to - from - 1.5), layout.minimap - 2.5);
  }

  /**
   * All segments, on a picture of its own: it stays while one only looks around.
   * @param {number} width
   * @param {number} height
   */
  _drawMinimap(width, height) {
    const { index, durationNs } = this.timeline;
    this.minimap.width = Math.max(1, Math.round(width * devicePixelRatio));
    this.minimap.height = Math.max(1, Math.round(height * devicePixelRatio));
    const context = /** @type {CanvasRenderingContext2D} */ (this.minimap.getContext("2d"));
    context.scale(devicePixelRatio, devicePixelRatio);
    context.fillStyle = this.colours.raised;
    context.fillRect(0, 0, width, height - 1);
    const row = (height - 4) / index.tracks.length;
    index.tracks.forEach((track, place) => {
      let painted = -1;
      for (const segment of index.layout(track).segments) {
        const left = Math.floor((segment.start_ns / durationNs) * width);
        const right = Math.max(left + 1, Math.round((segment.end_ns / durationNs) * width) - 1);
        if (right <= painted + 1) continue;
        painted = right;
        context.fillStyle = this.labelColours[this.colourOf(segment)].edge;
        context.fillRect(left, 2 + place * row, right - left, Math.max(1, row - 1));
      }
    });
  }

  _paintNames() {
    const { index, layout, activeTrack } = this.timeline;
    const { context, colours } = this;
    const { unit } = layout;
    context.fillStyle = colours.panel;
    context.fillRect(0, 0, layout.left, layout.bottom);
    context.fillStyle = colours.line;
    context.fillRect(layout.left - 1, 0, 1, layout.bottom);
    context.textAlign = "left";
    context.direction = "ltr";
    index.tracks.forEach((track, place) => {
      const top = layout.ruler + place * layout.height;
      const active = track === activeTrack;
      context.fillStyle = colours.line;
      context.fillRect(0, top, layout.left, 1);
      if (active) {
        context.fillStyle = colours.accentSoft;
        context.fillRect(0, top + 1, layout.left - 1, layout.height - 1);
        context.fillStyle = colours.accent;
        context.fillRect(0, top + 1, 3, layout.height - 1);
      }
      context.fillStyle = active ? colours.text : colours.soft;
      context.font = `${active ? 600 : 400} ${12 * unit}px ${colours.sans}`;
      context.fillText(track, 10 * unit, top + layout.height / 2, layout.left - 14 * unit);
    });
  }

  /** What is being made: a segment from the mark to the playhead, one that is drawn, and where an edge snaps. */
  _paintOpen() {
    const { index, layout, scale, activeTrack, markNs, playheadNs, drawn, snapNs } = this.timeline;
    const context = this.target;
    const open = drawn ?? (markNs === null ? null : { track: activeTrack, startNs: markNs, endNs: playheadNs });
    if (open) {
      const top = layout.ruler + index.tracks.indexOf(open.track) * layout.height + 3;
      const from = Math.max(layout.left, layout.left + scale.toX(Math.min(open.startNs, open.endNs)));
      const to = Math.max(layout.left, layout.left + scale.toX(Math.max(open.startNs, open.endNs)));
      context.globalAlpha = 0.25;
      context.fillStyle = this.colours.accent;
      context.fillRect(from, top, Math.max(1, to - from), layout.height - 5);
      context.globalAlpha = 1;
      const x = layout.left + scale.toX(open.startNs);
      if (x >= layout.left) context.fillRect(x, top - 2, 2, layout.height - 2);
    }
    if (snapNs === null) return;
    context.fillStyle = this.colours.accent;
    context.fillRect(Math.round(layout.left + scale.toX(snapNs)), layout.minimap, 1, layout.bottom);
  }

  _paintPlayhead() {
    const { frames, layout, scale, playheadNs, durationNs } = this.timeline;
    const context = this.target;
    const { left, unit } = layout;
    context.fillStyle = this.colours.playhead;
    context.fillRect(left + (playheadNs / durationNs) * (layout.right - left) - 0.5, 0, 1.5, layout.minimap - 1);
    const x = left + scale.toX(playheadNs);
    if (x < left - 1 || x > layout.right) return;
    const width = frames.endNs(frames.frameAt(playheadNs)) - frames.startNs(frames.frameAt(playheadNs));
    if (width / scale.nsPerPixel > 3) {
      context.globalAlpha = 0.16;
      context.fillRect(x, layout.ruler, width / scale.nsPerPixel, layout.bottom);
      context.globalAlpha = 1;
    }
    context.fillRect(Math.round(x) - 0.75, layout.minimap, 1.5, layout.bottom);
    context.beginPath();
    context.moveTo(x - 5 * unit, layout.minimap);
    context.lineTo(x + 5 * unit, layout.minimap);
    context.lineTo(x, layout.minimap + 8 * unit);
    context.fill();
  }
}

// What the keys of the label page do: the person's place in the recording, their selection, and edits upon it.

import { describe, merge, newSegment, remove, resize, split } from "./label_edits.js";

/** @typedef {import("../segments/segment_index.js").Segment} Segment */
/** @typedef {import("./labels.js").Labels} Labels */
/** @typedef {import("./proposals.js").Proposals} Proposals */
/** @typedef {import("./proposals.js").Proposal} Proposal */
/** @typedef {import("../player/player.js").Player} Player */
/** @typedef {import("../player/frame_table.js").FrameTable} FrameTable */
/** @typedef {import("./label_edits.js").Description} Description */
/** @typedef {Partial<Description> & {label: string}} NextLabel */

/** For so long after a boundary a label's key is about the segment that ended, though the video went on. */
const GRACE_MS = 500;

/**
 * Events: "selection" (also of track, mark and chosen proposal), "message" (detail.text: something to be read out),
 * "unlabelled" (detail.make: call it with a label, which is missing).
 */
export class Editor extends EventTarget {
  /**
   * @param {Labels} labels
   * @param {Player} player
   * @param {FrameTable} frames as the server has them, at whose edges segments begin and end
   * @param {Proposals} proposals
   * @param {NextLabel | null} nextLabel how the next segment is described, until another label is used
   */
  constructor(labels, player, frames, proposals, nextLabel) {
    super();
    this.labels = labels;
    this.index = labels.index;
    this.player = player;
    this.frames = frames;
    this.proposals = proposals;
    this.nextLabel = nextLabel;
    /** @type {Set<string>} */
    this.selection = new Set();
    this.current = "";
    this.track = this.index.tracks[0];
    /** @type {number | null} the edge at which the open segment begins */
    this.mark = null;
    /** How much later than they meant people press a key while it plays. */
    this.lagNs = 0;
    this._ended = -Infinity;
    labels.addEventListener("change", () => this._segmentsChanged());
  }

  /** @returns {Segment | undefined} */
  get segment() {
    return this.index.get(this.current);
  }

  /** @returns {Segment[]} */
  get selected() {
    return [...this.selection].map((id) => this.index.get(id)).filter((one) => one !== undefined);
  }

  /** Where the player is, or is going to. */
  get nowNs() {
    return this.frames.startNs(this.player.targetFrame);
  }

  /** The edge at the frame that is shown; while playing, as much earlier as the person is late. */
  edgeNow() {
    const { targetFrame, playing, rate } = this.player;
    if (playing && this.lagNs) return this.frames.nearestEdge(this.frames.startNs(targetFrame) - rate * this.lagNs);
    return !playing && targetFrame === this.frames.count - 1 ? this.frames.count : targetFrame;
  }

  /**
   * @param {string} id "" for none
   * @param {{add?: boolean, seek?: boolean}} [how]
   */
  select(id, { add = false, seek = false } = {}) {
    const segment = this.index.get(id);
    if (!add) this.selection.clear();
    if (segment) {
      this.selection.add(id);
      this.track = segment.track;
      this.mark = null;
      this.proposals.chosen = null;
    }
    this.current = segment ? id : "";
    if (segment && seek) void this.player.seekFrame(segment.start_frame);
    this.announce();
  }

  selectAll() {
    for (const { segment } of this.index.layout(this.track).segments) this.selection.add(segment);
    this.announce();
  }

  /** Step back: from the open segment, from the proposal, from the selection. */
  clear() {
    if (this.mark !== null) this.mark = null;
    else if (this.proposals.chosen) this.proposals.chosen = null;
    else this.select("");
    this.announce();
  }

  /** @param {1 | -1} direction */
  step(direction) {
    const next = this.index.neighbour(this.track, this.nowNs, direction, this.current || undefined);
    if (next) this.select(next.segment, { seek: true });
  }

  /** @param {1 | -1} direction */
  changeTrack(direction) {
    const { tracks } = this.index;
    this.useTrack(tracks[(tracks.indexOf(this.track) + direction + tracks.length) % tracks.length]);
  }

  /** @param {string} track */
  useTrack(track) {
    if (track !== this.track) this.mark = null;
    this.track = track;
    if (this.segment && this.segment.track !== track) this.select("");
    this.proposals.chosen = null;
    this.announce(`track ${track}`);
  }

  /** A boundary now: what is open ends here, and the next begins. Inside a segment it is split. */
  boundary() {
    const edge = this.edgeNow();
    const inside = this.mark === null ? this.index.at(this.track, this.frames.edgeNs(Math.min(edge, this.frames.count - 1))) : undefined;
    if (inside && edge > inside.start_frame) this._split(inside, edge);
    else if (this.mark === null) this._open(edge);
    else this._close(edge, this.nextLabel, true);
  }

  setStart() {
    const frame = this.player.targetFrame;
    const { chosen } = this.proposals;
    if (this.mark === null && chosen) this._accept(chosen, frame, chosen.end_frame);
    else if (this.mark === null && this.segment) this._resize(this.segment, frame, this.segment.end_frame);
    else this._open(frame);
  }

  setEnd() {
    const edge = this.player.targetFrame + 1; // the frame that is shown is its last
    const { chosen } = this.proposals;
    if (this.mark !== null) this._close(edge, this.nextLabel, false);
    else if (chosen) this._accept(chosen, chosen.start_frame, edge);
    else if (this.segment) this._resize(this.segment, this.segment.start_frame, edge);
    else this.announce("select a segment first, or begin one");
  }

  /**
   * @param {"start" | "end"} edge
   * @param {number} frames
   */
  nudge(edge, frames) {
    const { segment } = this;
    if (!segment) return;
    const start = segment.start_frame + (edge === "start" ? frames : 0);
    const end = segment.end_frame + (edge === "end" ? frames : 0);
    this._resize(segment, start, end);
    void this.player.seekFrame(edge === "start" ? Math.max(0, start) : Math.min(this.frames.count, end) - 1);
  }

  splitHere() {
    const edge = this.edgeNow();
    const at = this.index.at(this.track, this.frames.edgeNs(Math.min(edge, this.frames.count - 1)));
    const { segment } = this;
    const target = segment && segment.start_frame < edge && edge < segment.end_frame ? segment : at;
    if (!target || !this._split(target, edge)) this.announce("there is nothing to split here");
  }

  mergeWithNext() {
    const { segment } = this;
    const next = segment && this.index.neighbour(segment.track, 0, 1, segment.segment);
    if (!segment || !next) return this.announce("there is no next segment to merge with");
    this.labels.edit("merge", merge(this.frames, segment, next));
    this.select(segment.segment);
  }

  remove() {
    const { selected, current, track } = this;
    if (!selected.length) return;
    const next = current ? this.index.neighbour(track, 0, 1, current) : undefined;
    this.labels.edit(selected.length > 1 ? `delete ${selected.length} segments` : "delete", remove(selected));
    this.select(next?.segment ?? "");
  }

  /**
   * Use a label, object, outcome or hand: for what is open, for the proposal, for the selection, or for the next.
   * @param {Partial<Description>} description
   */
  describe(description) {
    const { chosen } = this.proposals;
    const label = description.label ?? this.nextLabel?.label;
    if (this.mark !== null && description.label && !this._hasJustEnded()) {
      this._setNextLabel({ label: description.label, ...description });
      this._close(this.edgeNow(), this.nextLabel, true);
    } else if (chosen) {
      this._accept(chosen, chosen.start_frame, chosen.end_frame, description);
    } else if (this.selected.length) {
      this.labels.edit(Object.values(description)[0] ?? "label", describe(this.selected, description));
      const { segment } = this;
      if (segment) this._setNextLabel(segment);
      this.announce();
    } else if (label) {
      this._setNextLabel({ ...this.nextLabel, label, ...description });
      this.announce(`next: ${label}`);
    }
  }

  /** The last label again. */
  repeat() {
    if (!this.nextLabel) return this.announce("there is no last label yet");
    const { label, object = null, outcome = null } = this.nextLabel;
    if (!this.selected.length && this.mark === null) {
      const at = this.index.at(this.track, this.nowNs);
      if (at) this.select(at.segment);
    }
    this.describe({ label, object, outcome });
  }

  /** @param {1 | -1} direction */
  nextProposal(direction) {
    const { chosen } = this.proposals;
    const from = chosen ? (direction > 0 ? chosen.end_ns : chosen.start_ns) : this.nowNs;
    this._choose(this.proposals.near(this.track, from, direction), `no ${direction > 0 ? "further" : "earlier"} proposal in this track`);
  }

  /** Accept the proposal that is looked at, and go on to the next; if none is, look at one first. */
  accept() {
    const { chosen } = this.proposals;
    if (!chosen) return this._chooseNearest();
    this._accept(chosen, chosen.start_frame, chosen.end_frame);
  }

  drop() {
    const { chosen } = this.proposals;
    if (!chosen) return this._chooseNearest();
    this.proposals.drop(chosen);
    this._choose(this.proposals.near(this.track, chosen.end_ns), "no further proposal in this track");
  }

  /**
   * Edges that were dragged.
   * @param {{segment: string, startNs: number, endNs: number}[]} edges
   */
  drag(edges) {
    const changes = edges.flatMap(({ segment, startNs, endNs }) => {
      const known = this.index.get(segment);
      if (!known) return [];
      return resize(this.frames, known, this.frames.nearestEdge(startNs), this.frames.nearestEdge(endNs)) ?? [];
    });
    this.labels.edit("move", changes);
  }

  /**
   * @param {string} track
   * @param {number} startNs
   * @param {number} endNs
   */
  draw(track, startNs, endNs) {
    this.track = track;
    this._create(this.frames.nearestEdge(startNs), this.frames.nearestEdge(endNs), this.nextLabel);
  }

  undo() {
    const step = this.labels.undo();
    this.announce(step ? `undone: ${step.title}` : "nothing to undo");
  }

  redo() {
    const step = this.labels.redo();
    this.announce(step ? `redone: ${step.title}` : "nothing to redo");
  }

  /** Whether the selected segment ended here, or a moment ago, and the next has only begun. */
  _hasJustEnded() {
    const { segment, mark } = this;
    if (!segment || segment.end_frame !== mark) return false;
    return this.edgeNow() <= mark || (this.player.playing && performance.now() - this._ended < GRACE_MS);
  }

  /** @param {number} edge */
  _open(edge) {
    this.mark = Math.min(edge, this.frames.count - 1);
    this.proposals.chosen = null;
    this.select("");
  }

  /**
   * @param {number} edge
   * @param {NextLabel | null} description
   * @param {boolean} goesOn whether the next segment begins where this one ends
   */
  _close(edge, description, goesOn) {
    const start = /** @type {number} */ (this.mark);
    const next = this.index.neighbour(this.track, this.frames.edgeNs(start), 1);
    const end = next ? Math.min(edge, next.start_frame) : edge;
    if (end <= start) return this.announce("the segment would contain no frame");
    this._create(start, end, description, () => {
      this.mark = goesOn && end === edge && end < this.frames.count ? end : null;
      this._ended = performance.now();
      this.announce();
    });
  }

  /**
   * @param {number} start
   * @param {number} end
   * @param {NextLabel | null} description
   * @param {() => void} [then]
   */
  _create(start, end, description, then) {
    if (!description) return this._askForLabel((nextLabel) => this._create(start, end, nextLabel, then));
    this._setNextLabel(description);
    const made = newSegment(this.frames, this.track, start, end, { ...description, note: "" });
    this.labels.edit(`new ${made.label}`, [{ segment: made.segment, after: made }]);
    this.select(made.segment);
    then?.();
  }

  /** @param {(nextLabel: NextLabel) => void} make */
  _askForLabel(make) {
    this.dispatchEvent(new CustomEvent("unlabelled", { detail: { make } }));
  }

  /**
   * @param {Proposal} proposal
   * @param {number} start
   * @param {number} end
   * @param {Partial<Description>} [description]
   */
  _accept(proposal, start, end, description = {}) {
    const label = description.label ?? proposal.label ?? this.nextLabel?.label;
    if (!label) return this._askForLabel((nextLabel) => this._accept(proposal, start, end, nextLabel));
    if (start >= end) return this.announce("the segment would contain no frame");
    this.track = proposal.track;
    this._setNextLabel({ label, ...description });
    const made = newSegment(this.frames, this.track, start, end, { label, ...description });
    this.labels.edit(`accept ${label}`, [{ segment: made.segment, after: made }]);
    this._choose(this.proposals.near(this.track, proposal.end_ns), "that was the last proposal in this track", made.segment);
  }

  _chooseNearest() {
    const found = this.proposals.near(this.track, this.nowNs) ?? this.proposals.near(this.track, 0);
    this._choose(found, "no proposals in this track");
  }

  /**
   * @param {Proposal | null} proposal
   * @param {string} otherwise
   * @param {string} [segment] selected if there is no proposal
   */
  _choose(proposal, otherwise, segment = "") {
    this.select(proposal ? "" : segment);
    this.proposals.chosen = proposal;
    if (proposal) void this.player.seekFrame(proposal.start_frame);
    this.announce(proposal ? `${proposal.label ?? "without a label"}: ${proposal.why}` : otherwise);
  }

  /**
   * @param {Segment} segment
   * @param {number} start
   * @param {number} end
   */
  _resize(segment, start, end) {
    const changes = resize(this.frames, segment, start, end);
    if (changes) this.labels.edit("move", changes);
    else this.announce("the segment would contain no frame");
  }

  /**
   * @param {Segment} segment
   * @param {number} edge
   */
  _split(segment, edge) {
    const changes = split(this.frames, segment, edge);
    if (!changes) return false;
    this.labels.edit("split", changes);
    this.select(changes[1].segment);
    return true;
  }

  /** @param {NextLabel} description */
  _setNextLabel({ label, object, outcome }) {
    this.nextLabel = { label, object: object ?? null, outcome: outcome ?? null };
  }

  _segmentsChanged() {
    for (const id of this.selection) if (!this.index.get(id)) this.selection.delete(id);
    if (this.current && !this.index.get(this.current)) this.current = [...this.selection].at(-1) ?? "";
    this.proposals.refresh();
    this.dispatchEvent(new Event("selection"));
  }

  /** @param {string} text read out; "" takes away what was announced before */
  announce(text = "") {
    this.dispatchEvent(new Event("selection"));
    this.dispatchEvent(new CustomEvent("message", { detail: { text } }));
  }
}

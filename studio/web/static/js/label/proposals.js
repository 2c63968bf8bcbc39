// Proposals that wait: those that no segment covers and nobody has dropped, and which of them is looked at.

import { load, save } from "../shared/browser_storage.js";

/** @typedef {import("../segments/segment_index.js").SegmentIndex} SegmentIndex */

/**
 * @typedef {object} Proposal
 * @property {string} proposal
 * @property {string} track
 * @property {number} start_frame
 * @property {number} end_frame
 * @property {number} start_ns
 * @property {number} end_ns
 * @property {string | null} label
 * @property {number} confidence
 * @property {string} why
 */

/** A proposal is taken as done with once segments cover this share of it. */
const COVERED = 0.5;

export class Proposals {
  /**
   * @param {string} annotation for which dropped ones are remembered, in this browser
   * @param {SegmentIndex} index
   */
  constructor(annotation, index) {
    this.storageKey = `dropped:${annotation}`;
    this.index = index;
    /** @type {Proposal[]} by start */
    this.all = [];
    /** @type {Set<string>} */
    this.dropped = new Set(load(this.storageKey) ?? []);
    /** @type {Proposal[]} */
    this.waiting = [];
    /** @type {Proposal | null} */
    this.chosen = null;
  }

  /** @param {Omit<Proposal, "proposal">[]} proposals */
  fill(proposals) {
    this.all = proposals
      .map((one) => ({ ...one, proposal: `${one.track}:${one.start_frame}:${one.end_frame}` }))
      .sort((a, b) => a.start_ns - b.start_ns);
    this.refresh();
  }

  /** Segments have changed: see anew which proposals wait. Says whether that changed. */
  refresh() {
    const before = this.waiting;
    this.waiting = this.all.filter((one) => !this.dropped.has(one.proposal) && !this._isCovered(one));
    if (this.chosen && !this.waiting.includes(this.chosen)) this.chosen = null;
    return before.length !== this.waiting.length || before.some((one, place) => one !== this.waiting[place]);
  }

  /**
   * The one at a moment of a track, or else the next (or, backwards, the one before).
   * @param {string} track
   * @param {number} ns
   * @param {1 | -1} direction
   */
  near(track, ns, direction = 1) {
    const ofTrack = this.waiting.filter((one) => one.track === track);
    if (direction < 0) return ofTrack.filter((one) => one.end_ns <= ns).at(-1) ?? null;
    return ofTrack.find((one) => one.end_ns > ns) ?? null;
  }

  /** @param {Proposal} proposal */
  drop(proposal) {
    this.dropped.add(proposal.proposal);
    this._remember();
  }

  /** Bring back those that were dropped. Says how many. */
  restore() {
    const count = this.dropped.size;
    this.dropped.clear();
    this._remember();
    return count;
  }

  _remember() {
    save(this.storageKey, [...this.dropped]); // if not, they are dropped until the page is left
    this.refresh();
  }

  /** @param {Proposal} proposal */
  _isCovered({ track, start_ns, end_ns }) {
    let covered = 0;
    let until = start_ns;
    for (const segment of this.index.within(track, start_ns, end_ns)) {
      const from = Math.max(until, segment.start_ns);
      until = Math.max(until, Math.min(end_ns, segment.end_ns));
      covered += Math.max(0, until - from);
    }
    return covered >= COVERED * (end_ns - start_ns);
  }
}

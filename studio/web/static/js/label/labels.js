// One person's labels of one recording, with undo and redo without a limit.

import { LabelSync } from "../segments/label_sync.js";
import { sameContent } from "../segments/segment_index.js";

/** @typedef {import("../segments/segment_index.js").Segment} Segment */
/** @typedef {import("../segments/label_sync.js").Edit} Edit */
/** @typedef {{title: string, edits: Edit[]}} Step what one undo takes back */

export class Labels extends LabelSync {
  /** @type {Step[]} */
  undoable = [];
  /** @type {Step[]} */
  redoable = [];
  /** How many segments there were when the page was opened. */
  initialCount = 0;

  /** @param {{revision: number, segments: Segment[]}} annotation */
  async begin(annotation) {
    await super.begin(annotation);
    this.initialCount = this.index.size;
  }

  /** How many segments have been made here. */
  get createdCount() {
    return Math.max(0, this.index.size - this.initialCount);
  }

  /**
   * Change segments; shown at once, sent at once, and taken back by one undo.
   * @param {string} title what it does, for the status line
   * @param {{segment: string, after: Segment | null}[]} changes
   */
  edit(title, changes) {
    const edits = changes
      .map(({ segment, after }) => ({ segment, before: this.index.get(segment) ?? null, after }))
      .filter(({ before, after }) => !sameContent(before, after));
    if (!edits.length) return;
    if (this.closedReason) return this._refuseAll();
    this.undoable.push({ title, edits });
    this.redoable.length = 0;
    this.enqueue(edits);
  }

  /** @returns {Step | undefined} the step that was taken back */
  undo() {
    return this._step(this.undoable, this.redoable);
  }

  /** @returns {Step | undefined} the step that was made again */
  redo() {
    return this._step(this.redoable, this.undoable);
  }

  /**
   * @param {Step[]} from
   * @param {Step[]} to
   */
  _step(from, to) {
    if (this.closedReason && from.length) this._refuseAll();
    const step = this.closedReason ? undefined : from.pop();
    if (!step) return undefined;
    const edits = step.edits.map(({ segment, before, after }) => ({ segment, before: after, after: before }));
    to.push({ title: step.title, edits });
    const stale = edits.filter(({ segment, before }) => !sameContent(before, this.index.get(segment)));
    if (stale.length) {
      // somebody else changed these since: the person chooses, as in any conflict
      this.conflicts = stale.map(({ segment, after }) => ({
        segment,
        mine: after,
        theirs: this.confirmed.get(segment) ?? null,
      }));
    }
    this.enqueue(edits);
    if (stale.length) this.dispatchEvent(new Event("conflict"));
    return step;
  }

  _refuseAll() {
    this.dispatchEvent(new CustomEvent("refused", { detail: { message: this.closedReason } }));
  }
}

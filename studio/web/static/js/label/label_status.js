// The line at the foot of the label page: whether all is saved, what was done, what is there, and how fast one is.

import { gapsAndOverlaps } from "./label_edits.js";

/** @typedef {import("./label_editor.js").Editor} Editor */

/** Counting looks at all segments: it waits until the person does. */
const COUNT_MS = 120;
const MOST_MEASURES = 2000;
const MODIFIERS = new Set(["Shift", "Control", "Alt", "Meta", "AltGraph"]);

export class LabelStatus {
  /** @param {Editor} editor */
  constructor(editor) {
    this.editor = editor;
    this.labels = editor.labels;
    this.speed = new LabelSpeed();
    this.saved = /** @type {HTMLElement} */ (document.getElementById("saved"));
    this.message = /** @type {HTMLElement} */ (document.getElementById("told"));
    this.next = /** @type {HTMLElement} */ (document.getElementById("armed"));
    this.counts = /** @type {HTMLElement} */ (document.getElementById("counts"));
    this._frame = 0;
    this._counting = 0;
    for (const name of ["state", "change", "confirmed"]) this.labels.addEventListener(name, () => this._showSoon());
    this.labels.store.addEventListener("stored", () => this._showSoon());
    editor.addEventListener("selection", () => this._showSoon());
    editor.addEventListener("message", (event) => {
      this.message.textContent = /** @type {CustomEvent} */ (event).detail.text;
    });
    addEventListener("beforeunload", (event) => {
      if (!this.labels.store.allStored) event.preventDefault(); // the browser's storage is full: these edits are only here
    });
  }

  _showSoon() {
    if (!this._frame) {
      this._frame = requestAnimationFrame(() => {
        this._frame = 0;
        this._show();
      });
    }
  }

  _show() {
    const { labels, editor } = this;
    const waiting = labels.queue.length;
    const where = labels.store.allStored ? "in this browser" : "only in this page, because the browser's storage is full";
    const texts = {
      saved: "saved",
      saving: "saving",
      offline: `${waiting} ${waiting === 1 ? "edit is waiting" : "edits are waiting"} ${where}: ${labels.problem}`,
      "signed out": `you are signed out; sign in again in another tab, ${waiting} edits are waiting here`,
      stopped: labels.problem,
    };
    if (this.saved.textContent !== texts[labels.state]) this.saved.textContent = texts[labels.state];
    this.saved.dataset.state = labels.state;
    const { nextLabel } = editor;
    const next = nextLabel ? [nextLabel.label, nextLabel.object, nextLabel.outcome] : ["choose a label"];
    this.next.textContent = next.filter(Boolean).join(" · ");
    clearTimeout(this._counting);
    this._counting = setTimeout(() => (this.counts.textContent = this._counts()), COUNT_MS);
  }

  _counts() {
    const { labels, editor, speed } = this;
    const found = gapsAndOverlaps(labels.index, labels.index.tracks);
    const overlaps = found.filter(({ kind }) => kind === "overlap").length;
    const parts = [`${labels.index.size} segments`, `${found.length - overlaps} gaps`, `${overlaps} overlaps`];
    if (editor.proposals.waiting.length) parts.push(`${editor.proposals.waiting.length} proposals`);
    if (labels.createdCount) parts.push(`${(speed.keys / labels.createdCount).toFixed(1)} keys per segment`);
    return parts.join(" · ");
  }
}

/**
 * How fast one labels: the keys that were pressed, and the milliseconds from a key to what it changed on the screen.
 * The latter go into the browser's own record of measures (`performance`), by the name "key to paint".
 */
class LabelSpeed {
  constructor() {
    this.keys = 0;
    this._measured = 0;
    document.addEventListener("keydown", (event) => this._pressed(event), { capture: true });
  }

  /** @param {KeyboardEvent} event */
  _pressed(event) {
    if (MODIFIERS.has(event.key)) return;
    this.keys += 1;
    const start = event.timeStamp;
    // The second frame begins once the first, in which the change was drawn, is on its way to the screen.
    requestAnimationFrame(() =>
      requestAnimationFrame(() => {
        if (++this._measured % MOST_MEASURES === 0) performance.clearMeasures("key to paint");
        performance.measure("key to paint", { start, end: performance.now() });
      }),
    );
  }
}

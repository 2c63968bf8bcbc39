// The selected segment in full, to read and to change without knowing a key.

import { clock } from "../shared/times.js";

/** @typedef {import("../segments/segment_index.js").Segment} Segment */
/** @typedef {import("./label_edits.js").Description} Description */
/** @typedef {import("./label_actions.js").Taxonomy} Taxonomy */

const HANDS = ["left", "right", "both"];

export class SegmentForm {
  /**
   * @param {HTMLFormElement} form with fields named label, object, hand, outcome and note
   * @param {Taxonomy} taxonomy
   * @param {(description: Partial<Description>) => void} change
   */
  constructor(form, taxonomy, change) {
    this.form = form;
    this.change = change;
    this.when = /** @type {HTMLElement} */ (form.querySelector("[data-when]"));
    this.fields = /** @type {Record<keyof Description, HTMLInputElement | HTMLTextAreaElement>} */ ({});
    for (const name of /** @type {(keyof Description)[]} */ (["label", "object", "hand", "outcome", "note"])) {
      this.fields[name] = /** @type {HTMLInputElement} */ (form.elements.namedItem(name));
      this.fields[name].addEventListener("change", () => this._changed(name));
    }
    const lists = { labels: taxonomy.verbs, objects: taxonomy.objects, outcomes: taxonomy.outcomes, hands: HANDS };
    for (const [id, values] of Object.entries(lists)) {
      document.getElementById(id)?.replaceChildren(...values.map((value) => new Option(value, value)));
    }
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && event.target instanceof HTMLElement) event.target.blur();
    });
  }

  /**
   * @param {Segment | undefined} segment
   * @param {number} count of segments that are selected
   */
  show(segment, count) {
    this.segment = segment;
    this.form.toggleAttribute("data-empty", !segment);
    for (const field of Object.values(this.fields)) field.disabled = !segment;
    this.when.textContent = segment
      ? `${clock(segment.start_ns)} – ${clock(segment.end_ns)} · frames ${segment.start_frame}–${segment.end_frame - 1}` +
        (count > 1 ? ` · and ${count - 1} more` : "")
      : "no segment selected";
    for (const [name, field] of Object.entries(this.fields)) {
      const value = segment?.[/** @type {keyof Description} */ (name)] ?? "";
      if (document.activeElement !== field && field.value !== value) field.value = value;
    }
  }

  /** @param {keyof Description} name */
  _changed(name) {
    const value = this.fields[name].value.trim();
    if (!this.segment) return;
    if (name === "label" && !value) {
      this.fields.label.value = this.segment.label;
      return;
    }
    if (name === "hand" && value && !HANDS.includes(value)) {
      this.fields.hand.value = this.segment.hand ?? "";
      return;
    }
    this.change({ [name]: name === "note" ? value : value || null });
  }
}

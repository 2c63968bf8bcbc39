// Type-ahead over the labels of a task. A few letters and Enter choose a label; after a space (or Tab) come object, hand
// and outcome in the same way, in any order. A list that a task leaves open takes any text.

/** @typedef {"label" | "object" | "hand" | "outcome"} Field */
/** @typedef {{field: Field, value: string, free?: boolean}} Choice */
/** @typedef {{verbs: string[], objects: string[], outcomes: string[]}} Taxonomy */
/** @typedef {{label?: string, object?: string | null, hand?: "left" | "right" | "both" | null, outcome?: string | null}} Picked */

const TITLES = { label: "label", object: "object", hand: "hand", outcome: "outcome" };
const MOST = 9;

export class LabelPicker {
  /**
   * @param {HTMLDialogElement} dialog with an input, a list `[role=listbox]` and `.chips`
   * @param {Taxonomy} taxonomy
   */
  constructor(dialog, taxonomy) {
    this.dialog = dialog;
    this.taxonomy = taxonomy;
    this.input = /** @type {HTMLInputElement} */ (dialog.querySelector("input"));
    this.list = /** @type {HTMLElement} */ (dialog.querySelector("[role=listbox]"));
    this.chips = /** @type {HTMLElement} */ (dialog.querySelector(".chips"));
    /** @type {Choice[]} */
    this.shown = [];
    this.place = 0;
    /** @type {Picked} */
    this.picked = {};
    /** @type {((picked: Picked | null) => void) | null} */
    this._answer = null;
    this.input.addEventListener("input", () => this._typed());
    this.input.addEventListener("keydown", (event) => this._pressed(event));
    this.list.addEventListener("click", (event) => this._clicked(event));
    // The browser tells that it was closed up to a frame later: it may be open again, and ask for something else.
    dialog.addEventListener("close", () => dialog.open || this._finish(null));
    dialog.querySelector("form")?.addEventListener("submit", (event) => {
      event.preventDefault();
      this._enter();
    });
  }

  /**
   * Ask; null if the person gives up.
   * @param {Picked} present what the segment shows now
   * @returns {Promise<Picked | null>}
   */
  ask(present) {
    this._finish(null);
    this.picked = {};
    const { label, object, hand, outcome } = present;
    this.present = { label, object, hand, outcome };
    this.input.value = "";
    return new Promise((answer) => {
      this._answer = answer;
      this.dialog.showModal();
      this.input.focus();
      this._show();
    });
  }

  /** @returns {Choice[]} */
  _choices() {
    const { verbs, objects, outcomes } = this.taxonomy;
    /** @type {Record<Field, string[]>} */
    const lists = { label: verbs, object: objects, hand: ["left", "right", "both"], outcome: outcomes };
    const fields = /** @type {Field[]} */ (Object.keys(lists));
    const open = fields.filter((field) => !(field in this.picked)); // the others are said already
    return (open.length ? open : fields).flatMap((field) => lists[field].map((value) => ({ field, value })));
  }

  _typed() {
    this.place = 0;
    const typed = this.input.value;
    if (/\S\s$/u.test(typed) && this._space(typed.trimEnd())) return;
    this._show();
  }

  /**
   * A space after a word takes its best match, unless it may go on: "pick" of "pick up".
   * @param {string} typed
   */
  _space(typed) {
    const choices = this._choices();
    const goesOn = choices.some(({ value }) => value.toLocaleLowerCase().startsWith(`${typed.toLocaleLowerCase()} `));
    const best = search(choices, typed)[0];
    if (goesOn || !best) return false;
    this._take(best);
    return true;
  }

  _show() {
    const typed = this.input.value.trim();
    this.shown = search(this._choices(), typed).slice(0, MOST);
    const exact = this.shown.some(({ value }) => value === typed);
    if (typed && !exact) {
      if (!this.taxonomy.verbs.length && !("label" in this.picked)) this.shown.push({ field: "label", value: typed, free: true });
      if (!this.taxonomy.objects.length) this.shown.push({ field: "object", value: typed, free: true });
    }
    this.place = Math.max(0, Math.min(this.place, this.shown.length - 1));
    this.list.replaceChildren(...this.shown.map((choice, place) => this._option(choice, place)));
    this._mark();
    const names = /** @type {[Field, string | null | undefined][]} */ (Object.entries({ ...this.present, ...this.picked }));
    this.chips.replaceChildren(
      ...names.flatMap(([field, value]) => {
        if (!value) return [];
        const chip = document.createElement("span");
        chip.className = field in this.picked ? "badge good" : "badge";
        chip.dir = "auto";
        chip.textContent = value;
        return [chip];
      }),
    );
  }

  /**
   * @param {Choice} choice
   * @param {number} place
   */
  _option(choice, place) {
    const option = document.createElement("div");
    option.setAttribute("role", "option");
    option.id = `picker-option-${place}`;
    option.dataset.place = String(place);
    const value = document.createElement("span");
    value.dir = "auto";
    value.textContent = choice.value;
    const field = document.createElement("small");
    field.textContent = choice.free ? `new ${TITLES[choice.field]}` : TITLES[choice.field];
    option.append(value, field);
    return option;
  }

  _mark() {
    [...this.list.children].forEach((option, place) => {
      option.setAttribute("aria-selected", String(place === this.place));
      if (place === this.place) option.scrollIntoView({ block: "nearest" });
    });
    this.input.setAttribute("aria-activedescendant", this.shown.length ? `picker-option-${this.place}` : "");
  }

  /** @param {KeyboardEvent} event */
  _pressed(event) {
    const steps = /** @type {Record<string, number>} */ ({ ArrowDown: 1, ArrowUp: -1 });
    const step = steps[event.key];
    if (step && this.shown.length) {
      event.preventDefault();
      this.place = (this.place + step + this.shown.length) % this.shown.length;
      this._mark();
    } else if (event.key === "Tab" && this.input.value.trim() && this.shown.length) {
      event.preventDefault();
      this._take(this.shown[this.place]);
    } else if (event.key === "Backspace" && !this.input.value) {
      const last = Object.keys(this.picked).at(-1);
      if (last) delete this.picked[/** @type {Field} */ (last)];
      this._show();
    }
  }

  /** @param {MouseEvent} event */
  _clicked(event) {
    const option = event.target instanceof Element ? event.target.closest("[role=option]") : null;
    if (option instanceof HTMLElement) this._take(this.shown[Number(option.dataset.place)]);
    this.input.focus();
  }

  _enter() {
    const choice = this.shown[this.place];
    if (this.input.value.trim() || this.place > 0) {
      if (!choice) return;
      this._take(choice);
    }
    const picked = this.picked;
    const answer = this._answer;
    this._answer = null;
    this.dialog.close();
    answer?.(Object.keys(picked).length ? picked : null);
  }

  /** @param {Choice} choice */
  _take(choice) {
    this.picked = { ...this.picked, [choice.field]: choice.value };
    this.input.value = "";
    this.place = 0;
    this._show();
  }

  /** @param {Picked | null} picked */
  _finish(picked) {
    const answer = this._answer;
    this._answer = null;
    answer?.(picked);
  }
}

/**
 * How well a text matches what was typed: 0 not at all; better the earlier and the more wholly it does.
 * @param {string} text
 * @param {string} typed
 */
function matchScore(text, typed) {
  const candidate = text.normalize("NFKD").toLocaleLowerCase();
  const query = typed.normalize("NFKD").toLocaleLowerCase().trim();
  if (!query) return 1;
  if (candidate === query) return 100;
  if (candidate.startsWith(query)) return 80 - Math.min(20, candidate.length - query.length);
  const word = candidate.split(/[\s\-_/]+/).findIndex((one) => one.startsWith(query));
  if (word > 0) return 50 - Math.min(10, word);
  if (candidate.includes(query)) return 30;
  let place = -1;
  for (const character of query) {
    place = candidate.indexOf(character, place + 1);
    if (place < 0) return 0;
  }
  return 10;
}

/**
 * @param {Choice[]} choices
 * @param {string} typed
 * @returns {Choice[]} those that match, the best first
 */
function search(choices, typed) {
  return choices
    .map((choice, place) => ({ choice, place, score: matchScore(choice.value, typed) }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score || a.place - b.place)
    .map(({ choice }) => choice);
}

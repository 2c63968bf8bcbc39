// All segments as a table, for reading and for screen readers, to which a canvas says nothing. Only the rows in view
// exist, so that ten thousand segments cost what thirty do.

import { clock } from "../shared/times.js";

/** @typedef {import("../segments/segment_index.js").Segment} Segment */
/** @typedef {import("../segments/segment_index.js").SegmentIndex} SegmentIndex */

const SPARE = 4;

/** Events: "select" (detail.segment, detail.add), "choose" (detail.segment: Enter or double click). */
export class SegmentTable extends EventTarget {
  /**
   * @param {HTMLElement} grid with `[data-rows]`, which scrolls
   * @param {SegmentIndex} index
   * @param {(segment: {label: string | null}) => number} colourOf
   */
  constructor(grid, index, colourOf) {
    super();
    this.grid = grid;
    this.index = index;
    this.colourOf = colourOf;
    this.scroller = /** @type {HTMLElement} */ (grid.querySelector("[data-rows]"));
    this.space = document.createElement("div");
    this.space.className = "space";
    this.space.setAttribute("role", "presentation");
    this.scroller.append(this.space);
    /** @type {Segment[]} */
    this.segments = [];
    /** @type {HTMLElement[]} */
    this.rows = [];
    /** @type {Set<string>} */
    this.selection = new Set();
    this.current = "";
    this._frame = 0;
    this._stale = true;
    this.scroller.addEventListener("scroll", () => this._request());
    new ResizeObserver(() => this.invalidate()).observe(this.scroller);
    grid.addEventListener("keydown", (event) => this._pressed(event));
    this.space.addEventListener("click", (event) => this._clicked(event, "select"));
    this.space.addEventListener("dblclick", (event) => this._clicked(event, "choose"));
  }

  /** The segments have changed. */
  invalidate() {
    this._stale = true;
    this._request();
  }

  /**
   * @param {Set<string>} selection
   * @param {string} current
   */
  select(selection, current) {
    this.selection = selection;
    if (current !== this.current) {
      this.current = current;
      this._refresh();
      this._reveal();
    }
    this._request();
  }

  _request() {
    if (this._frame) return;
    this._frame = requestAnimationFrame(() => {
      this._frame = 0;
      this._render();
    });
  }

  _refresh() {
    if (!this._stale) return;
    this._stale = false;
    this.segments = this.index.all();
    this.rowHeight = 2 * parseFloat(getComputedStyle(document.documentElement).fontSize);
    this.space.style.height = `${this.segments.length * this.rowHeight}px`;
    this.grid.setAttribute("aria-rowcount", String(this.segments.length + 1));
  }

  _reveal() {
    const place = this.segments.findIndex(({ segment }) => segment === this.current);
    if (place < 0) return;
    const { rowHeight = 28 } = this;
    const top = place * rowHeight;
    const { scrollTop, clientHeight } = this.scroller;
    if (top < scrollTop) this.scroller.scrollTop = top - rowHeight;
    else if (top + rowHeight > scrollTop + clientHeight) this.scroller.scrollTop = top + 2 * rowHeight - clientHeight;
  }

  _render() {
    this._refresh();
    const { rowHeight = 28 } = this;
    const first = Math.max(0, Math.floor(this.scroller.scrollTop / rowHeight) - SPARE);
    const count = Math.ceil(this.scroller.clientHeight / rowHeight) + 2 * SPARE;
    const shown = this.segments.slice(first, first + count);
    while (this.rows.length < shown.length) this.rows.push(this._newRow());
    for (const row of this.rows.splice(shown.length)) row.remove();
    this.grid.removeAttribute("aria-activedescendant");
    shown.forEach((segment, place) => this._fill(this.rows[place], segment, first + place, rowHeight));
  }

  _newRow() {
    const row = document.createElement("div");
    row.setAttribute("role", "row");
    for (const name of ["when", "length", "track", "what", "mark"]) {
      const cell = document.createElement("span");
      cell.setAttribute("role", "gridcell");
      cell.className = name;
      row.append(cell);
    }
    this.space.append(row);
    return row;
  }

  /**
   * @param {HTMLElement} row
   * @param {Segment} segment
   * @param {number} place
   * @param {number} rowHeight
   */
  _fill(row, segment, place, rowHeight) {
    const [when, length, track, what, mark] = /** @type {HTMLElement[]} */ ([...row.children]);
    const current = segment.segment === this.current;
    row.id = `row-${segment.segment}`;
    row.dataset.segment = segment.segment;
    row.dataset.colour = String(this.colourOf(segment));
    row.style.transform = `translateY(${place * rowHeight}px)`;
    row.setAttribute("aria-rowindex", String(place + 2));
    row.setAttribute("aria-selected", String(this.selection.has(segment.segment)));
    row.classList.toggle("current", current);
    if (current) this.grid.setAttribute("aria-activedescendant", row.id);
    when.textContent = clock(segment.start_ns, 2);
    length.textContent = ((segment.end_ns - segment.start_ns) / 1e9).toFixed(2);
    track.textContent = segment.track;
    const about = [segment.object, segment.hand && !segment.track.startsWith(segment.hand) ? segment.hand : null, segment.outcome];
    const name = document.createElement("bdi");
    name.textContent = segment.label.slice(0, 120);
    const rest = document.createElement("bdi");
    rest.className = "soft";
    rest.textContent = about.filter(Boolean).join(" · ").slice(0, 120);
    what.replaceChildren(name, rest);
    what.title = segment.note;
    mark.textContent = segment.note ? "✎" : "";
    mark.setAttribute("aria-label", segment.note ? "has a note" : "");
  }

  /** @param {KeyboardEvent} event */
  _pressed(event) {
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / (this.rowHeight ?? 28)) - 1);
    const last = this.segments.length - 1;
    const place = this.segments.findIndex(({ segment }) => segment === this.current);
    const places = /** @type {Record<string, number>} */ ({
      ArrowDown: place + 1, ArrowUp: place - 1, PageDown: place + page, PageUp: place - page, Home: 0, End: last,
    });
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key in places && this.segments.length) {
      event.preventDefault();
      const { segment } = this.segments[Math.max(0, Math.min(last, places[event.key]))];
      this._emit("select", segment, event.shiftKey);
    } else if (event.key === "Enter" && place >= 0) {
      event.preventDefault();
      this._emit("choose", this.current, false);
    }
  }

  /**
   * @param {MouseEvent} event
   * @param {"select" | "choose"} name
   */
  _clicked(event, name) {
    const row = event.target instanceof Element ? event.target.closest("[data-segment]") : null;
    if (row instanceof HTMLElement && row.dataset.segment) this._emit(name, row.dataset.segment, event.shiftKey);
  }

  /**
   * @param {"select" | "choose"} name
   * @param {string} segment
   * @param {boolean} add
   */
  _emit(name, segment, add) {
    this.dispatchEvent(new CustomEvent(name, { detail: { segment, add } }));
  }
}

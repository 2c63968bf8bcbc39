// Where two annotators differ, in words and in order of time: what each has there, and what is decided.

import { sameContent } from "../segments/segment_index.js";
import { clock } from "../shared/times.js";

/** @typedef {import("../segments/segment_index.js").Segment} Segment */
/** @typedef {"first" | "second"} Side */

/**
 * @typedef {object} Difference
 * @property {string} segment by which the adjudication decides it
 * @property {string} track
 * @property {number} start_ns
 * @property {number} end_ns
 * @property {string[]} differs
 * @property {Segment | null} first
 * @property {Segment | null} second
 * @property {boolean} decided
 */

const SIDES = /** @type {const} */ (["first", "second"]);
const TITLES = { first: "First", second: "Second" };

/**
 * What is decided, as far as anything is.
 * @param {Difference} difference
 * @param {Segment | undefined} present what the adjudication has there
 * @returns {Side | "neither" | "by hand" | null}
 */
export function choiceOf(difference, present) {
  if (!present) return difference.decided ? "neither" : null;
  return SIDES.find((side) => sameContent(difference[side], present)) ?? "by hand";
}

/** Events: "choose" (detail.place) where somebody clicks one. */
export class DifferenceList extends EventTarget {
  /**
   * @param {HTMLElement} list
   * @param {Difference[]} differences
   */
  constructor(list, differences) {
    super();
    this.differences = differences;
    this.buttons = differences.map((difference, place) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "difference";
      button.dataset.segment = difference.segment;
      button.addEventListener("click", () => this.dispatchEvent(new CustomEvent("choose", { detail: { place } })));
      const item = document.createElement("li");
      item.append(button);
      list.append(item);
      return button;
    });
  }

  /**
   * @param {number} place
   * @param {ReturnType<typeof choiceOf>} choice
   */
  show(place, choice) {
    const difference = this.differences[place];
    const where = document.createElement("span");
    where.className = "where";
    where.append(`${clock(difference.start_ns)} – ${clock(difference.end_ns)}`, withText("span", "", difference.track));
    for (const aspect of difference.differs) where.append(withText("span", "badge doubt", aspect));
    if (choice) where.append(withText("span", "spring", ""), withText("span", "badge good", `✓ ${choice}`));
    this.buttons[place].replaceChildren(where, ...SIDES.map((side) => sideOf(difference, side, choice === side)));
  }

  /** @param {number} place the one that is looked at */
  select(place) {
    this.buttons.forEach((button, number) => {
      if (number === place) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    });
    this.buttons[place]?.scrollIntoView({ block: "nearest" });
  }
}

/**
 * What one of the two has at a place; what differs stands out.
 * @param {Difference} difference
 * @param {Side} side
 * @param {boolean} chosen
 */
function sideOf(difference, side, chosen) {
  const segment = difference[side];
  const box = withText("span", `has ${side}${chosen ? " chosen" : ""}`, "");
  box.append(withText("span", "soft", TITLES[side]));
  const words = withText("span", "words", "");
  const times = withText("span", "times", "");
  if (segment) {
    const { label, object, hand, outcome } = segment;
    for (const [aspect, text] of Object.entries({ label, object, hand, outcome })) {
      if (!text) continue;
      if (words.childNodes.length) words.append(" · ");
      words.append(highlighted(text, difference.differs.includes(aspect)));
    }
    const edge = (/** @type {string} */ aspect, /** @type {number} */ ns) => highlighted(clock(ns), difference.differs.includes(aspect));
    times.append(edge("start", segment.start_ns), " – ", edge("end", segment.end_ns));
  } else {
    words.append(highlighted("nothing", true));
  }
  box.append(words, times);
  return box;
}

/**
 * @param {string} text
 * @param {boolean} differs
 */
function highlighted(text, differs) {
  const element = document.createElement(differs ? "mark" : "bdi");
  element.dir = "auto";
  element.textContent = text;
  return element;
}

/**
 * @param {string} kind
 * @param {string} name
 * @param {string} text
 */
function withText(kind, name, text) {
  const element = document.createElement(kind);
  element.className = name;
  element.textContent = text;
  return element;
}

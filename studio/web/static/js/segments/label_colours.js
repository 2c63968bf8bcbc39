// Which colour a label has, on all pages alike.

import { LABEL_COLOURS } from "../label/timeline_painter.js";

/**
 * A colour for each label: the task's own in their order, others by their letters.
 * @param {string[]} verbs
 */
export function colours(verbs) {
  const places = new Map(verbs.map((verb, place) => [verb, place % LABEL_COLOURS]));
  return (/** @type {{label: string | null}} */ { label }) => {
    if (label === null) return 0;
    let colour = places.get(label);
    if (colour === undefined) {
      colour = [...label].reduce((sum, letter) => (sum * 31 + (letter.codePointAt(0) ?? 0)) % 9973, 7) % LABEL_COLOURS;
      if (places.size < 5000) places.set(label, colour);
    }
    return colour;
  };
}

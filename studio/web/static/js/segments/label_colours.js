// Which colour a label has, on all pages alike.

/** How many colours there are: `--label-0` and so on in base.css, each with an edge. */
const LABEL_COLOURS = 10;

/**
 * A colour for each label: the task's own in their order, others by their letters.
 * @param {string[]} verbs
 * @returns {(segment: {label: string | null}) => number} which of the label colours
 */
export function labelColours(verbs) {
  const numbers = new Map(verbs.map((verb, place) => [verb, place % LABEL_COLOURS]));
  return ({ label }) => {
    if (label === null) return 0;
    let colour = numbers.get(label);
    if (colour === undefined) {
      colour = [...label].reduce((sum, letter) => (sum * 31 + (letter.codePointAt(0) ?? 0)) % 9973, 7) % LABEL_COLOURS;
      if (numbers.size < 5000) numbers.set(label, colour);
    }
    return colour;
  };
}

/**
 * The label colours of the present theme, for painting.
 * @param {CSSStyleDeclaration} style of the document
 * @returns {{fill: string, edge: string}[]}
 */
export function readLabelColours(style) {
  return Array.from({ length: LABEL_COLOURS }, (_, number) => ({
    fill: style.getPropertyValue(`--label-${number}`).trim(),
    edge: style.getPropertyValue(`--label-${number}-edge`).trim(),
  }));
}

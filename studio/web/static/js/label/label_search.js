// Finds what a person means by a few letters among the labels of a task.

/** @typedef {"label" | "object" | "hand" | "outcome"} Field */
/** @typedef {{field: Field, value: string, free?: boolean}} Choice */

/**
 * How well a text matches what was typed: 0 not at all; better the earlier and the more wholly it does.
 * @param {string} text
 * @param {string} typed
 */
export function matchScore(text, typed) {
  const within = text.normalize("NFKD").toLocaleLowerCase();
  const wanted = typed.normalize("NFKD").toLocaleLowerCase().trim();
  if (!wanted) return 1;
  if (within === wanted) return 100;
  if (within.startsWith(wanted)) return 80 - Math.min(20, within.length - wanted.length);
  const word = within.split(/[\s\-_/]+/).findIndex((one) => one.startsWith(wanted));
  if (word > 0) return 50 - Math.min(10, word);
  if (within.includes(wanted)) return 30;
  let place = -1;
  for (const character of wanted) {
    place = within.indexOf(character, place + 1);
    if (place < 0) return 0;
  }
  return 10;
}

/**
 * @param {Choice[]} choices
 * @param {string} typed
 * @returns {Choice[]} those that match, the best first
 */
export function search(choices, typed) {
  return choices
    .map((choice, place) => ({ choice, place, score: matchScore(choice.value, typed) }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score || a.place - b.place)
    .map(({ choice }) => choice);
}

// The keys of the label page, beside those of the player. They follow what editors of video and annotators know.

import { gapsAndOverlaps } from "./label_edits.js";

/** @typedef {import("../shared/keys.js").Action} Action */
/** @typedef {import("./label_editor.js").Editor} Editor */
/** @typedef {import("./timeline.js").Timeline} Timeline */
/** @typedef {import("./label_picker.js").Field} Field */
/** @typedef {{verbs: string[], objects: string[], outcomes: string[], hotkeys: Record<string, string>}} Taxonomy */

/**
 * What the keys need of the page itself.
 * @typedef {object} Page
 * @property {() => void} pick
 * @property {() => void} goTo
 * @property {() => void} writeNote
 * @property {() => void} toggleFollow
 * @property {() => void} finish
 * @property {() => void} skip
 * @property {() => void} nextPanel
 * @property {() => void} help
 */

/**
 * @param {Editor} editor
 * @param {Timeline} timeline
 * @param {Page} page
 * @returns {Action[]}
 */
export function labelActions(editor, timeline, page) {
  const onTimeline = () => document.activeElement === document.body || document.activeElement === timeline.canvas;
  /** @type {(group: string, ...actions: [string, string, string[], () => void, Partial<Action>?][]) => Action[]} */
  const group = (name, ...actions) =>
    actions.map(([id, title, keys, run, more]) => ({ name: id, title, group: name, keys, run, ...more }));
  return [
    ...group(
      "Moving",
      ["edge-back", "Previous edge", ["Ctrl+ArrowLeft"], () => toEdge(editor, -1)],
      ["edge-on", "Next edge", ["Ctrl+ArrowRight"], () => toEdge(editor, 1)],
      ["go-to", "Go to a time or frame", ["g"], page.goTo],
      ["seam", "Next gap or overlap", ["q"], () => nextGapOrOverlap(editor)],
    ),
    ...group(
      "Segments",
      ["boundary", "End this segment and begin the next", ["Enter"], () => editor.boundary()],
      ["start", "Set the start, or begin a segment", ["i"], () => editor.setStart()],
      ["stop", "Set the end", ["o"], () => editor.setEnd()],
      ["split", "Split here", ["s"], () => editor.splitHere()],
      ["merge", "Merge with the next", ["m"], () => editor.mergeWithNext()],
      ["next", "Next segment", ["Tab"], () => editor.step(1), { when: onTimeline }],
      ["previous", "Previous segment", ["Shift+Tab"], () => editor.step(-1), { when: onTimeline }],
      ["start-earlier", "Start a frame earlier", ["["], () => editor.nudge("start", -1)],
      ["start-later", "Start a frame later", ["]"], () => editor.nudge("start", 1)],
      ["end-earlier", "End a frame earlier", ["{"], () => editor.nudge("end", -1)],
      ["end-later", "End a frame later", ["}"], () => editor.nudge("end", 1)],
      ["remove", "Delete", ["Delete", "Backspace"], () => editor.remove()],
      ["all", "Select the whole track", ["Ctrl+a"], () => editor.selectAll()],
      ["clear", "Cancel: open segment, proposal, selection", ["Escape"], () => clear(editor, timeline)],
      ["track-up", "Track above", ["ArrowUp"], () => editor.changeTrack(-1)],
      ["track-down", "Track below", ["ArrowDown"], () => editor.changeTrack(1)],
    ),
    ...group(
      "Labels",
      ["pick", "Find a label by typing", ["t", "/"], page.pick],
      ["repeat", "Repeat the last label", ["e"], () => editor.repeat()],
      ["hand", "Next hand", ["u"], () => nextHand(editor)],
      ["note", "Write a note", ["n"], page.writeNote],
    ),
    ...group(
      "Proposals",
      ["accept", "Accept and go to the next", ["a"], () => editor.accept()],
      ["drop", "Dismiss and go to the next", ["x"], () => editor.drop()],
      ["proposal-next", "Next proposal", ["p"], () => editor.nextProposal(1)],
      ["proposal-before", "Previous proposal", ["Shift+p"], () => editor.nextProposal(-1)],
    ),
    ...group(
      "View",
      ["closer", "Zoom in", ["+", "="], () => timeline.zoom(1.6)],
      ["wider", "Zoom out", ["-"], () => timeline.zoom(1 / 1.6)],
      ["whole", "Show the whole recording", ["f"], () => timeline.fit()],
      ["to-segment", "Zoom to the segment", ["z"], () => editor.segment && timeline.show(editor.segment)],
      ["follow", "Follow the playhead, on or off", ["Shift+f"], page.toggleFollow],
      ["panel", "Next part of the page", ["F6"], page.nextPanel, { always: true }],
      ["help", "These keys", ["?"], page.help],
    ),
    ...group(
      "Work",
      ["undo", "Undo", ["Ctrl+z"], () => editor.undo()],
      ["redo", "Redo", ["Ctrl+Shift+z", "Ctrl+y"], () => editor.redo()],
      ["finish", "Finish and go to the next", ["Ctrl+Enter"], page.finish],
      ["skip", "Skip this recording", ["Ctrl+Shift+Enter"], page.skip],
    ),
  ];
}

/**
 * A key for each label: the task's own first, and the digits that are left for its verbs in their order.
 * @param {Taxonomy} taxonomy
 * @param {(field: Field, value: string) => void} use
 * @returns {(Action & {field: Field, value: string})[]}
 */
export function hotkeyActions(taxonomy, use) {
  /** @type {[Field, string[]][]} */
  const lists = [["label", taxonomy.verbs], ["object", taxonomy.objects], ["outcome", taxonomy.outcomes]];
  const fieldOf = (/** @type {string} */ value) => lists.find(([, values]) => values.includes(value))?.[0] ?? "label";
  /** @type {Map<string, string>} */
  const keys = new Map(Object.entries(taxonomy.hotkeys).map(([key, value]) => [key.toLowerCase(), value]));
  const named = new Set(keys.values());
  const free = [..."1234567890"].filter((digit) => !keys.has(digit));
  for (const verb of taxonomy.verbs) {
    const digit = named.has(verb) ? undefined : free.shift();
    if (digit) keys.set(digit, verb);
  }
  const fields = lists.map(([field]) => field);
  const inOrder = [...keys].sort(
    ([, a], [, b]) =>
      fields.indexOf(fieldOf(a)) - fields.indexOf(fieldOf(b)) ||
      taxonomy.verbs.indexOf(a) - taxonomy.verbs.indexOf(b),
  );
  return inOrder.map(([key, value]) => ({
    name: `use ${value}`,
    title: value,
    group: "Labels of this task",
    keys: [key],
    field: fieldOf(value),
    value,
    run: () => use(fieldOf(value), value),
  }));
}

/**
 * @param {Editor} editor
 * @param {1 | -1} direction
 */
function toEdge({ index, track, player, frames }, direction) {
  const now = player.targetFrame;
  const edges = index.layout(track).segments.flatMap((one) => [one.start_frame, one.end_frame]);
  const there = edges.filter((edge) => (direction > 0 ? edge > now : edge < now) && edge < frames.count);
  if (there.length) void player.seekFrame(there.reduce((a, b) => (direction > 0 ? Math.min(a, b) : Math.max(a, b))));
}

/** @param {Editor} editor */
function nextHand(editor) {
  const hands = /** @type {const} */ ([null, "left", "right", "both"]);
  const { segment } = editor;
  if (segment) editor.describe({ hand: hands[(hands.indexOf(segment.hand) + 1) % hands.length] });
}

/** @param {Editor} editor */
function nextGapOrOverlap(editor) {
  const found = gapsAndOverlaps(editor.index, [editor.track]);
  const next = found.find(({ start_ns }) => start_ns > editor.nowNs) ?? found[0];
  if (!next) return editor.announce("no gaps or overlaps in this track");
  void editor.player.seekFrame(editor.frames.frameAt(next.start_ns));
  editor.announce(`${next.kind} of ${((next.end_ns - next.start_ns) / 1e9).toFixed(2)} s`);
}

/**
 * @param {Editor} editor
 * @param {Timeline} timeline
 */
function clear(editor, timeline) {
  if (!timeline.pointer.cancel()) editor.clear();
}

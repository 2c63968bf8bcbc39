// Short questions of the label page: where to go, and why a recording is skipped.

/** @typedef {import("../player/frame_table.js").FrameTable} FrameTable */

const REASONS = ["nothing happens", "cannot be seen well enough", "not this task", "I do not know the labels for this"];

/**
 * The frame that a person means by "1:23.4", "83.4" (seconds) or "f1200"; null if they mean none.
 * @param {string} typed
 * @param {FrameTable} frames
 * @returns {number | null}
 */
export function frameOf(typed, frames) {
  const text = typed.trim().toLowerCase();
  const frame = /^f\s*(\d+)$/.exec(text);
  if (frame) return frames.clamped(Number(frame[1]));
  const time = /^(?:(?:(\d+):)?(\d+):)?(\d+(?:[.,]\d*)?)$/.exec(text);
  if (!time) return null;
  const [hours, minutes, seconds] = time.slice(1).map((part) => Number((part ?? "0").replace(",", ".")));
  return frames.frameAt(1e9 * (3600 * hours + 60 * minutes + seconds));
}

/**
 * @param {FrameTable} frames
 * @returns {Promise<number | null>}
 */
export async function askForTime(frames) {
  const dialog = /** @type {HTMLDialogElement} */ (document.getElementById("go-to"));
  const typed = await ask(dialog, "");
  return typed === null ? null : frameOf(typed, frames);
}

/** @returns {Promise<string | null>} */
export async function askForReason() {
  const dialog = /** @type {HTMLDialogElement} */ (document.getElementById("skip"));
  document.getElementById("reasons")?.replaceChildren(...REASONS.map((reason) => new Option(reason, reason)));
  return ask(dialog, "");
}

/** Ends the question before, where the browser has not told yet that its dialog was closed. */
let giveUp = () => {};

/**
 * @param {HTMLDialogElement} dialog with a form and an input
 * @param {string} value
 * @returns {Promise<string | null>}
 */
function ask(dialog, value) {
  giveUp();
  const input = /** @type {HTMLInputElement} */ (dialog.querySelector("input"));
  input.value = value;
  dialog.showModal();
  input.focus();
  return new Promise((resolve) => {
    const asking = new AbortController();
    const { signal } = asking;
    const end = (/** @type {string | null} */ answer) => {
      asking.abort();
      resolve(answer);
    };
    giveUp = () => end(null);
    dialog.addEventListener("close", () => dialog.open || giveUp(), { signal }); // Esc
    dialog.addEventListener("submit", (event) => end(submitted(dialog, event)), { signal });
  });
}

/**
 * Close a dialog and say what was typed: at once, for the browser tells that it is closed up to a frame later, when keys
 * that follow have done something else already.
 * @param {HTMLDialogElement} dialog
 * @param {SubmitEvent} event
 * @returns {string | null}
 */
function submitted(dialog, event) {
  event.preventDefault();
  dialog.close();
  const typed = /** @type {HTMLInputElement} */ (dialog.querySelector("input")).value.trim();
  return event.submitter instanceof HTMLButtonElement && event.submitter.value === "go" && typed ? typed : null;
}

// The task editor: checks what is written as it is written, and shows what its criteria would have done.

import { postJson } from "../shared/api.js";
import { notice, pageData } from "../shared/page.js";

const { version } = pageData();
const text = /** @type {HTMLTextAreaElement} */ (document.getElementById("text"));
const problem = /** @type {HTMLElement} */ (document.getElementById("problem"));
const place = /** @type {HTMLElement} */ (document.getElementById("preview"));

/**
 * @typedef {{passed: number, doubted: number, failed: number}} Tally
 * @typedef {{task: string, recordings: number, before: Tally, after: Tally,
 *   checks: {check: string, before: Tally, after: Tally}[],
 *   changed: {recording: string, before: string, after: string, check: string}[]}} Preview
 */

/** @param {unknown} error */
function refuse(error) {
  problem.textContent = error instanceof Error ? error.message : String(error);
  problem.hidden = false;
}

/**
 * @param {string[]} cells
 * @param {"td" | "th"} kind
 */
function line(cells, kind = "td") {
  const row = document.createElement("tr");
  cells.forEach((cell, number) => {
    const made = document.createElement(kind);
    made.textContent = cell;
    if (number) made.className = "number";
    row.append(made);
  });
  return row;
}

/**
 * @param {string} caption
 * @param {string[]} columns
 * @param {string[][]} rows
 */
function table(caption, columns, rows) {
  const made = document.createElement("table");
  made.createCaption().textContent = caption;
  made.createTHead().append(line(columns, "th"));
  made.createTBody().append(...rows.map((cells) => line(cells)));
  return made;
}

/** @param {Preview} preview */
function show(preview) {
  if (!preview.recordings) {
    place.textContent = `No recording of '${preview.task}' has been checked yet.`;
    return;
  }
  /** @param {number} before @param {number} after */
  const change = (before, after) => (before === after ? `${after}` : `${before} → ${after}`);
  /** @param {{before: Tally, after: Tally}} one @returns {string[]} */
  const tallies = ({ before, after }) => [
    change(before.passed, after.passed), change(before.doubted, after.doubted), change(before.failed, after.failed),
  ];
  place.replaceChildren(
    table(`Of ${preview.recordings} recordings`, ["", "pass", "doubt", "fail"], [
      ["all checks together", ...tallies(preview)],
      ...preview.checks.map((check) => [check.check, ...tallies(check)]),
    ]),
    table("Would be judged differently", ["recording", "by", "before", "after"],
      preview.changed.map((one) => [one.recording, one.check, one.before, one.after])),
  );
  if (!preview.changed.length) place.lastChild?.replaceWith("No recording would be judged differently.");
}

async function look() {
  try {
    show(await postJson("/api/tasks/preview", { text: text.value }));
    problem.hidden = true;
  } catch (error) {
    refuse(error);
  }
}

document.getElementById("look")?.addEventListener("click", look);
text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void look();
});
let typed = 0;
text.addEventListener("input", () => {
  clearTimeout(typed);
  typed = setTimeout(look, 600);
});
document.getElementById("task")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const saved = await postJson("/api/tasks", { text: text.value, version });
    if (saved.is_new) location.assign(`/tasks/${encodeURIComponent(saved.task)}`);
    else notice("Nothing has changed.");
  } catch (error) {
    refuse(error);
  }
});
if (version !== null) void look();

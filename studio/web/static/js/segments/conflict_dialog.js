// Two people (or two tabs) changed the same segments: mine and theirs side by side, and a choice for each.

import { clock } from "../shared/times.js";

/** @typedef {import("./label_sync.js").Conflict} Conflict */
/** @typedef {import("./segment_index.js").Segment} Segment */
/** @typedef {Map<string, "mine" | "theirs">} Choices */

/**
 * @param {Conflict[]} conflicts
 * @returns {Promise<Choices>}
 */
export function askAboutConflicts(conflicts) {
  const dialog = document.createElement("dialog");
  dialog.id = "conflict";
  dialog.setAttribute("aria-labelledby", "conflict-title");
  const title = document.createElement("h2");
  title.id = "conflict-title";
  title.textContent = conflicts.length > 1 ? `${conflicts.length} segments were changed elsewhere` : "A segment was changed elsewhere";
  const about = document.createElement("p");
  about.textContent = "Someone else, or another of your tabs, changed the same segments. Nothing is overwritten until you choose.";
  const table = document.createElement("table");
  table.append(headings());
  const body = table.createTBody();
  conflicts.forEach((conflict, place) => body.append(line(conflict, place)));
  const scroll = document.createElement("div");
  scroll.className = "scroll";
  scroll.append(table);
  const foot = document.createElement("p");
  foot.className = "row";
  const every = (/** @type {"mine" | "theirs"} */ side) =>
    button(`All ${side}`, () => {
      for (const input of dialog.querySelectorAll("input")) input.checked = input.value === side;
    });
  const use = button("Use these choices", () => dialog.close());
  use.className = "main";
  const spring = document.createElement("span");
  spring.className = "spring";
  foot.append(...(conflicts.length > 1 ? [every("mine"), every("theirs")] : []), spring, use);
  dialog.append(title, about, scroll, foot);
  dialog.addEventListener("cancel", (event) => event.preventDefault()); // there is no way around choosing
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      const chosen = [...dialog.querySelectorAll("input")].filter((input) => input.checked);
      resolve(new Map(chosen.map((input) => [String(input.dataset.segment), /** @type {"mine" | "theirs"} */ (input.value)])));
      dialog.remove();
    });
  });
}

function headings() {
  const head = document.createElement("thead");
  const row = head.insertRow();
  for (const text of ["Mine", "Theirs"]) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = text;
    row.append(cell);
  }
  return head;
}

/**
 * @param {Conflict} conflict
 * @param {number} place
 */
function line({ segment, mine, theirs }, place) {
  const row = document.createElement("tr");
  for (const [side, state, other] of /** @type {const} */ ([["mine", mine, theirs], ["theirs", theirs, mine]])) {
    const cell = row.insertCell();
    const label = document.createElement("label");
    const input = document.createElement("input");
    input.type = "radio";
    input.name = `conflict-${place}`;
    input.value = side;
    input.dataset.segment = segment;
    input.checked = side === "mine";
    label.append(input, ...describe(state, other));
    cell.append(label);
  }
  return row;
}

/**
 * A segment in words; what differs from the other stands out.
 * @param {Segment | null} state
 * @param {Segment | null} other
 * @returns {Node[]}
 */
function describe(state, other) {
  if (!state) return [highlighted("deleted", true)];
  const parts = /** @type {(segment: Segment) => (string | null)[]} */ (
    ({ label, object, hand, outcome, track, start_ns, end_ns, note }) => [
      label, object, hand, outcome, track, `${clock(start_ns)} – ${clock(end_ns)}`, note ? `“${note.slice(0, 200)}”` : null,
    ]
  );
  const others = other ? parts(other) : [];
  return parts(state).flatMap((text, place) => (text ? [highlighted(text, text !== others[place])] : []));
}

/**
 * @param {string} text
 * @param {boolean} differs
 */
function highlighted(text, differs) {
  const element = document.createElement(differs ? "mark" : "span");
  element.dir = "auto";
  element.textContent = text.slice(0, 200);
  return element;
}

/**
 * @param {string} text
 * @param {() => void} run
 */
function button(text, run) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.addEventListener("click", run);
  return made;
}

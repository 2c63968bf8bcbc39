// The history of an annotation: the segments at any revision, beside what became of them, and the way back.

import { sameContent } from "../segments/segment_index.js";
import { getJson, postJson, randomId } from "../shared/api.js";
import { pageData, showRefusal } from "../shared/page.js";
import { clock, showLocalTimes } from "../shared/times.js";

/** @typedef {import("../segments/segment_index.js").Segment} Segment */

const MOST_ROWS = 500;
const data = pageData();
const path = `/api/annotations/${data.annotation}`;
let shownRevision = data.revision;
let requestedRevision = data.revision;

/** @param {number} revision */
async function showRevision(revision) {
  requestedRevision = revision;
  const [then, now] = await Promise.all([getJson(`${path}?revision=${revision}`), getJson(path)]);
  if (requestedRevision !== revision) return; // another one was asked for meanwhile, and may have been shown already
  shownRevision = revision;
  for (const row of document.querySelectorAll("[data-revision]")) {
    if (/** @type {HTMLElement} */ (row).dataset.revision === String(revision)) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  }
  const title = document.getElementById("looked-at");
  const restore = document.getElementById("restore");
  if (!title || !restore) return;
  title.textContent = `Revision ${revision}: ${then.segments.length} segments`;
  restore.hidden = revision === now.revision || now.state !== "open";
  show(then.segments, new Map(now.segments.map((/** @type {Segment} */ one) => [one.segment, one])));
}

/**
 * @param {Segment[]} segments
 * @param {Map<string, Segment>} now
 */
function show(segments, now) {
  const rows = segments.slice(0, MOST_ROWS).map((segment) => {
    const row = document.createElement("tr");
    const later = now.get(segment.segment);
    const change = sameContent(segment, later) ? "" : later ? "changed" : "deleted";
    const label = [segment.label, segment.object, segment.hand, segment.outcome].filter(Boolean).join(" · ");
    for (const [text, kind] of [[clock(segment.start_ns), "number"], [clock(segment.end_ns), "number"], [segment.track, ""], [label, ""], [change, "soft"]]) {
      const cell = row.insertCell();
      cell.textContent = text;
      cell.dir = "auto";
      if (kind) cell.className = kind;
    }
    return row;
  });
  if (segments.length > MOST_ROWS) {
    const row = document.createElement("tr");
    row.insertCell().textContent = `and ${segments.length - MOST_ROWS} more`;
    rows.push(row);
  }
  document.getElementById("then")?.replaceChildren(...rows);
}

async function restore() {
  await postJson(`${path}/restore`, { revision: shownRevision, operation: randomId(16) });
  location.assign(`/label/${data.annotation}`);
}

for (const button of document.querySelectorAll("[data-look]")) {
  button.addEventListener("click", () => showRevision(Number(/** @type {HTMLElement} */ (button).dataset.look)).catch(showRefusal));
}
document.getElementById("restore")?.addEventListener("click", () => restore().catch(showRefusal));
showLocalTimes();
showRevision(data.revision).catch(showRefusal);

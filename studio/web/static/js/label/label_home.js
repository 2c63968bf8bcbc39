// The annotator's start page: today's progress, the next recording, and edits that still wait in this browser.

import { waitingOperations } from "../segments/operation_store.js";
import { getJson, postJson } from "../shared/api.js";
import { annotationAddress, notice, pageData, showRefusal } from "../shared/page.js";
import { showLocalTimes } from "../shared/times.js";

/** @param {string} [task] */
async function next(task) {
  try {
    const found = await postJson("/api/labelling/next", task ? { task } : {});
    if (found) location.assign(annotationAddress(found));
    else notice("There is nothing to label right now.");
  } catch (error) {
    showRefusal(error);
  }
}

/** What was done since midnight where the annotator is. */
async function showProgress() {
  const midnight = new Date();
  midnight.setHours(0, 0, 0, 0);
  const progress = await getJson(`/api/labelling/progress?since=${encodeURIComponent(midnight.toISOString())}`);
  const minutes = progress.labelled_ns / 60e9;
  const texts = {
    annotations: String(progress.annotations),
    segments: String(progress.segments),
    labelled_ns: minutes < 60 ? `${minutes.toFixed(1)} min` : `${(minutes / 60).toFixed(1)} h`,
  };
  for (const [name, text] of Object.entries(texts)) {
    const place = document.querySelector(`[data-of="${name}"]`);
    if (place) place.textContent = text;
  }
}

async function showUnsent() {
  for (const [annotation, count] of await waitingOperations(pageData().account)) {
    const line = document.createElement("p");
    line.className = "note doubt";
    const link = document.createElement("a");
    link.href = `/label/${annotation}`;
    link.textContent = "Open it to send them";
    line.append(`${count} ${count === 1 ? "edit to an annotation is" : "edits to an annotation are"} waiting in this browser. `, link, ".");
    document.getElementById("unsent")?.append(line);
  }
}

for (const button of document.querySelectorAll("[data-next]")) {
  button.addEventListener("click", () => void next(/** @type {HTMLElement} */ (button).dataset.next));
}
showLocalTimes();
showUnsent().catch((error) => notice(error.message, "bad"));
showProgress().catch((error) => notice(error.message, "bad"));

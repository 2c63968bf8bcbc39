// What waits for an adjudicator: begin with one of the recordings.

import { postJson } from "../shared/api.js";
import { showRefusal } from "../shared/page.js";
import { showLocalTimes } from "../shared/times.js";

/** @param {string} recording */
async function begin(recording) {
  try {
    const made = await postJson(`/api/recordings/${recording}/annotations`, { purpose: "adjudicate" });
    location.assign(`/adjudicate/${made.annotation}`);
  } catch (error) {
    showRefusal(error);
  }
}

for (const button of document.querySelectorAll("[data-begin]")) {
  button.addEventListener("click", () => void begin(String(/** @type {HTMLElement} */ (button).dataset.begin)));
}
showLocalTimes();
document.documentElement.dataset.ready = "true";

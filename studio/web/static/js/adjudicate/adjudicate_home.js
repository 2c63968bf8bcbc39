// What waits for an adjudicator: begin with one of the recordings.

import { RequestFailed, notice, postJson } from "../shared/api.js";

/** @param {string} recording */
async function begin(recording) {
  try {
    const made = await postJson(`/api/recordings/${recording}/annotations`, { purpose: "adjudicate" });
    location.assign(`/adjudicate/${made.annotation}`);
  } catch (error) {
    if (!(error instanceof RequestFailed)) throw error;
    notice(error.message, "bad", 10);
  }
}

for (const button of document.querySelectorAll("[data-begin]")) {
  button.addEventListener("click", () => void begin(String(/** @type {HTMLElement} */ (button).dataset.begin)));
}
for (const time of document.querySelectorAll("time")) {
  time.textContent = new Date(time.dateTime).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}
document.documentElement.dataset.ready = "true";

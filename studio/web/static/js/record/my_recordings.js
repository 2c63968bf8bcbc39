// The contributor's pages: look at what reviewers mean, declare something about oneself, take recordings back.

import { mountPlayer } from "../player/player_panel.js";
import { postJson } from "../shared/api.js";
import { Keymap } from "../shared/keys.js";
import { notice, pageData, showError } from "../shared/page.js";

const data = pageData();

const place = document.getElementById("player");
if (place) {
  const mounted = mountPlayer(place, data.recording).catch(() => null);
  for (const button of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-start]")))
    button.addEventListener("click", async () => {
      const panel = await mounted; // a click may come before the video has loaded
      if (!panel) return;
      const startFrame = panel.frames.frameAt(Number(button.dataset.start));
      panel.player.loop({ startFrame, endFrame: panel.frames.frameAt(Number(button.dataset.end)) + 1 });
      await panel.player.seekFrame(startFrame);
      await panel.player.play();
    });
  void mounted.then((panel) => {
    if (!panel) return;
    const keymap = new Keymap("mine", []);
    keymap.add([...panel.actions, { name: "help", title: "These keys", group: "Help", keys: ["?"], run: () => keymap.help() }]);
  });
}

const attributes = /** @type {HTMLFormElement | null} */ (document.getElementById("attributes"));
attributes?.addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const chosen = Object.fromEntries(new FormData(attributes));
    await postJson("/api/mine/attributes", { contributor: data.contributor, attributes: chosen });
    notice("Saved.", "good");
  } catch (error) {
    showError(error);
  }
});

const sure = /** @type {HTMLDialogElement} */ (document.getElementById("sure"));
for (const id of ["take-back", "take-back-all"])
  document.getElementById(id)?.addEventListener("click", () => sure.showModal());
document.getElementById("do-it")?.addEventListener("click", async () => {
  const button = /** @type {HTMLButtonElement} */ (document.getElementById("do-it"));
  button.disabled = true;
  const why = /** @type {HTMLInputElement} */ (document.getElementById("why")).value;
  const recordings = data.recording ? [data.recording] : null;
  try {
    await postJson("/api/mine/take-back", { contributor: data.contributor, recordings, why });
    location.assign(data.recording ? `/mine?contributor=${encodeURIComponent(data.contributor)}` : location.href);
  } catch (error) {
    sure.close();
    showError(error);
  } finally {
    button.disabled = false;
  }
});

// One's own account: password, tokens, signing out.

import { postJson, request } from "../shared/api.js";
import { notice, showError } from "../shared/page.js";

document.getElementById("sign-out")?.addEventListener("click", async () => {
  await request("POST", "/api/sign-out").catch(showError);
  location.assign("/sign-in");
});

const password = /** @type {HTMLFormElement | null} */ (document.getElementById("password"));
password?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const typed = new FormData(password);
  try {
    await postJson("/api/account/password", { old: typed.get("old"), new: typed.get("new") });
    password.reset();
    notice("Your password has been changed.", "good");
  } catch (error) {
    showError(error);
  }
});

const token = /** @type {HTMLFormElement | null} */ (document.getElementById("token"));
token?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const typed = new FormData(token);
  try {
    const days = typed.get("days");
    const made = await postJson("/api/account/tokens", { name: typed.get("name"), days: days ? Number(days) : null });
    const shown = document.getElementById("made");
    if (!shown) return;
    shown.hidden = false;
    /** @type {HTMLElement} */ (shown.querySelector("code")).textContent = made.token;
    token.reset();
  } catch (error) {
    showError(error);
  }
});

for (const button of document.querySelectorAll("[data-revoke]"))
  button.addEventListener("click", async () => {
    try {
      await request("DELETE", `/api/account/tokens/${/** @type {HTMLElement} */ (button).dataset.revoke}`);
      button.closest("tr")?.remove();
    } catch (error) {
      showError(error);
    }
  });

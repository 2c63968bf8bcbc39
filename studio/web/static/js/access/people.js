// The operator's page of people: roles, invitations, who may come in.

import { postJson, request } from "../shared/api.js";
import { showError } from "../shared/page.js";

for (const row of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-account]"))) {
  const path = `/api/accounts/${encodeURIComponent(row.dataset.account ?? "")}`;
  const boxes = /** @type {NodeListOf<HTMLInputElement>} */ (row.querySelectorAll("input[type=checkbox]"));
  const records = row.children[2]?.textContent?.trim();
  for (const box of boxes)
    box.addEventListener("change", async () => {
      const roles = [...boxes].filter((one) => one.checked).map((one) => one.value);
      if (records) roles.push("contributor");
      try {
        await postJson(`${path}/roles`, { roles });
      } catch (error) {
        box.checked = !box.checked;
        showError(error);
      }
    });
  const button = /** @type {HTMLButtonElement | null} */ (row.querySelector("[data-change]"));
  button?.addEventListener("click", async () => {
    try {
      await request("POST", `${path}/${button.dataset.change}`);
      location.reload();
    } catch (error) {
      showError(error);
    }
  });
}

const invite = /** @type {HTMLFormElement | null} */ (document.getElementById("invite"));
invite?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const typed = new FormData(invite);
  try {
    const made = await postJson("/api/invitations", {
      roles: typed.getAll("role"),
      contributor: typed.get("contributor") || null,
      account: typed.get("account") || null,
    });
    const shown = document.getElementById("invited");
    if (!shown) return;
    shown.hidden = false;
    /** @type {HTMLElement} */ (shown.querySelector("code")).textContent = new URL(made.link, location.origin).href;
    invite.reset();
  } catch (error) {
    showError(error);
  }
});

for (const button of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-take-back]")))
  button.addEventListener("click", async () => {
    try {
      await request("DELETE", `/api/invitations/${button.dataset.takeBack}`);
      button.closest("tr")?.remove();
    } catch (error) {
      showError(error);
    }
  });

// Light or dark: as the system says until the person says otherwise. Runs before the page is painted.
"use strict";
(() => {
  let stored = null;
  try {
    stored = localStorage.getItem("theme");
  } catch {} // the browser refuses to keep anything
  const dark = stored ? stored === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  addEventListener("DOMContentLoaded", () => {
    document.getElementById("theme")?.addEventListener("click", () => {
      const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
      document.documentElement.dataset.theme = next;
      try {
        localStorage.setItem("theme", next);
      } catch {} // full or refused: it is so until the page is left
      dispatchEvent(new Event("themechange"));
    });
  });
})();

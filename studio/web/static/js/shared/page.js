// What all pages need: the data they were made with, notices to the person, and errors shown as notices.

import { RequestFailed } from "./api.js";

/**
 * What the page was made with: the JSON in `<script type="application/json" id="...">`.
 * @param {string} id
 * @returns {any}
 */
export function pageData(id = "data") {
  const element = document.getElementById(id);
  return element?.textContent ? JSON.parse(element.textContent) : null;
}

/**
 * Tell the person something, in the corner of the page; it is read aloud by screen readers.
 * @param {string} text
 * @param {"" | "good" | "bad"} kind
 * @param {number} seconds 0: until the page is left
 */
export function notice(text, kind = "", seconds = 6) {
  const place = document.getElementById("notices");
  if (!place) return;
  const element = document.createElement("div");
  if (kind) element.className = kind;
  element.textContent = text;
  place.append(element);
  if (seconds) setTimeout(() => element.remove(), 1000 * seconds);
}

/**
 * Show an error as a notice.
 * @param {unknown} error
 */
export function showError(error) {
  notice(error instanceof Error ? error.message : String(error), "bad", 10);
}

/**
 * Show why the server refused something; anything else is a fault of the page, and is thrown on.
 * @param {unknown} error
 */
export function showRefusal(error) {
  if (!(error instanceof RequestFailed)) throw error;
  showError(error);
}

/**
 * Where an annotation is worked on.
 * @param {{ annotation: string, purpose: string }} annotation
 */
export function annotationAddress(annotation) {
  return `/${annotation.purpose === "adjudicate" ? "adjudicate" : "label"}/${annotation.annotation}`;
}

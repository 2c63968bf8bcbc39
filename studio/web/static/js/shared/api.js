// Talks to the server: JSON and binary requests that carry the session's token, and failures in words.

/** The server's refusal. `status` 0: it was not reached. */
export class RequestFailed extends Error {
  /**
   * @param {number} status
   * @param {string} message
   * @param {any} [body] what the server answered, where it was JSON
   */
  constructor(status, message, body) {
    super(message);
    this.status = status;
    this.body = body;
  }
}

const csrf = /** @type {HTMLMetaElement | null} */ (document.querySelector('meta[name="csrf"]'))?.content ?? "";

/**
 * Ask the server for something; resolves only for an answer of 2xx.
 * @param {string} method
 * @param {string} path
 * @param {{json?: unknown, body?: BodyInit, headers?: Record<string, string>, signal?: AbortSignal, keepalive?: boolean}} [options]
 * @returns {Promise<Response>}
 */
export async function request(method, path, options = {}) {
  const headers = new Headers(options.headers);
  if (method !== "GET") headers.set("X-CSRF-Token", csrf);
  let body = options.body;
  if (options.json !== undefined) {
    headers.set("Content-Type", "application/json");
    body = JSON.stringify(options.json);
  }
  let answer;
  try {
    const { signal, keepalive } = options;
    answer = await fetch(path, { method, headers, body, signal, keepalive, credentials: "same-origin" });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new RequestFailed(0, "the server cannot be reached");
  }
  if (answer.ok) return answer;
  const text = await answer.text();
  let told;
  try {
    told = JSON.parse(text);
  } catch {
    told = { error: `the server answered ${answer.status}` };
  }
  throw new RequestFailed(answer.status, told.error ?? `the server answered ${answer.status}`, told);
}

/**
 * @param {string} path
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export async function getJson(path, signal) {
  return (await request("GET", path, { signal })).json();
}

/**
 * @param {string} path
 * @param {unknown} json
 * @param {{keepalive?: boolean}} [options]
 * @returns {Promise<any>}
 */
export async function postJson(path, json, options = {}) {
  const answer = await request("POST", path, { json, ...options });
  return answer.status === 204 ? null : answer.json();
}

/**
 * @param {string} path
 * @param {AbortSignal} [signal]
 * @returns {Promise<ArrayBuffer>}
 */
export async function getBytes(path, signal) {
  return (await request("GET", path, { signal })).arrayBuffer();
}

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
 * Where an annotation is worked on.
 * @param {{ annotation: string, purpose: string }} annotation
 */
export function addressOf(annotation) {
  return `/${annotation.purpose === "adjudicate" ? "adjudicate" : "label"}/${annotation.annotation}`;
}

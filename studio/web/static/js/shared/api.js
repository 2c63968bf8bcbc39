// Talks to the server: JSON and binary requests that carry the session's token, failures in words, and ids of one's own.

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
  let failure;
  try {
    failure = JSON.parse(text);
  } catch {
    failure = { error: `the server answered ${answer.status}` };
  }
  throw new RequestFailed(answer.status, failure.error ?? `the server answered ${answer.status}`, failure);
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
 * A random id. `crypto.randomUUID` is missing where a studio is reached over plain HTTP.
 * @param {number} bytes
 * @returns {string} hexadecimal
 */
export function randomId(bytes) {
  return [...crypto.getRandomValues(new Uint8Array(bytes))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

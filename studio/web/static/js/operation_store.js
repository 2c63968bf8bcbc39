// Keeps operations in the browser until the server has confirmed them, so that neither a lost connection nor a crash
// loses an edit. Each is an entry of its own: keeping one costs the same however many wait.

/**
 * @typedef {object} Change
 * @property {string} segment
 * @property {number | null | "pending"} before the version it was made on; null: there was none; "pending": what
 *   the operation before it in the queue makes
 * @property {import("./segment_index.js").Segment | null} after null: removed
 */

/**
 * @typedef {object} Operation
 * @property {string} operation
 * @property {Change[]} changes
 */

const PREFIX = "operations";

/**
 * How many operations of a person wait in this browser, by annotation.
 * @param {string} account
 * @returns {Map<string, number>}
 */
export function waitingOperations(account) {
  /** @type {Map<string, number>} */
  const found = new Map();
  for (const key of Object.keys(localStorage)) {
    const [prefix, who, annotation] = key.split("/").map(decodeURIComponent);
    if (prefix === PREFIX && who === account) found.set(annotation, (found.get(annotation) ?? 0) + 1);
  }
  return found;
}

/** The operations of one person on one annotation; those of each tab apart. */
export class OperationStore {
  /**
   * @param {string} account
   * @param {string} annotation
   */
  constructor(account, annotation) {
    this.place = [PREFIX, account, annotation].map(encodeURIComponent).join("/");
    this.tab = `${Date.now()}-${hexadecimal(4)}`; // sorts by when it was opened
    this.count = 0;
    /** Whether the browser took all that it was given to keep. */
    this.keeps = true;
    /** @type {Map<string, string>} */
    this.keys = new Map();
    void navigator.locks?.request(`${this.place}/${this.tab}`, () => new Promise(() => {}));
  }

  /**
   * What tabs that are gone have left, in their order; it is ours from now on. Where the browser cannot tell which
   * tabs are gone, all is taken: sending an operation twice does nothing.
   * @returns {Promise<Operation[]>}
   */
  async claim() {
    /** @type {Map<string, string[]>} */
    const byTab = new Map();
    for (const key of Object.keys(localStorage).sort()) {
      if (!key.startsWith(`${this.place}/`)) continue;
      const tab = key.slice(this.place.length + 1).split("/")[0];
      if (tab !== this.tab) byTab.set(tab, [...(byTab.get(tab) ?? []), key]);
    }
    /** @type {Operation[]} */
    const claimed = [];
    for (const [tab, keys] of byTab) {
      if (!(await isGone(`${this.place}/${tab}`))) continue;
      for (const key of keys) {
        const operation = read(key);
        if (operation) {
          this.keep(operation);
          claimed.push(operation);
        }
        localStorage.removeItem(key);
      }
    }
    return claimed;
  }

  /** @param {Operation} operation new, or changed since it was kept */
  keep(operation) {
    let key = this.keys.get(operation.operation);
    if (!key) {
      key = `${this.place}/${this.tab}/${String(this.count++).padStart(9, "0")}`;
      this.keys.set(operation.operation, key);
    }
    try {
      localStorage.setItem(key, JSON.stringify(operation));
      this.keeps = true;
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      this.keeps = false; // full: shown to the person, who should not leave the page now
    }
  }

  /** @param {Operation} operation */
  forget(operation) {
    const key = this.keys.get(operation.operation);
    if (key) localStorage.removeItem(key);
    this.keys.delete(operation.operation);
  }
}

/**
 * A random id. `crypto.randomUUID` is missing where a studio is reached over plain HTTP.
 * @param {number} bytes
 */
export function hexadecimal(bytes) {
  return [...crypto.getRandomValues(new Uint8Array(bytes))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {string} lock held by a tab for as long as it lives */
async function isGone(lock) {
  if (!navigator.locks) return true;
  return navigator.locks.request(lock, { ifAvailable: true }, (held) => held !== null);
}

/**
 * @param {string} key
 * @returns {Operation | null}
 */
function read(key) {
  try {
    const found = JSON.parse(localStorage.getItem(key) ?? "null");
    return typeof found?.operation === "string" && Array.isArray(found.changes) ? found : null;
  } catch {
    return null;
  }
}

// Keeps operations in the browser until the server has confirmed them, so that neither a lost connection nor a crash
// loses an edit: in localStorage, which has them at once, and on the disk, which a crash of the whole browser leaves.
// Each is an entry of its own: keeping one costs the same however many wait.

import { randomId } from "../shared/api.js";
import { loadTexts, remove, saveText } from "../shared/browser_storage.js";
import { OperationDisk } from "./operation_disk.js";

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
 * @returns {Promise<Map<string, number>>}
 */
export async function waitingOperations(account) {
  /** @type {Map<string, number>} */
  const found = new Map();
  for (const key of (await entries(new OperationDisk(), `${storageKey(account)}/`)).keys()) {
    const annotation = decodeURIComponent(key.split("/")[2]);
    found.set(annotation, (found.get(annotation) ?? 0) + 1);
  }
  return found;
}

/** The operations of one person on one annotation; those of each tab apart. Event: "stored", when `allStored` may have changed. */
export class OperationStore extends EventTarget {
  /**
   * @param {string} account
   * @param {string} annotation
   */
  constructor(account, annotation) {
    super();
    this.prefix = storageKey(account, annotation);
    this.tab = `${Date.now()}-${randomId(4)}`; // sorts by when it was opened
    this.count = 0;
    this.disk = new OperationDisk();
    /** @type {Map<string, string>} */
    this.keys = new Map();
    /** @type {Set<string>} the keys of those that are in this page alone */
    this.unstored = new Set();
    void navigator.locks?.request(`${this.prefix}/${this.tab}`, () => new Promise(() => {}));
  }

  /** Whether the browser has stored all that it was given. */
  get allStored() {
    return this.unstored.size === 0;
  }

  /**
   * The operations of tabs that were closed, in their order; they are ours from now on. Where the browser cannot tell
   * which tabs are closed, all are taken: sending an operation twice does nothing.
   * @returns {Promise<Operation[]>}
   */
  async claim() {
    const found = await entries(this.disk, `${this.prefix}/`);
    /** @type {Map<string, string[]>} */
    const byTab = new Map();
    for (const key of [...found.keys()].sort()) {
      const tab = key.slice(this.prefix.length + 1).split("/")[0];
      if (tab !== this.tab) byTab.set(tab, [...(byTab.get(tab) ?? []), key]);
    }
    /** @type {Operation[]} */
    const claimed = [];
    for (const [tab, keys] of byTab) {
      if (!(await isClosed(`${this.prefix}/${tab}`))) continue;
      for (const key of keys) {
        const operation = read(found.get(key));
        if (operation) {
          this.save(operation);
          claimed.push(operation);
        }
        this._remove(key);
      }
    }
    return claimed;
  }

  /** @param {Operation} operation new, or changed since it was saved */
  save(operation) {
    let key = this.keys.get(operation.operation);
    if (!key) {
      key = `${this.prefix}/${this.tab}/${String(this.count++).padStart(9, "0")}`;
      this.keys.set(operation.operation, key);
    }
    const text = JSON.stringify(operation);
    if (saveText(key, text)) this.unstored.delete(key);
    else this.unstored.add(key); // shown to the person, who should not leave the page before the disk has it
    void this._toDisk(key, text);
  }

  /** @param {Operation} operation */
  forget(operation) {
    const key = this.keys.get(operation.operation);
    if (key) this._remove(key);
    this.keys.delete(operation.operation);
  }

  /**
   * @param {string} key
   * @param {string} text
   */
  async _toDisk(key, text) {
    if ((await this.disk.put(key, text)) && this.unstored.delete(key)) this.dispatchEvent(new Event("stored"));
  }

  /** @param {string} key */
  _remove(key) {
    remove(key);
    void this.disk.delete(key);
    this.unstored.delete(key);
  }
}

/** @param {string[]} names */
function storageKey(...names) {
  return [PREFIX, ...names].map(encodeURIComponent).join("/");
}

/**
 * What the browser keeps whose keys begin so. Where both have it, the disk has what was written last: localStorage may
 * have lost that.
 * @param {OperationDisk} disk
 * @param {string} prefix
 * @returns {Promise<Map<string, string>>}
 */
async function entries(disk, prefix) {
  return new Map([...loadTexts(prefix), ...(await disk.entries(prefix))]);
}

/** @param {string} name of the lock that a tab has for as long as it is open */
async function isClosed(name) {
  if (!navigator.locks) return true;
  return navigator.locks.request(name, { ifAvailable: true }, (lock) => lock !== null);
}

/**
 * @param {string | undefined} text
 * @returns {Operation | null}
 */
function read(text) {
  try {
    const found = JSON.parse(text ?? "null");
    return typeof found?.operation === "string" && Array.isArray(found.changes) ? found : null;
  } catch {
    return null;
  }
}

// Text that is on the disk a few milliseconds after it was handed over. localStorage outlives a page that crashes, but
// reaches the disk only seconds later: a browser that is killed as a whole loses what it was given last.

const DATABASE = "kinesphere";
const STORE = "operations";

/** Entries of this browser, by key, in IndexedDB. Where there is none, it keeps nothing and says so. */
export class OperationDisk {
  constructor() {
    /** @type {Promise<IDBDatabase | null> | null} null: to be opened when it is needed next */
    this.database = opened();
  }

  /**
   * @param {string} key
   * @param {string} text
   * @returns {Promise<boolean>} whether the disk has it
   */
  put(key, text) {
    return this._change("strict", (store) => store.put(text, key));
  }

  /**
   * @param {string} key
   * @returns {Promise<boolean>}
   */
  delete(key) {
    return this._change("relaxed", (store) => store.delete(key));
  }

  /**
   * All entries whose keys begin so.
   * @param {string} prefix
   * @returns {Promise<Map<string, string>>}
   */
  async entries(prefix) {
    const store = (await this._begin("readonly"))?.objectStore(STORE);
    if (!store) return new Map();
    const range = IDBKeyRange.bound(prefix, `${prefix}\uffff`);
    const [keys, texts] = await Promise.all([result(store.getAllKeys(range)), result(store.getAll(range))]);
    return new Map(keys.map((key, place) => [String(key), String(texts[place])]));
  }

  /**
   * @param {IDBTransactionDurability} durability
   * @param {(store: IDBObjectStore) => void} change
   * @returns {Promise<boolean>}
   */
  async _change(durability, change) {
    const transaction = await this._begin("readwrite", { durability });
    if (!transaction) return false;
    return new Promise((resolve) => {
      transaction.addEventListener("complete", () => resolve(true));
      transaction.addEventListener("abort", () => resolve(false)); // the disk is full
      change(transaction.objectStore(STORE));
    });
  }

  /**
   * @param {IDBTransactionMode} mode
   * @param {IDBTransactionOptions} [options]
   * @returns {Promise<IDBTransaction | null>} nothing where there is no database, or the browser is closing it
   */
  async _begin(mode, options) {
    this.database ??= opened();
    const database = await this.database;
    if (!database) {
      this.database = null;
      return null;
    }
    // The browser closes it under the page where a person clears what sites have kept.
    database.onclose = () => {
      this.database = null;
    };
    try {
      return database.transaction(STORE, mode, options);
    } catch (error) {
      if (error instanceof DOMException && error.name === "InvalidStateError") return null;
      throw error;
    }
  }
}

/** @returns {Promise<IDBDatabase | null>} */
function opened() {
  return new Promise((resolve) => {
    if (!globalThis.indexedDB) return resolve(null);
    const request = indexedDB.open(DATABASE, 1);
    request.addEventListener("upgradeneeded", () => request.result.createObjectStore(STORE));
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", (event) => {
      event.preventDefault(); // some browsers refuse it in private windows
      resolve(null);
    });
  });
}

/**
 * @template Result
 * @param {IDBRequest<Result>} request
 * @returns {Promise<Result>}
 */
function result(request) {
  return new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error));
  });
}

// What the browser stores for a page from one visit to the next. It may have no room, or refuse to store anything (some
// settings, some companies): then a page does what it does on the first visit, and no action fails because of it.

/** @returns {Storage | null} nothing where the browser refuses it */
function storage() {
  try {
    return globalThis.localStorage;
  } catch {
    return null;
  }
}

/**
 * @param {string} key
 * @param {string} text
 * @returns {boolean} whether the browser stores it
 */
export function saveText(key, text) {
  const place = storage();
  if (!place) return false;
  try {
    place.setItem(key, text);
    return true;
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    return false;
  }
}

/**
 * @param {string} key
 * @param {unknown} value goes through JSON
 * @returns {boolean} whether the browser stores it
 */
export function save(key, value) {
  return saveText(key, JSON.stringify(value));
}

/**
 * @param {string} key
 * @returns {any} null where nothing is stored, or what is stored is damaged
 */
export function load(key) {
  try {
    return JSON.parse(storage()?.getItem(key) ?? "null");
  } catch {
    return null;
  }
}

/** @param {string} key */
export function remove(key) {
  storage()?.removeItem(key);
}

/**
 * @param {string} prefix
 * @returns {[string, string][]} keys that begin so, with their texts
 */
export function loadTexts(prefix) {
  return Object.entries(storage() ?? {}).filter(([key]) => key.startsWith(prefix));
}

// Keys: every action of a page with its keys, help by "?", and keys of one's own, kept in the browser.

import { load, remove, save } from "./browser_storage.js";
import { notice } from "./page.js";

/**
 * @typedef {object} Action
 * @property {string} name stands for the action in what is stored
 * @property {string} title what it does, in a few words
 * @property {string} group heading in the help
 * @property {string[]} keys e.g. "Space", "Shift+ArrowLeft", "Ctrl+z", "?", "["
 * @property {(event: KeyboardEvent) => void} run
 * @property {boolean} [always] also while something is typed into a field
 * @property {() => boolean} [when] whether the key is ours now; if not, it does what it does everywhere
 */

const RESERVED = new Set(["Ctrl+w", "Ctrl+t", "Ctrl+n", "Ctrl+Tab", "Ctrl+Shift+w", "Ctrl+Shift+t", "Ctrl+Shift+n"]);
const MODIFIERS = new Set(["Shift", "Control", "Alt", "Meta", "AltGraph"]);

/**
 * How a pressed key is written. Shift counts only where it does not change the character.
 * @param {KeyboardEvent} event
 * @returns {string}
 */
export function keyName(event) {
  let key = event.key === " " ? "Space" : event.key;
  const isCharacter = [...key].length === 1;
  const parts = [];
  if (event.ctrlKey || event.metaKey) parts.push("Ctrl");
  if (event.altKey) parts.push("Alt");
  if (event.shiftKey && (!isCharacter || /\p{L}/u.test(key))) parts.push("Shift");
  if (isCharacter) key = key.toLowerCase();
  return [...parts, key].join("+");
}

/** The keys of one page. */
export class Keymap {
  /**
   * @param {string} page names the page in what is stored
   * @param {Action[]} actions
   */
  constructor(page, actions) {
    this.storageKey = `keys:${page}`;
    this.actions = [...actions];
    /** @type {Map<string, Action>} */
    this.byKey = new Map();
    /** @type {Map<string, string[]>} */
    this.defaults = new Map(actions.map((action) => [action.name, action.keys]));
    this._load();
    this.paused = false;
    document.addEventListener("keydown", (event) => this._pressed(event));
  }

  /**
   * Add actions later, e.g. labels with hotkeys. Keys that are taken already stay with whom they have.
   * @param {Action[]} actions
   */
  add(actions) {
    for (const action of actions) {
      this.actions = this.actions.filter((known) => known.name !== action.name);
      this.actions.push(action);
      this.defaults.set(action.name, action.keys);
    }
    this._load();
  }

  /**
   * Which action has a key already, other than the one named.
   * @param {string} key
   * @param {string} name
   * @returns {Action | undefined}
   */
  conflict(key, name) {
    const found = this.byKey.get(key);
    return found && found.name !== name ? found : undefined;
  }

  /**
   * Give an action other keys. Says why not, or "".
   * @param {string} name
   * @param {string[]} keys
   * @returns {string}
   */
  remap(name, keys) {
    for (const key of keys) {
      if (RESERVED.has(key)) return `${key} is reserved by the browser`;
      const taken = this.conflict(key, name);
      if (taken) return `${key} is taken by "${taken.title}"`;
    }
    const stored = this._stored();
    stored[name] = keys;
    if (!save(this.storageKey, stored)) return "the browser's storage is full or refused, so your key cannot be saved";
    this._load();
    return "";
  }

  /** Forget all keys of one's own. */
  reset() {
    remove(this.storageKey);
    this._load();
  }

  /** Show all keys, and let the person change them. */
  help() {
    const before = document.getElementById("keys-help");
    if (before instanceof HTMLDialogElement) {
      // It may be closed already: the browser tells that up to a frame later.
      const { open } = before;
      before.close();
      before.remove();
      if (open) return;
    }
    const dialog = document.createElement("dialog");
    dialog.id = "keys-help";
    dialog.className = "keys-help";
    dialog.setAttribute("aria-label", "Keys");
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    this._fill(dialog);
    dialog.showModal();
  }

  /** @returns {Record<string, string[]>} */
  _stored() {
    const found = load(this.storageKey);
    return typeof found === "object" && found ? found : {};
  }

  _load() {
    const stored = this._stored();
    this.byKey.clear();
    for (const action of this.actions) {
      action.keys = stored[action.name] ?? this.defaults.get(action.name) ?? [];
      for (const key of action.keys) if (!this.byKey.has(key)) this.byKey.set(key, action);
    }
  }

  /** @param {KeyboardEvent} event */
  _pressed(event) {
    if (this.paused || event.defaultPrevented || event.isComposing || MODIFIERS.has(event.key)) return;
    if (document.querySelector("dialog[open]") && keyName(event) !== "?") return;
    const action = this.byKey.get(keyName(event));
    if (!action || action.when?.() === false) return;
    const target = event.target;
    const typing =
      target instanceof HTMLElement &&
      (target.isContentEditable || target.matches("textarea, select, input:not([type=checkbox], [type=radio], [type=range])"));
    if (typing && !action.always) return;
    const pressing = target instanceof HTMLElement && target.matches("button, a[href], summary, input");
    if (pressing && (event.key === "Enter" || event.key === " ")) return;
    event.preventDefault();
    action.run(event);
  }

  /** @param {HTMLDialogElement} dialog */
  _fill(dialog) {
    dialog.replaceChildren();
    const title = document.createElement("h2");
    title.textContent = "Keys";
    dialog.append(title);
    const columns = document.createElement("div");
    columns.className = "columns";
    for (const group of new Set(this.actions.map((action) => action.group))) {
      const section = document.createElement("section");
      const heading = document.createElement("h3");
      heading.textContent = group;
      const list = document.createElement("table");
      for (const action of this.actions.filter((one) => one.group === group)) list.append(this._line(action, dialog));
      section.append(heading, list);
      columns.append(section);
    }
    const foot = document.createElement("p");
    const reset = document.createElement("button");
    reset.type = "button";
    reset.textContent = "Restore the default keys";
    reset.addEventListener("click", () => {
      this.reset();
      this._fill(dialog);
    });
    const close = document.createElement("button");
    close.type = "button";
    close.className = "main";
    close.textContent = "Close";
    close.addEventListener("click", () => dialog.close());
    foot.className = "row";
    foot.append(reset, close);
    dialog.append(columns, foot);
    close.focus();
  }

  /**
   * @param {Action} action
   * @param {HTMLDialogElement} dialog
   * @returns {HTMLTableRowElement}
   */
  _line(action, dialog) {
    const row = document.createElement("tr");
    const what = document.createElement("td");
    what.textContent = action.title;
    const keys = document.createElement("td");
    const change = document.createElement("button");
    change.type = "button";
    change.className = "quiet";
    change.setAttribute("aria-label", `Change the key of: ${action.title} (${action.keys.join(" or ") || "none"})`);
    for (const key of action.keys.length ? action.keys : ["none"]) {
      const shown = document.createElement("kbd");
      shown.textContent = key;
      change.append(shown);
    }
    change.addEventListener("click", () => {
      change.textContent = "press a key, or Esc to cancel";
      const listen = (/** @type {KeyboardEvent} */ event) => {
        if (MODIFIERS.has(event.key)) return;
        event.preventDefault();
        event.stopPropagation();
        document.removeEventListener("keydown", listen, true);
        const why = event.key === "Escape" ? "" : this.remap(action.name, [keyName(event)]);
        if (why) notice(why, "bad");
        this._fill(dialog);
      };
      document.addEventListener("keydown", listen, true);
    });
    keys.append(change);
    row.append(what, keys);
    return row;
  }
}

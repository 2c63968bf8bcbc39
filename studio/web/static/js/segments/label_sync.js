// Keeps segments in step with the server: what it has confirmed, and over it the operations that wait. Each is sent at
// once, kept in the browser until it is confirmed, and sent again after any failure.

import { RequestFailed, postJson, randomId } from "../shared/api.js";
import { SegmentIndex, sameContent } from "./segment_index.js";

/** @typedef {import("./segment_index.js").Segment} Segment */
/** @typedef {import("./operation_store.js").Operation} Operation */
/** @typedef {import("./operation_store.js").OperationStore} OperationStore */

/**
 * @typedef {object} Edit one segment before and after; null: it is not there
 * @property {string} segment
 * @property {Segment | null} before
 * @property {Segment | null} after
 */

/** @typedef {"saved" | "saving" | "offline" | "signed out" | "stopped"} SaveState */

/**
 * @typedef {object} Conflict somebody else changed what an operation changes
 * @property {string} segment
 * @property {Segment | null} mine
 * @property {Segment | null} theirs
 */

const BATCH = 100;
const LONGEST_WAIT_MS = 10_000;

/**
 * Events: "change" (detail.segments: ids), "state", "conflict" (see `conflicts`; answer by `resolve`),
 * "refused" (detail.message: why an edit was not made, or taken back).
 */
export class LabelSync extends EventTarget {
  /**
   * @param {string} path of the annotation in the API
   * @param {string[]} tracks
   * @param {OperationStore} store
   */
  constructor(path, tracks, store) {
    super();
    this.path = path;
    this.store = store;
    /** What is shown: the confirmed segments with the waiting operations applied. */
    this.index = new SegmentIndex(tracks);
    /** @type {Map<string, Segment>} what the server has, as far as we know */
    this.confirmed = new Map();
    /** @type {Map<string, number>} the revisions at which segments were removed */
    this.removed = new Map();
    /** @type {Operation[]} */
    this.queue = [];
    /** The revision up to which all changes are known. */
    this.revision = 0;
    /** The latest revision that there is, as far as we know. */
    this.latest = 0;
    /** @type {SaveState} */
    this.state = "saved";
    this.problem = "";
    /** Why nothing may be changed; "" if it may. */
    this.closedReason = "";
    /** @type {Conflict[] | null} */
    this.conflicts = null;
    this._wait = 0;
    this._most = BATCH;
    this._sending = false;
    this._timer = 0;
    /** @type {EventSource | null} */
    this._source = null;
    addEventListener("online", () => this._sendSoon(0));
  }

  /**
   * Begin with what the server has, and go on with the operations that a closed tab did not send.
   * @param {{revision: number, segments: Segment[]}} annotation
   */
  async begin(annotation) {
    this.revision = this.latest = annotation.revision;
    this.confirmed = new Map(annotation.segments.map((segment) => [segment.segment, segment]));
    this.queue = await this.store.claim();
    /** @type {Set<string>} */
    const touched = new Set();
    for (const change of this.queue.flatMap((operation) => operation.changes)) {
      if (change.before === "pending" && !touched.has(change.segment)) change.before = this._version(change.segment);
      touched.add(change.segment);
    }
    this.index.fill(this.confirmed.values());
    for (const segment of touched) this._show(segment);
    this._changed([...this.index.byId.keys()]);
    this._sendSoon(0);
  }

  /**
   * End a conflict: for each segment in doubt, keep mine or take theirs.
   * @param {Map<string, "mine" | "theirs">} choices
   */
  resolve(choices) {
    /** @type {Conflict[]} */
    const conflicts = this.conflicts ?? [];
    this.conflicts = null;
    for (const { segment, theirs } of conflicts) {
      if (choices.get(segment) === "mine") {
        const first = this.queue.flatMap((operation) => operation.changes).find((change) => change.segment === segment);
        if (first) first.before = theirs?.version ?? null;
      } else {
        for (const operation of this.queue) {
          operation.changes = operation.changes.filter((change) => change.segment !== segment);
        }
      }
      this._show(segment);
    }
    for (const operation of this.queue) {
      if (operation.changes.length) this.store.save(operation);
      else this.store.forget(operation);
    }
    this.queue = this.queue.filter((operation) => operation.changes.length);
    this._changed(conflicts.map(({ segment }) => segment));
    this._sendSoon(0);
  }

  /**
   * Wait until the server has everything.
   * @param {number} milliseconds at most
   * @returns {Promise<boolean>} whether it has
   */
  async settled(milliseconds = 5000) {
    const until = performance.now() + milliseconds;
    while (this.queue.length && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 20));
    return !this.queue.length;
  }

  /**
   * Learn what others (or another tab) change, while the page is looked at: a browser has few connections to a server,
   * and tabs in the background must not use them up.
   */
  listen() {
    const open = () => {
      this._source?.close();
      this._source = null;
      if (document.hidden) return;
      this._source = new EventSource(`${this.path}/events?after=${this.revision}`);
      this._source.addEventListener("operation", (event) => this._receive([JSON.parse(event.data)]));
      this._source.addEventListener("open", () => this._sendSoon(0));
    };
    document.addEventListener("visibilitychange", open);
    addEventListener("pagehide", () => this._source?.close());
    open();
  }

  /** @param {{revision: number, changes: {segment: string, after: Segment | null}[]}[]} operations of others, or our own */
  _receive(operations) {
    /** @type {string[]} */
    const changed = [];
    for (const operation of operations) {
      for (const { segment, after } of operation.changes) {
        if (this._update(segment, after, operation.revision)) changed.push(segment);
      }
      this.revision = Math.max(this.revision, operation.revision);
      this.latest = Math.max(this.latest, operation.revision);
    }
    if (changed.length) this._changed(changed);
  }

  /** @param {Edit[]} edits shown at once, sent at once */
  enqueue(edits) {
    const operation = {
      operation: randomId(16),
      changes: edits.map(({ segment, after }) => ({ segment, before: this._base(segment), after })),
    };
    this.queue.push(operation);
    this.store.save(operation);
    for (const { segment, after } of edits) {
      if (after) this.index.put(after);
      else this.index.remove(segment);
    }
    this._changed(edits.map(({ segment }) => segment));
    this._sendSoon(0);
  }

  /**
   * The version that a change of a segment is made on.
   * @param {string} segment
   * @returns {number | "pending" | null}
   */
  _base(segment) {
    for (let place = this.queue.length - 1; place >= 0; place--) {
      const change = this.queue[place].changes.find((one) => one.segment === segment);
      if (change) return change.after ? "pending" : null;
    }
    return this._version(segment);
  }

  /** @param {string} segment */
  _version(segment) {
    return this.confirmed.get(segment)?.version ?? null;
  }

  /**
   * What the server has of a segment since a revision. Says whether that is news for what is shown.
   * @param {string} segment
   * @param {Segment | null} state
   * @param {number} revision
   */
  _update(segment, state, revision) {
    const known = Math.max(this._version(segment) ?? -1, this.removed.get(segment) ?? -1);
    if (revision < known || (revision === known && state !== null)) return false;
    if (state) {
      this.confirmed.set(segment, { ...state, version: revision });
      this.removed.delete(segment);
    } else {
      this.confirmed.delete(segment);
      this.removed.set(segment, revision);
    }
    return this._show(segment);
  }

  /**
   * Show a segment as it is with the operations that wait. Says whether that changed anything.
   * @param {string} segment
   */
  _show(segment) {
    const before = this.index.get(segment);
    let state = this.confirmed.get(segment) ?? null;
    for (const operation of this.queue) {
      for (const change of operation.changes) {
        if (change.segment === segment) state = change.after;
      }
    }
    if (state) this.index.put(state);
    else this.index.remove(segment);
    return !sameContent(before, state);
  }

  /** @param {number} milliseconds */
  _sendSoon(milliseconds) {
    clearTimeout(this._timer);
    if (milliseconds) this._timer = setTimeout(() => void this._send(), milliseconds);
    else void this._send();
  }

  /** Send what waits, in order; an operation that builds on another one waits until that has its version. */
  async _send() {
    if (this._sending || this.conflicts || !this.queue.length) {
      if (!this.queue.length) this._setState("saved");
      return;
    }
    this._sending = true;
    if (this.state === "saved") this._setState("saving");
    const waits = this.queue.findIndex(({ changes }) => changes.some((change) => change.before === "pending"));
    const batch = this.queue.slice(0, Math.min(waits < 0 ? this._most : waits, this._most));
    let response;
    try {
      response = await postJson(`${this.path}/operations`, { operations: batch });
    } catch (error) {
      this._sending = false;
      // an answer that was cut off is no RequestFailed: whether it was applied is found out by sending it again
      this._failed(error instanceof RequestFailed ? error : new RequestFailed(0, "the connection was lost"), batch);
      return;
    }
    this._sending = false;
    this._wait = 0;
    this._most = BATCH;
    this._confirm(batch, response.segments, response.revision);
    this.latest = Math.max(this.latest, response.revision);
    if (!this.queue.length) this.dispatchEvent(new Event("confirmed"));
    this._sendSoon(0);
  }

  /**
   * @param {Operation[]} batch
   * @param {Segment[]} segments what the server made of them
   * @param {number} revision
   */
  _confirm(batch, segments, revision) {
    const made = new Map(segments.map((segment) => [segment.segment, segment]));
    const ids = new Set(batch.flatMap(({ changes }) => changes.map((change) => change.segment)));
    const done = new Set(batch);
    this.queue = this.queue.filter((operation) => !done.has(operation));
    /** @type {string[]} */
    const changed = []; // by the server, which may have moved an edge to a frame's
    for (const segment of ids) {
      const state = made.get(segment) ?? null;
      if (this._update(segment, state, state?.version ?? revision)) changed.push(segment);
      for (const operation of this.queue) {
        const next = operation.changes.find((change) => change.segment === segment);
        if (!next) continue;
        if (next.before === "pending") {
          next.before = state?.version ?? null;
          this.store.save(operation);
        }
        break;
      }
    }
    for (const operation of batch) this.store.forget(operation);
    if (changed.length) this._changed(changed);
  }

  /**
   * @param {RequestFailed} error
   * @param {Operation[]} [batch] what was being sent
   */
  _failed(error, batch) {
    const { status, body } = error;
    if (status === 409 && body?.kind === "LabelConflict") {
      this._conflict(body);
    } else if (status === 401) {
      this._setState("signed out", error.message);
      this._sendSoon(LONGEST_WAIT_MS);
    } else if (status === 0 || status >= 500 || status === 408 || status === 429) {
      this._setState("offline", error.message);
      this._wait = Math.min(LONGEST_WAIT_MS, Math.max(250, this._wait * 2));
      this._sendSoon(this._wait * (0.75 + Math.random() / 2));
    } else if (status === 422 && batch && batch.length > 1) {
      this._most = 1; // so that the right one is blamed
      this._sendSoon(0);
    } else if (status === 422 && batch) {
      this._refuse(batch[0], error.message);
    } else {
      this._setState("stopped", error.message);
    }
  }

  /**
   * @param {{conflicts: {segment: string, current: Segment | null}[], applied: string[]}} response
   */
  _conflict(response) {
    if (response.applied.length) {
      this._most = response.applied.length; // sent again alone, those are answered with their versions
      this._sendSoon(0);
      return;
    }
    this.conflicts = response.conflicts.map(({ segment, current }) => {
      const mine = this.index.get(segment) ?? null;
      if (current) this.confirmed.set(segment, current);
      else this.confirmed.delete(segment);
      return { segment, mine, theirs: current };
    });
    this._setState("saving");
    this.dispatchEvent(new Event("conflict"));
  }

  /**
   * The server will not have an operation: take it back.
   * @param {Operation} operation
   * @param {string} message
   */
  _refuse(operation, message) {
    this.queue = this.queue.filter((one) => one !== operation);
    this.store.forget(operation);
    for (const { segment } of operation.changes) {
      const next = this.queue.flatMap(({ changes }) => changes).find((change) => change.segment === segment);
      if (next?.before === "pending") next.before = this._version(segment);
      this._show(segment);
    }
    this._changed(operation.changes.map(({ segment }) => segment));
    this.dispatchEvent(new CustomEvent("refused", { detail: { message: `taken back: ${message}` } }));
    this._sendSoon(0);
  }

  /** @param {string[]} segments */
  _changed(segments) {
    this.dispatchEvent(new CustomEvent("change", { detail: { segments } }));
  }

  /**
   * @param {SaveState} state
   * @param {string} problem
   */
  _setState(state, problem = "") {
    if (state === this.state && problem === this.problem) return;
    this.state = state;
    this.problem = problem;
    this.dispatchEvent(new Event("state"));
  }
}

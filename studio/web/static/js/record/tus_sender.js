// Sends a recording while it is being made: chunks go to a tus upload in order, and again where a connection broke.

import { RequestFailed, request } from "../shared/api.js";

const TUS = { "Tus-Resumable": "1.0.0" };
const PART = { ...TUS, "Content-Type": "application/offset+octet-stream" };
const LONGEST_WAIT_MS = 15_000;

/** One upload, of which the length is told at the end. Events: "sent" whenever the server has confirmed something. */
export class TusSender extends EventTarget {
  /** @param {string} location address of an upload that was begun */
  constructor(location) {
    super();
    this.location = location;
    /** @type {Blob[]} what the server has not confirmed, in order */
    this.waiting = [];
    this.confirmed = 0;
    this.total = 0;
    this.running = false;
    this.stopped = false;
    /** @type {Error | null} what nothing can be done about */
    this.failed = null;
  }

  /**
   * Begin an upload.
   * @param {string} contributor whose take it is, and @param {string} recording its id: an erasure finds it by these
   */
  static async begin(contributor, recording) {
    const told = `contributor ${btoa(contributor)},recording ${btoa(recording)}`;
    const headers = { ...TUS, "Upload-Defer-Length": "1", "Upload-Metadata": told };
    const answer = await request("POST", "/api/uploads", { headers });
    return new TusSender(/** @type {string} */ (answer.headers.get("Location")));
  }

  /** Go on with an upload that an earlier page began. @param {string} location */
  static async resume(location) {
    const sender = new TusSender(location);
    sender.confirmed = sender.total = await sender._offset();
    return sender;
  }

  get upload() {
    return this.location.slice(this.location.lastIndexOf("/") + 1);
  }

  /** @param {Blob} chunk */
  add(chunk) {
    if (!chunk.size) return;
    this.waiting.push(chunk);
    this.total += chunk.size;
    void this._run();
  }

  /** Resolves when all is confirmed and the length is told; rejects where nothing can be done. */
  async finish() {
    for (;;) {
      await this._run();
      while (this.running) await pause(50);
      if (this.failed) throw this.failed;
      if (this.waiting.length) continue;
      const headers = { ...PART, "Upload-Offset": String(this.confirmed), "Upload-Length": String(this.total) };
      try {
        await request("PATCH", this.location, { headers, body: new Blob([]) });
        return;
      } catch (error) {
        if (isFinal(error)) throw error;
        await pause(1000);
      }
    }
  }

  /** Send nothing more, and let the server forget what it has; where it cannot be reached, it forgets by itself. */
  async abandon() {
    this.stopped = true;
    this.waiting = [];
    while (this.running) await pause(50);
    await endUpload(this.location);
  }

  async _run() {
    if (this.running || this.failed) return;
    this.running = true;
    let wait = 500;
    try {
      while (this.waiting.length && !this.stopped) {
        try {
          await this._sendOne();
          wait = 500;
        } catch (error) {
          if (isFinal(error)) {
            this.failed = /** @type {Error} */ (error);
            return;
          }
          await pause(wait);
          wait = Math.min(2 * wait, LONGEST_WAIT_MS);
          await this._catchUp();
        }
      }
    } finally {
      this.running = false;
      this.dispatchEvent(new Event("sent"));
    }
  }

  async _sendOne() {
    const chunk = new Blob(this.waiting);
    const headers = { ...PART, "Upload-Offset": String(this.confirmed) };
    const count = this.waiting.length;
    await request("PATCH", this.location, { headers, body: chunk });
    this.waiting.splice(0, count);
    this.confirmed += chunk.size;
    this.dispatchEvent(new Event("sent"));
  }

  /** Ask where the upload stands, and let go of what has arrived though nobody said so. */
  async _catchUp() {
    let offset;
    try {
      offset = await this._offset();
    } catch (error) {
      if (isFinal(error)) this.failed = /** @type {Error} */ (error);
      return;
    }
    let arrived = offset - this.confirmed;
    this.confirmed = offset;
    while (arrived > 0 && this.waiting.length) {
      const first = this.waiting[0];
      if (first.size > arrived) this.waiting[0] = first.slice(arrived);
      else this.waiting.shift();
      arrived -= first.size;
    }
  }

  async _offset() {
    const answer = await request("HEAD", this.location, { headers: TUS });
    return Number(answer.headers.get("Upload-Offset"));
  }
}

/** Let the server forget an upload that nobody wants any more. @param {string} location */
export async function endUpload(location) {
  try {
    await request("DELETE", location, { headers: TUS, keepalive: true });
  } catch (error) {
    if (!(error instanceof RequestFailed)) throw error;
  }
}

/** Whether trying again is no use. @param {unknown} error */
function isFinal(error) {
  return error instanceof RequestFailed && [400, 401, 403, 404, 413, 415].includes(error.status);
}

/** @param {number} ms */
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// The browser recorder: consent, framing, a take that is sent while it is made, and handing it in.

import { notice, pageData, postJson, RequestFailed } from "./api.js";
import { brightnessOf, openCamera, listCameras, recorderType } from "./camera.js";
import { Keymap } from "./keys.js";
import { TusSender } from "./tus_sender.js";

const data = pageData();
const MEMORY = `take:${data.task}:${data.contributor}`;
const CHUNK_MS = 1000;
const LONGEST_MS = 2 * 3600_000;

/** @param {string} id @returns {HTMLElement} */
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const video = /** @type {HTMLVideoElement} */ (element("camera"));
const consent = /** @type {HTMLFormElement} */ (element("consent"));
const cameras = /** @type {HTMLSelectElement} */ (element("cameras"));

/** @typedef {{recording: string, location: string, scopes: string[], signed: string, device: string, started_at: string}} Begun */

/** @param {unknown} error */
function complain(error) {
  element("problem").textContent = error instanceof Error ? error.message : String(error);
  element("problem").hidden = false;
}

/** An id that sorts by time, as all recordings have. */
function newRecordingId() {
  const now = new Date().toISOString().replace(/[-:]/g, "");
  const random = [...crypto.getRandomValues(new Uint8Array(4))].map((byte) => byte.toString(16).padStart(2, "0"));
  return `${now.slice(0, 8)}-${now.slice(9, 15)}-${random.join("")}`;
}

class Recorder {
  constructor() {
    /** @type {"consent" | "ready" | "counting" | "recording" | "sending" | "done"} */
    this.step = "consent";
    /** @type {MediaStream | null} */
    this.stream = null;
    /** @type {MediaRecorder | null} */
    this.recorder = null;
    /** @type {TusSender | null} */
    this.sender = null;
    /** @type {Begun | null} */
    this.begun = null;
    this.startedAt = 0;
    new Keymap("record", [
      { name: "go", title: "Record, or done", group: "Record", keys: ["Space"], run: () => this.go() },
      { name: "redo", title: "Again from the start", group: "Record", keys: ["r"], run: () => this.redo() },
    ]);
    consent.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.turnOn();
    });
    cameras.addEventListener("change", () => this.turnOn(cameras.value));
    element("start").addEventListener("click", () => this.go());
    element("stop").addEventListener("click", () => this.go());
    element("redo").addEventListener("click", () => this.redo());
    element("another").addEventListener("click", () => this.show("ready"));
    element("hand-in").addEventListener("click", () => this.handInLeft());
    element("forget").addEventListener("click", () => this.forgetLeft());
    addEventListener("beforeunload", (event) => {
      if (["recording", "sending"].includes(this.step)) event.preventDefault();
    });
    setInterval(() => this._look(), 500);
    void this._offerLeft();
  }

  /** @param {Recorder["step"]} step */
  show(step) {
    this.step = step;
    for (const id of ["consent", "ready", "recording", "sending", "done"]) element(id).hidden = id !== step;
    element("guide").toggleAttribute("hidden", step !== "ready");
    element("clock").hidden = step !== "recording";
    if (step !== "counting") element("count").textContent = "";
  }

  /** @param {string} [camera] */
  async turnOn(camera) {
    element("problem").hidden = true;
    try {
      this.stream?.getTracks().forEach((track) => track.stop());
      this.stream = await openCamera(camera);
    } catch (error) {
      complain(error);
      return;
    }
    video.srcObject = this.stream;
    await video.play();
    const track = this.stream.getVideoTracks()[0];
    track.addEventListener("ended", () => this.step === "recording" && this.finish("The camera was unplugged; what was recorded is kept."));
    await listCameras(cameras, track);
    this.show("ready");
  }

  /** The one key: start, or done. */
  go() {
    if (this.step === "ready") void this.start();
    else if (this.step === "recording") void this.finish();
  }

  async start() {
    if (!this.stream) return;
    const type = recorderType();
    if (!type) {
      complain("This browser cannot record video; use another one, or: kinesphere record");
      return;
    }
    this.show("counting");
    try {
      this.sender = await TusSender.begin();
    } catch (error) {
      this.show("ready");
      complain(error);
      return;
    }
    for (const number of [3, 2, 1]) {
      element("count").textContent = String(number);
      await new Promise((done) => setTimeout(done, 1000));
    }
    const agreed = new FormData(consent);
    this.begun = {
      recording: newRecordingId(),
      location: this.sender.location,
      scopes: [...new Set([...data.required, ...agreed.getAll("scope").map(String)])],
      signed: String(agreed.get("signed") ?? ""),
      device: this.stream.getVideoTracks()[0].label.slice(0, 200),
      started_at: new Date().toISOString(),
    };
    localStorage.setItem(MEMORY, JSON.stringify(this.begun));
    const { sender } = this;
    // MP4 leaves the browser in pieces that begin with a keyframe: what comes once a second is soon safe.
    const options = { mimeType: type, videoBitsPerSecond: 6_000_000, videoKeyFrameIntervalDuration: CHUNK_MS };
    this.recorder = new MediaRecorder(this.stream, options);
    this.recorder.addEventListener("dataavailable", (event) => sender.add(event.data));
    this.recorder.addEventListener("error", () => this.finish("The browser stopped recording; what was recorded is kept."));
    sender.addEventListener("sent", () => this._showSent());
    this.recorder.start(CHUNK_MS);
    this.startedAt = performance.now();
    this.show("recording");
  }

  /** Throw this take away and begin anew. */
  async redo() {
    if (this.step !== "recording") return;
    await this._stop();
    this.sender?.abandon();
    localStorage.removeItem(MEMORY);
    await this.start();
  }

  /** @param {string} [why] */
  async finish(why) {
    if (this.step !== "recording" || !this.sender || !this.begun) return;
    this.show("sending");
    if (why) notice(why, "bad", 0);
    await this._stop();
    await this._handIn(this.sender, this.begun, false);
  }

  async handInLeft() {
    const begun = left();
    if (!begun) return;
    element("unfinished").hidden = true;
    this.show("sending");
    try {
      await this._handIn(await TusSender.resume(begun.location), begun, true);
    } catch (error) {
      complain(error);
      this.show("consent");
    }
  }

  forgetLeft() {
    localStorage.removeItem(MEMORY);
    element("unfinished").hidden = true;
  }

  /**
   * @param {TusSender} sender
   * @param {Begun} begun
   * @param {boolean} recovered
   */
  async _handIn(sender, begun, recovered) {
    const { location, ...said } = begun;
    const take = {
      ...said, recovered, upload: sender.upload, task: data.task, consent_sha256: data.consent_sha256,
      replaces: data.replaces, ...(data.own ? {} : { contributor: data.contributor }),
    };
    try {
      element("sending-text").textContent = "Sending the rest …";
      await sender.finish();
      element("sending-text").textContent = "Looking at it …";
      const made = await this._untilAnswered(take);
      localStorage.removeItem(MEMORY);
      element("done-text").textContent =
        `${made.seconds.toFixed(1)} s are handed in, ${made.frames} pictures. They are checked now; what became of it you see under My recordings.`;
      this.show("done");
    } catch (error) {
      complain(error);
      if (error instanceof RequestFailed && error.status === 422) localStorage.removeItem(MEMORY);
      this.show(this.stream ? "ready" : "consent");
      void this._offerLeft();
    }
  }

  /** Ask until the server answers: asked again it makes no second recording. @param {object} take @returns {Promise<any>} */
  async _untilAnswered(take) {
    for (let tries = 0; ; tries++) {
      try {
        return await postJson("/api/takes", take);
      } catch (error) {
        const again = error instanceof RequestFailed && [0, 408, 502, 503, 504].includes(error.status) && tries < 100;
        if (!again) throw error;
        element("sending-text").textContent = "The server cannot be reached; trying again …";
        await new Promise((done) => setTimeout(done, 2000));
      }
    }
  }

  async _stop() {
    const { recorder } = this;
    if (!recorder || recorder.state === "inactive") return;
    await new Promise((done) => {
      recorder.addEventListener("stop", done, { once: true });
      recorder.stop();
    });
  }

  async _offerLeft() {
    const begun = left();
    if (!begun || this.step === "sending") return;
    try {
      const { confirmed } = await TusSender.resume(begun.location);
      if (!confirmed) return this.forgetLeft();
      element("saved").textContent = `${(confirmed / 1e6).toFixed(1)} MB had arrived.`;
      element("unfinished").hidden = false;
    } catch (error) {
      if (error instanceof RequestFailed && error.status === 404) localStorage.removeItem(MEMORY);
    }
  }

  _showSent() {
    const { sender } = this;
    if (!sender) return;
    element("sent").textContent = `${(sender.confirmed / 1e6).toFixed(1)} of ${(sender.total / 1e6).toFixed(1)} MB are safe.`;
    /** @type {HTMLProgressElement} */ (element("progress")).value = sender.total ? sender.confirmed / sender.total : 0;
  }

  /** Twice a second: advice before the take, the clock during it. */
  _look() {
    if (this.step === "recording") {
      const ms = performance.now() - this.startedAt;
      const seconds = Math.floor(ms / 1000);
      element("clock").textContent = `● ${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
      if (ms > LONGEST_MS) void this.finish("A take can last two hours; please begin another.");
    } else if (this.step === "ready" && this.stream) this._advise();
  }

  _advise() {
    const set = /** @type {MediaStream} */ (this.stream).getVideoTracks()[0].getSettings();
    const side = Math.min(set.width ?? 0, set.height ?? 0);
    const light = brightnessOf(video);
    const advice = data.advice;
    const bright = light < data.brightness ? `It is dark: ${advice.brightness}.` : light > 220
      ? `It is very bright: ${advice.clipped_share}.` : "The light is good.";
    /** @type {[string, boolean][]} text, and whether it is well */
    const lines = [
      [bright, light >= data.brightness && light <= 220],
      [`${set.width} × ${set.height}${side < data.side ? `: ${advice.shorter_side_pixels}.` : " is sharp enough."}`, side >= data.side],
      [`${Math.round(set.frameRate ?? 0)} pictures a second${(set.frameRate ?? 0) < data.rate ? `: ${advice.frame_rate}.` : " are enough."}`, (set.frameRate ?? 0) >= data.rate],
      [`Your head, both arms and what you work with should be in the picture. Record at least ${data.seconds} s.`, true],
    ];
    element("advice").replaceChildren(
      ...lines.map(([text, good]) => Object.assign(document.createElement("li"), { textContent: text, className: good ? "" : "bad" })),
    );
  }
}

/** @returns {Begun | null} what a page that was closed has left */
function left() {
  try {
    return JSON.parse(localStorage.getItem(MEMORY) ?? "null");
  } catch {
    return null;
  }
}

new Recorder();

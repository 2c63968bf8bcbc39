// The browser recorder: consent, framing, a take that is sent while it is made, and handing it in.

import { RequestFailed, postJson, randomId } from "../shared/api.js";
import { load, remove, save } from "../shared/browser_storage.js";
import { Keymap } from "../shared/keys.js";
import { notice, pageData } from "../shared/page.js";
import { brightnessOf, listCameras, openCamera, recorderType } from "./camera.js";
import { TusSender, endUpload } from "./tus_sender.js";

const data = pageData();
const STORAGE_KEY = `take:${data.task}:${data.contributor}`;
const CHUNK_MS = 1000;
const LONGEST_MS = 2 * 3600_000;

/** @param {string} id @returns {HTMLElement} */
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const video = /** @type {HTMLVideoElement} */ (element("camera"));
const consent = /** @type {HTMLFormElement} */ (element("consent"));
const cameras = /** @type {HTMLSelectElement} */ (element("cameras"));

/** @typedef {{recording: string, location: string, scopes: string[], signed: string, device: string, started_at: string}} Take */

/** @param {unknown} error */
function showProblem(error) {
  element("problem").textContent = error instanceof Error ? error.message : String(error);
  element("problem").hidden = false;
}

/** An id that sorts by time, as all recordings have. */
function newRecordingId() {
  const now = new Date().toISOString().replace(/[-:]/g, "");
  return `${now.slice(0, 8)}-${now.slice(9, 15)}-${randomId(4)}`;
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
    /** @type {Take | null} */
    this.take = null;
    /** @type {Take | null} what the browser has no room for: it is in this page alone */
    this.unsaved = null;
    this.startedAt = 0;
    new Keymap("record", [
      { name: "go", title: "Start or finish recording", group: "Record", keys: ["Space"], run: () => this.go() },
      { name: "redo", title: "Start over", group: "Record", keys: ["r"], run: () => this.redo() },
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
    element("hand-in").addEventListener("click", () => this.submitUnfinished());
    element("forget").addEventListener("click", () => this.discardUnfinished());
    addEventListener("beforeunload", (event) => {
      if (["recording", "sending"].includes(this.step)) event.preventDefault();
    });
    setInterval(() => this._tick(), 500);
    void this._offerUnfinished();
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
      showProblem(error);
      return;
    }
    video.srcObject = this.stream;
    await video.play();
    const track = this.stream.getVideoTracks()[0];
    track.addEventListener("ended", () => this.step === "recording" && this.finish("The camera was unplugged; what was recorded so far is saved."));
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
      showProblem("This browser cannot record video; use another browser, or the command: kinesphere record");
      return;
    }
    this.show("counting");
    const recording = newRecordingId();
    try {
      this.sender = await TusSender.begin(data.contributor, recording);
    } catch (error) {
      this.show("ready");
      showProblem(error);
      return;
    }
    for (const number of [3, 2, 1]) {
      element("count").textContent = String(number);
      await new Promise((done) => setTimeout(done, 1000));
    }
    const agreed = new FormData(consent);
    this.take = {
      recording,
      location: this.sender.location,
      scopes: [...new Set([...data.required, ...agreed.getAll("scope").map(String)])],
      signed: String(agreed.get("signed") ?? ""),
      device: this.stream.getVideoTracks()[0].label.slice(0, 200),
      started_at: new Date().toISOString(),
    };
    this._save(this.take);
    const { sender } = this;
    // MP4 leaves the browser in pieces that begin with a keyframe: what comes once a second is soon safe.
    const options = { mimeType: type, videoBitsPerSecond: 6_000_000, videoKeyFrameIntervalDuration: CHUNK_MS };
    this.recorder = new MediaRecorder(this.stream, options);
    this.recorder.addEventListener("dataavailable", (event) => sender.add(event.data));
    this.recorder.addEventListener("error", () => this.finish("The browser stopped recording; what was recorded so far is saved."));
    sender.addEventListener("sent", () => this._showSent());
    this.recorder.start(CHUNK_MS);
    this.startedAt = performance.now();
    this.show("recording");
  }

  /** Throw this take away and begin anew. */
  async redo() {
    if (this.step !== "recording") return;
    await this._stop();
    void this.sender?.abandon();
    this._forget();
    await this.start();
  }

  /** @param {string} [why] */
  async finish(why) {
    if (this.step !== "recording" || !this.sender || !this.take) return;
    this.show("sending");
    if (why) notice(why, "bad", 0);
    await this._stop();
    await this._submit(this.sender, this.take, false);
  }

  async submitUnfinished() {
    const take = this._unfinishedTake();
    if (!take) return;
    element("unfinished").hidden = true;
    this.show("sending");
    try {
      await this._submit(await TusSender.resume(take.location), take, true);
    } catch (error) {
      showProblem(error);
      this.show("consent");
    }
  }

  discardUnfinished() {
    const take = this._unfinishedTake();
    if (take) void endUpload(take.location);
    this._forget();
    element("unfinished").hidden = true;
  }

  /**
   * @param {TusSender} sender
   * @param {Take} take
   * @param {boolean} recovered
   */
  async _submit(sender, take, recovered) {
    const { location, ...details } = take;
    const submission = {
      ...details, recovered, upload: sender.upload, task: data.task, consent_sha256: data.consent_sha256,
      replaces: data.replaces, ...(data.own ? {} : { contributor: data.contributor }),
    };
    try {
      element("sending-text").textContent = "Sending the rest …";
      await sender.finish();
      element("sending-text").textContent = "Checking the video …";
      const made = await this._submitUntilAnswered(submission);
      this._forget();
      element("done-text").textContent =
        `You have submitted ${made.seconds.toFixed(1)} s (${made.frames} frames). Your recording is being checked now; you will find the result under My recordings.`;
      this.show("done");
    } catch (error) {
      showProblem(error);
      if (error instanceof RequestFailed && error.status === 422) {
        void endUpload(location);
        this._forget();
      }
      this.show(this.stream ? "ready" : "consent");
      void this._offerUnfinished();
    }
  }

  /** Submit until the server answers: submitted again it makes no second recording. @param {object} submission @returns {Promise<any>} */
  async _submitUntilAnswered(submission) {
    for (let tries = 0; ; tries++) {
      try {
        return await postJson("/api/takes", submission);
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

  /** @param {Take} take */
  _save(take) {
    this.unsaved = save(STORAGE_KEY, take) ? null : take;
    const why = "The browser's storage is full or refused: leave this page open until the take is submitted.";
    if (this.unsaved) notice(why, "bad", 10);
  }

  /** @returns {Take | null} what this page, or one that was closed, had begun and not submitted */
  _unfinishedTake() {
    return this.unsaved ?? load(STORAGE_KEY);
  }

  _forget() {
    this.unsaved = null;
    remove(STORAGE_KEY);
  }

  async _offerUnfinished() {
    const take = this._unfinishedTake();
    if (!take || this.step === "sending") return;
    try {
      const { confirmed } = await TusSender.resume(take.location);
      if (!confirmed) return this.discardUnfinished();
      element("saved").textContent = `${(confirmed / 1e6).toFixed(1)} MB were saved.`;
      element("unfinished").hidden = false;
    } catch (error) {
      if (error instanceof RequestFailed && error.status === 404) this._forget();
    }
  }

  _showSent() {
    const { sender } = this;
    if (!sender) return;
    element("sent").textContent = `${(sender.confirmed / 1e6).toFixed(1)} of ${(sender.total / 1e6).toFixed(1)} MB are saved.`;
    /** @type {HTMLProgressElement} */ (element("progress")).value = sender.total ? sender.confirmed / sender.total : 0;
  }

  /** Twice a second: advice before the take, the clock during it. */
  _tick() {
    if (this.step === "recording") {
      const ms = performance.now() - this.startedAt;
      const seconds = Math.floor(ms / 1000);
      element("clock").textContent = `● ${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
      if (ms > LONGEST_MS) void this.finish("A recording can last two hours at most; please start another.");
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
      [`${Math.round(set.frameRate ?? 0)} frames a second${(set.frameRate ?? 0) < data.rate ? `: ${advice.frame_rate}.` : " are enough."}`, (set.frameRate ?? 0) >= data.rate],
      [`Your head, both arms and what you work with should be in the picture. Record at least ${data.seconds} s.`, true],
    ];
    element("advice").replaceChildren(
      ...lines.map(([text, good]) => Object.assign(document.createElement("li"), { textContent: text, className: good ? "" : "bad" })),
    );
  }
}

new Recorder();

// Plays a video frame by frame: what it says is on screen is what the browser confirmed.

import { FrameTable } from "./frame_table.js";

/**
 * How far behind its beginning a seek aims at a frame, in nanoseconds; at most at its middle. Another is tried if
 * another frame comes. Not the middle first: Chromium takes a frame's length from the order of decoding, so that with
 * B-frames and uneven times it passes over frames that it believes to be over (docs/decisions/0032-exact-frames.md).
 */
const AIMS = [1e6, 2e4, 3e3, Infinity];
const CONFIRM_MS = 250;
const LEAST_RATE = 0.1;
const GREATEST_RATE = 4;

/**
 * @typedef {object} Range
 * @property {number} startFrame
 * @property {number} endFrame the frame after the last
 */

/**
 * Events:
 * - "frame": another frame is on screen, confirmed by the browser; `detail.frame`
 * - "state": `playing`, `rate`, `looped`, `waiting` or `problem` has changed
 *
 * A browser rounds the time that it is asked for to microseconds, so a seek aims into a frame and not at its edge.
 * `requestVideoFrameCallback` tells which frame was composed; if it is not the one asked for, the seek is
 * repeated with another time within that frame.
 */
export class Player extends EventTarget {
  /**
   * @param {HTMLVideoElement} video
   * @param {FrameTable} frames
   */
  constructor(video, frames) {
    super();
    this.video = video;
    this.frames = frames;
    /** The frame on screen. */
    this.frame = 0;
    this.rate = 1;
    /** Whether it plays, or was asked to and begins as soon as the frame to begin at is on screen. */
    this.playing = false;
    /** Whether data for what should be shown has not come yet. */
    this.waiting = false;
    /** What is wrong, in words; "" if nothing is. */
    this.problem = "";
    /** @type {Range | null} */
    this.looped = null;
    /** @type {number | null} the frame that a seek is under way to */
    this._target = null;
    this._attempt = 0;
    /** @type {((frame: number) => void)[]} */
    this._resolvers = [];
    this._timer = 0;
    this._loopTimer = 0;
    this._backwards = 0;
    this._failedAt = 0;
    /** Which run of `play` waits for its first frame; 0 if none. */
    this._starting = 0;
    this._runs = 0;
    this._confirmed = false;
    this._callback = 0;
    this._closed = false;
    this._listening = new AbortController();
    this._listen();
    this._await();
    /** Resolves when the first frame is on screen. */
    this.ready = this._seek(0);
  }

  /** Begin of the frame on screen, in nanoseconds since the recording began. */
  get timeNs() {
    return this.frames.startNs(this.frame);
  }

  /** Whether a seek is under way. */
  get seeking() {
    return this._target !== null;
  }

  /** The frame that is, or soon will be, on screen: steps count from it. */
  get targetFrame() {
    return this._target ?? this.frame;
  }

  /**
   * Show a frame and pause. Resolves once the browser has confirmed what is on screen, with that frame: the one asked
   * for, or that of a later seek which took the place of this one.
   * @param {number} frame
   * @returns {Promise<number>}
   */
  seekFrame(frame) {
    this._stop();
    return this._seek(this.frames.clamped(frame));
  }

  /**
   * Show the frame at a time, in nanoseconds since the recording began, and pause.
   * @param {number} ns
   */
  seekNs(ns) {
    return this.seekFrame(this.frames.frameAt(ns));
  }

  /**
   * Go some frames forwards, or backwards.
   * @param {number} frames
   */
  step(frames) {
    return this.seekFrame(this.targetFrame + frames);
  }

  /** Play on from the frame on screen; from the beginning if it is the last one. */
  async play() {
    this._backwards = 0;
    const run = ++this._runs;
    this._starting = run;
    this._setPlaying(true);
    const first = this.looped?.startFrame ?? 0;
    const end = this.looped?.endFrame ?? this.frames.count;
    const ahead = this.targetFrame >= end - 1 || (this.looped && this.targetFrame < first) ? first : null;
    if (ahead !== null || this.seeking) await this._seek(ahead ?? this.targetFrame);
    if (this._starting !== run) return; // something else was asked of it meanwhile
    this._starting = 0;
    this.video.playbackRate = this.rate;
    try {
      await this.video.play();
    } catch (error) {
      // A pause that comes before playing has begun is no failure.
      if (!(error instanceof DOMException && error.name === "AbortError")) this._fail(this._reason());
    }
  }

  /** Stop at the frame on screen. Resolves once that is certain, with the frame. */
  pause() {
    return this.seekFrame(this.targetFrame);
  }

  /** Play or pause. */
  toggle() {
    return this.playing ? this.pause() : this.play();
  }

  /** @param {number} rate 0.1 to 4 */
  setRate(rate) {
    this.rate = Math.max(LEAST_RATE, Math.min(GREATEST_RATE, rate));
    if (!this._backwards) this.video.playbackRate = this.rate;
    this._changed();
  }

  /**
   * Play backwards, as fast as frames can be found: every frame that is shown is a whole one.
   * @param {number} rate
   */
  playBackwards(rate) {
    this._stop();
    this.setRate(rate);
    const run = ++this._runs;
    this._backwards = run;
    this.playing = true;
    this._changed();
    void this._runBackwards(run);
  }

  /** Whether it plays backwards. */
  get backwards() {
    return this._backwards !== 0;
  }

  /**
   * Play a range of frames over and over; null plays on.
   * @param {Range | null} range
   */
  loop(range) {
    const start = this.frames.clamped(range?.startFrame ?? 0);
    this.looped = range && { startFrame: start, endFrame: Math.max(start + 1, Math.min(range.endFrame, this.frames.count)) };
    clearTimeout(this._loopTimer);
    if (this.playing && !this.backwards) this._watchLoop(this.video.currentTime);
    this._changed();
  }

  /** Read the video anew after a failure, and show the frame that was asked for. */
  async retry() {
    const frame = this._failedAt;
    this.problem = "";
    this._changed();
    this._confirmed = false;
    this.video.load();
    await this.seekFrame(frame);
  }

  /** Forget the video. */
  close() {
    this._closed = true;
    this._stop();
    clearTimeout(this._timer);
    this.video.cancelVideoFrameCallback(this._callback);
    this._listening.abort();
    this._settle();
  }

  _listen() {
    const { signal } = this._listening;
    const on = (/** @type {string} */ name, /** @type {() => void} */ run) =>
      this.video.addEventListener(name, run, { signal });
    on("play", () => this._setPlaying(true));
    on("pause", () => this._paused());
    on("ended", () => this._ended());
    on("seeked", () => this._expect());
    on("waiting", () => this._setWaiting(true));
    on("stalled", () => this._setWaiting(this.video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA));
    for (const name of ["canplay", "playing", "seeked"]) on(name, () => this._setWaiting(false));
    on("error", () => this._fail(this._reason()));
  }

  _await() {
    this._callback = this.video.requestVideoFrameCallback((_now, shown) => {
      if (this._closed) return;
      this._await();
      this._shown(shown.mediaTime);
    });
  }

  /** @param {number} mediaTime of the frame that the browser has composed */
  _shown(mediaTime) {
    const frame = this.frames.frameAtMedia(mediaTime);
    if (this._target === null) {
      this._show(frame);
      if (this.playing && !this.backwards) this._watchLoop(mediaTime);
    } else if (frame === this._target) {
      this._show(frame);
      this._settle();
    } else {
      this._show(frame); // one from before the seek, or a wrong one: `_expect` finds out
    }
  }

  /** @param {number} frame */
  _show(frame) {
    if (frame === this.frame && this._confirmed) return;
    this._confirmed = true;
    this.frame = frame;
    this.dispatchEvent(new CustomEvent("frame", { detail: { frame } }));
  }

  /**
   * @param {number} frame
   * @returns {Promise<number>}
   */
  _seek(frame) {
    return new Promise((resolve) => {
      this._resolvers.push(resolve);
      this._target = frame;
      this._attempt = 0;
      this._aim();
    });
  }

  _aim() {
    clearTimeout(this._timer);
    if (this._target === null) return;
    const last = this._target === this.frames.count - 1;
    const seconds = this.frames.mediaSeconds(this._target, AIMS[this._attempt]);
    // The last frame of some files has no length of its own; behind the end it is shown all the same.
    const aim = last && seconds >= this.video.duration ? this.video.duration : seconds;
    if (this.video.currentTime === aim && this._confirmed && this.frame === this._target && !this.video.seeking) {
      this._settle();
      return;
    }
    this.video.currentTime = aim;
  }

  /** The browser says that it has sought: the frame is confirmed soon, or it is another one. */
  _expect() {
    clearTimeout(this._timer);
    if (this._target === null || this.video.seeking) return;
    this._timer = window.setTimeout(() => {
      if (this._target === null || this.video.seeking) return;
      if (document.hidden) {
        this._expect(); // nothing is painted, so nothing can be confirmed
        return;
      }
      this._attempt += 1;
      if (this._attempt < AIMS.length) this._aim();
      else {
        this._fail(`the browser shows frame ${this.frame} in place of frame ${this._target}`);
        this._settle();
      }
    }, CONFIRM_MS);
  }

  /** The seek is over. */
  _settle() {
    clearTimeout(this._timer);
    this._target = null;
    const resolvers = this._resolvers;
    this._resolvers = [];
    for (const resolve of resolvers) resolve(this.frame);
  }

  _stop() {
    clearTimeout(this._loopTimer);
    const played = this.playing;
    this._backwards = 0;
    this._starting = 0;
    if (!this.video.paused) this.video.pause();
    if (played) this._setPlaying(false);
  }

  /** @param {number} mediaTime */
  _watchLoop(mediaTime) {
    clearTimeout(this._loopTimer);
    if (!this.looped || this.looped.endFrame >= this.frames.count) return;
    const remaining = (this.frames.mediaSeconds(this.looped.endFrame, 0) - mediaTime) / this.video.playbackRate;
    if (remaining > 0.25) return;
    this._loopTimer = window.setTimeout(() => this._restartLoop(), Math.max(0, 1000 * remaining - 12));
  }

  /** Back to the beginning of what is looped, while playing. */
  _restartLoop() {
    if (!this.looped || !this.playing || this.backwards) return;
    this.video.currentTime = this.frames.mediaSeconds(this.looped.startFrame, AIMS[0]);
  }

  /** The browser says so some time later: it may play again by now. Whether the end is one, `_ended` decides. */
  _paused() {
    const over = this.video.paused && !this.video.ended;
    if (over && !this.backwards && !this._starting) this._setPlaying(false);
  }

  _ended() {
    if (this.looped && !this.backwards) {
      this._restartLoop();
      void this.video.play();
    } else {
      this._setPlaying(false);
    }
  }

  /** @param {number} run */
  async _runBackwards(run) {
    const from = this.targetFrame;
    const began = performance.now();
    const beginNs = this.frames.startNs(from);
    while (this._backwards === run && this.frame > 0) {
      const ns = beginNs - 1e6 * (performance.now() - began) * this.rate;
      const frame = this.frames.frameAt(Math.max(0, ns));
      if (frame === this.targetFrame && ns > 0) await new Promise((resolve) => requestAnimationFrame(resolve));
      else await this._seek(frame);
    }
    if (this._backwards === run) {
      this._backwards = 0;
      this._setPlaying(false);
    }
  }

  /** @param {boolean} playing */
  _setPlaying(playing) {
    if (this.playing === playing) return;
    this.playing = playing;
    this._changed();
  }

  /** @param {boolean} waiting */
  _setWaiting(waiting) {
    if (this.waiting === waiting) return;
    this.waiting = waiting;
    this._changed();
  }

  /** @param {string} problem */
  _fail(problem) {
    if (!this.problem) this._failedAt = this.targetFrame;
    this.problem = problem;
    this._stop();
    this._settle();
    this._changed();
  }

  /** @returns {string} */
  _reason() {
    const error = this.video.error;
    if (error?.code === MediaError.MEDIA_ERR_NETWORK) return "the connection was lost while the video was read";
    if (error?.code === MediaError.MEDIA_ERR_DECODE) return "the video is damaged here, or cannot be decoded";
    if (error) return "this browser cannot play the video";
    return "the video cannot be played";
  }

  _changed() {
    this.dispatchEvent(new Event("state"));
  }
}

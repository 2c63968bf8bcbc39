// A player to sit before all day: video, skeleton, signals, and a small bar. Pages bind its actions to keys.

import { getBytes, getJson } from "../shared/api.js";
import { load, save } from "../shared/browser_storage.js";
import { notice } from "../shared/page.js";
import { clock } from "../shared/times.js";
import { FrameTable } from "./frame_table.js";
import { Player } from "./player.js";
import { RATES, buildView, labelledBox, setIcon } from "./player_view.js";
import { mountSignals } from "./signals_view.js";
import { PARTS, SkeletonLayer, SkeletonStore } from "./skeleton.js";

/** What J and L go through, from backwards to forwards; 0 pauses. */
const SHUTTLE = [-4, -2, -1, -0.5, -0.25, 0, 0.25, 0.5, 1, 2, 4];
const SECOND = 1e9;

/**
 * @typedef {object} PlayerOptions
 * @property {boolean} [skeleton] draw body and hands (where there is a trajectory); true unless told otherwise
 * @property {boolean} [scrubber] a slider over the whole recording; true unless told otherwise
 * @property {boolean} [signals] signals under the bar, with a view of their own; false unless told otherwise
 */

/**
 * Show a recording in `container`. Rejects with a `RequestFailed` where it may not or cannot be seen, and says so there.
 * @param {HTMLElement} container
 * @param {string} recording
 * @param {PlayerOptions} [options]
 * @returns {Promise<PlayerPanel>}
 */
export async function mountPlayer(container, recording, options = {}) {
  const base = `/api/recordings/${encodeURIComponent(recording)}`;
  const view = buildView(options.scrubber !== false);
  container.replaceChildren(view.root);
  view.video.src = `${base}/video`;
  try {
    const [about, edges] = await Promise.all([getJson(`${base}/media`), getBytes(`${base}/frames`)]);
    return new PlayerPanel(view, about, new FrameTable(new Float64Array(edges)), options);
  } catch (error) {
    view.video.removeAttribute("src");
    const text = document.createElement("p");
    text.className = "note bad";
    text.setAttribute("role", "alert");
    text.textContent = `This recording cannot be shown: ${error instanceof Error ? error.message : error}`;
    container.replaceChildren(text);
    throw error;
  }
}

export class PlayerPanel {
  /**
   * @param {import("./player_view.js").PlayerView} view
   * @param {any} about what the server says of the recording
   * @param {FrameTable} frames
   * @param {PlayerOptions} options
   */
  constructor(view, about, frames, options) {
    this.view = view;
    this.about = about;
    this.frames = frames;
    /** The range that R loops; pages put the segment's in. @type {() => import("./player.js").Range | null} */
    this.rangeToLoop = () => this._surroundings();
    view.describe(about, frames.count);
    this.player = new Player(view.video, frames);
    /** @type {SkeletonLayer | null} null where there is no trajectory, or it is not asked for */
    this.skeleton = null;
    /** @type {ReturnType<typeof mountSignals> | null} */
    this.signals = null;
    if (about.trajectory && options.skeleton !== false) {
      this.skeleton = new SkeletonLayer(view.canvas, this.player, new SkeletonStore(about.recording, frames.count));
      this._addParts(this.skeleton);
    }
    if (about.trajectory && options.signals) this.signals = mountSignals(view.root, this.player, about);
    /** What can be done, for the page's `Keymap`. */
    this.actions = this._actions();
    this._connect();
  }

  /** Take everything away again. */
  close() {
    this.signals?.close();
    this.skeleton?.close();
    this.player.close();
    this.view.video.removeAttribute("src");
    this.view.video.load();
    this.view.root.remove();
  }

  /** Play faster or slower, backwards below 0; 0 pauses. @param {number} by steps of the shuttle */
  shuttle(by) {
    const { player } = this;
    const now = player.playing ? (player.backwards ? -player.rate : player.rate) : 0;
    let next = now === 0 ? Math.sign(by) : SHUTTLE.find((rate) => by > 0 && rate > now + 1e-6);
    if (now !== 0 && by < 0) next = [...SHUTTLE].reverse().find((rate) => rate < now - 1e-6);
    if (next === undefined) return;
    if (next < 0) player.playBackwards(-next);
    else if (next === 0) void player.pause();
    else {
      player.setRate(next);
      if (!player.playing || player.backwards) void player.play();
    }
  }

  /** Begin or end to loop what `rangeToLoop` says. */
  toggleLoop() {
    const { player } = this;
    const range = player.looped ? null : this.rangeToLoop();
    player.loop(range);
    if (range) void player.seekFrame(range.startFrame).then(() => player.looped && player.play());
  }

  /** @returns {import("./player.js").Range} two seconds around the frame on screen */
  _surroundings() {
    const ns = this.player.timeNs;
    return { startFrame: this.frames.frameAt(ns - SECOND), endFrame: this.frames.frameAt(ns + SECOND) + 1 };
  }

  /** @param {number} seconds */
  _jump(seconds) {
    void this.player.seekNs(this.frames.startNs(this.player.targetFrame) + seconds * SECOND);
  }

  /** @returns {import("../shared/keys.js").Action[]} */
  _actions() {
    const { player } = this;
    /**
     * While a key is held, the next frame waits for the one before: none is passed over, and letting go stops at once.
     * @param {(event: KeyboardEvent) => void} run
     */
    const unlessSeeking = (run) => (/** @type {KeyboardEvent} */ event) => {
      if (!(event.repeat && player.seeking)) run(event);
    };
    /** @param {string} name @param {string} title @param {string[]} keys @param {(event: KeyboardEvent) => void} run */
    const action = (name, title, keys, run) => ({ name, title, group: "Playing", keys, run });
    return [
      action("play", "Play or pause", ["Space"], () => void player.toggle()),
      action("shuttle-back", "Slower, then backwards", ["j"], () => this.shuttle(-1)),
      action("shuttle-stop", "Pause", ["k"], () => void player.pause()),
      action("shuttle-on", "Play, then faster", ["l"], () => this.shuttle(1)),
      action("frame-back", "One frame back", [","], unlessSeeking(() => void player.step(-1))),
      action("frame-on", "One frame forward", ["."], unlessSeeking(() => void player.step(1))),
      action("frames-back", "Ten frames back", ["<", "PageUp"], unlessSeeking(() => void player.step(-10))),
      action("frames-on", "Ten frames forward", [">", "PageDown"], unlessSeeking(() => void player.step(10))),
      action("second-back", "One second back", ["ArrowLeft"], unlessSeeking(() => this._jump(-1))),
      action("second-on", "One second forward", ["ArrowRight"], unlessSeeking(() => this._jump(1))),
      action("first-frame", "First frame", ["Home"], () => void player.seekFrame(0)),
      action("last-frame", "Last frame", ["End"], () => void player.seekFrame(this.frames.count - 1)),
      action("loop", "Loop", ["r"], () => this.toggleLoop()),
      action("skeleton", "Show or hide the skeleton", ["h"], () => this._toggleSkeleton()),
    ];
  }

  _toggleSkeleton() {
    const { skeleton } = this;
    if (!skeleton) {
      notice("This recording has no trajectory to draw.");
      return;
    }
    const shown = skeleton.shown.size === 0;
    for (const box of this.view.parts.querySelectorAll("input")) {
      if (box instanceof HTMLInputElement && box.checked !== shown) box.click();
    }
  }

  _connect() {
    const { view, player } = this;
    view.stage.addEventListener("click", () => void player.toggle());
    view.back.addEventListener("click", () => void player.step(-1));
    view.play.addEventListener("click", () => void player.toggle());
    view.forward.addEventListener("click", () => void player.step(1));
    view.loop.addEventListener("click", () => this.toggleLoop());
    view.rate.addEventListener("change", () => player.setRate(Number(view.rate.value)));
    view.slider.addEventListener("input", () => void player.seekFrame(Number(view.slider.value)));
    view.frame.addEventListener("change", () => this._goTo(view.frame.value));
    view.frame.addEventListener("blur", () => this._showPosition());
    view.retry.addEventListener("click", () => void player.retry());
    player.addEventListener("frame", () => this._showPosition());
    player.addEventListener("state", () => this._showState());
    this._showPosition();
    this._showState();
  }

  /** @param {SkeletonLayer} skeleton */
  _addParts(skeleton) {
    const hidden = hiddenParts();
    for (const part of PARTS) {
      const { label, box } = labelledBox(part);
      box.checked = !hidden.includes(part);
      skeleton.show(part, box.checked);
      box.addEventListener("change", () => {
        skeleton.show(part, box.checked);
        save("player:hidden", PARTS.filter((one) => !skeleton.shown.has(one)));
      });
      this.view.parts.append(label);
    }
  }

  /** @param {string} typed */
  _goTo(typed) {
    const frame = Number.parseInt(typed, 10);
    if (Number.isInteger(frame)) void this.player.seekFrame(frame);
    this.view.frame.blur(); // so that keys are the player's again
  }

  _showPosition() {
    const { player, frames, view } = this;
    const time = clock(player.timeNs);
    view.place.textContent = `${time} / ${clock(frames.durationNs)}`;
    if (document.activeElement !== view.frame) view.frame.value = String(player.frame);
    view.slider.value = String(player.frame);
    view.slider.setAttribute("aria-valuetext", `frame ${player.frame}, ${time}`);
  }

  _showState() {
    const { player, view } = this;
    if (player.playing) setIcon(view.play, "pause", "Pause (Space)");
    else setIcon(view.play, "play", "Play (Space)");
    if (!RATES.includes(player.rate) && view.rate.length === RATES.length) view.rate.add(new Option());
    const other = view.rate.options[RATES.length];
    if (other) other.text = `${(other.value = String(player.rate))}×`;
    view.rate.value = String(player.rate);
    view.loop.setAttribute("aria-pressed", String(player.looped !== null));
    view.waiting.hidden = !player.waiting || player.problem !== "";
    view.problem.hidden = player.problem === "";
    view.problemText.textContent = player.problem && this._explained(player.problem);
  }

  /** @param {string} problem */
  _explained(problem) {
    const { codec } = this.about;
    const cannot = this.view.video.error?.code === MediaError.MEDIA_ERR_SRC_NOT_SUPPORTED && codec !== "h264";
    const why = cannot ? `: it is ${codec}, and should be H.264; ask your operator to import it again` : "";
    return `${problem[0].toUpperCase()}${problem.slice(1)}${why}.`;
  }
}

/** @returns {string[]} the parts that were hidden last */
function hiddenParts() {
  const stored = load("player:hidden");
  return Array.isArray(stored) ? stored : [];
}

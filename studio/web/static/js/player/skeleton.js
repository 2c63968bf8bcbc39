// Draws body and hands over a video, in step with it. The layout of the data is that of annotate/signals/skeletons.py.

import { getBytes } from "../shared/api.js";

const MISSING = -32768;
const BLOCK_FRAMES = 256;
const MOST_BLOCKS = 48;
const BODY_POINTS = 33;
const HAND_POINTS = 21;
const INTERPOLATED = 8;
/** Of the contributor's own left and right; told apart by colour-blind people too, and by the shape of the joints. */
const COLOURS = { left: "#ff8a3d", right: "#38bdf8", middle: "#f5f5f5", outline: "rgb(16 18 22 / 75%)" };
const LEAST_OPACITY = 0.12;

/** @typedef {[number, number]} Bone */

/** The same bones as in pose/landmarks.py. @type {Record<"left" | "right" | "middle" | "head" | "hand", Bone[]>} */
export const BONES = {
  left: [[11, 13], [13, 15], [23, 25], [25, 27], [27, 29], [29, 31], [31, 27]],
  right: [[12, 14], [14, 16], [24, 26], [26, 28], [28, 30], [30, 32], [32, 28]],
  middle: [[11, 12], [11, 23], [12, 24], [23, 24]],
  head: [[7, 0], [0, 8]],
  hand: [
    [0, 1], [1, 2], [2, 3], [3, 4], [0, 5], [5, 6], [6, 7], [7, 8], [0, 9], [9, 10], [10, 11], [11, 12],
    [0, 13], [13, 14], [14, 15], [15, 16], [0, 17], [17, 18], [18, 19], [19, 20], [5, 9], [9, 13], [13, 17],
  ],
};

/** @typedef {"body" | "left hand" | "right hand"} Part */
/** @type {Part[]} */
export const PARTS = ["body", "left hand", "right hand"];

/**
 * @typedef {object} Landmarks of one frame
 * @property {Int16Array} body x and y in ten-thousandths of the picture's width and height
 * @property {Int16Array} hands left, then right
 * @property {Uint8Array} visibility
 * @property {Uint8Array} scores
 * @property {number} valid
 */

/** Landmarks, fetched in blocks ahead of the playhead. The blocks used last are kept. */
export class SkeletonStore extends EventTarget {
  /**
   * @param {string} recording
   * @param {number} count frames of the video
   */
  constructor(recording, count) {
    super();
    this.recording = recording;
    this.count = count;
    /** @type {Map<number, Block | null>} null while it is fetched */
    this.blocks = new Map();
    this._closing = new AbortController();
  }

  /**
   * The landmarks of a frame, or null while they are on their way; then "loaded" follows.
   * @param {number} frame
   * @param {number} ahead how many frames in which direction will be needed next
   * @returns {Landmarks | null}
   */
  get(frame, ahead = BLOCK_FRAMES) {
    const number = Math.floor(frame / BLOCK_FRAMES);
    const block = this._block(number);
    const last = Math.floor((frame + ahead) / BLOCK_FRAMES);
    for (let next = number; next !== last; ) this._block((next += Math.sign(last - number)));
    return block ? block.frame(frame - number * BLOCK_FRAMES) : null;
  }

  /** Fetch no more. */
  close() {
    this._closing.abort();
  }

  /**
   * @param {number} number
   * @returns {Block | null}
   */
  _block(number) {
    if (number < 0 || number * BLOCK_FRAMES >= this.count) return null;
    const cached = this.blocks.get(number);
    if (cached !== undefined) {
      this.blocks.delete(number);
      this.blocks.set(number, cached);
      return cached;
    }
    this.blocks.set(number, null);
    void this._fetch(number);
    return null;
  }

  /** @param {number} number */
  async _fetch(number) {
    const first = number * BLOCK_FRAMES;
    const count = Math.min(BLOCK_FRAMES, this.count - first);
    const path = `/api/recordings/${this.recording}/skeleton?first=${first}&count=${count}`;
    try {
      this.blocks.set(number, new Block(await getBytes(path, this._closing.signal), count));
    } catch {
      if (this._closing.signal.aborted) return;
      setTimeout(() => this.blocks.delete(number), 2000); // asked for again when it is needed again
    }
    for (const old of this.blocks.keys()) {
      if (this.blocks.size <= MOST_BLOCKS) break;
      this.blocks.delete(old);
    }
    this.dispatchEvent(new CustomEvent("loaded", { detail: { first, count } }));
  }
}

/** Some frames as the server packs them. */
class Block {
  /**
   * @param {ArrayBuffer} bytes
   * @param {number} count
   */
  constructor(bytes, count) {
    let offset = 0;
    /** @param {number} length */
    const int16 = (length) => new Int16Array(bytes, (offset += 2 * length) - 2 * length, length);
    /** @param {number} length */
    const uint8 = (length) => new Uint8Array(bytes, (offset += length) - length, length);
    this.body = int16(count * BODY_POINTS * 2);
    this.hands = int16(count * 2 * HAND_POINTS * 2);
    this.visibility = uint8(count * BODY_POINTS);
    this.scores = uint8(count * 2);
    this.valid = uint8(count);
  }

  /**
   * @param {number} i
   * @returns {Landmarks}
   */
  frame(i) {
    return {
      body: this.body.subarray(i * 66, (i + 1) * 66),
      hands: this.hands.subarray(i * 84, (i + 1) * 84),
      visibility: this.visibility.subarray(i * 33, (i + 1) * 33),
      scores: this.scores.subarray(2 * i, 2 * i + 2),
      valid: this.valid[i],
    };
  }
}

/** A canvas that covers the picture of a video, sharp on every screen. */
export class SkeletonLayer {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {import("./player.js").Player} player
   * @param {SkeletonStore} store
   */
  constructor(canvas, player, store) {
    this.canvas = canvas;
    this.player = player;
    this.store = store;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    /** @type {Set<Part>} */
    this.shown = new Set(PARTS);
    /** The frame that is drawn; -1 if nothing is. */
    this.drawn = -1;
    this._scale = 1;
    this._left = 0;
    this._top = 0;
    this._width = 0;
    this._height = 0;
    this._sizes = new ResizeObserver(() => this._fit());
    this._sizes.observe(canvas);
    player.addEventListener("frame", () => this.draw());
    player.video.addEventListener("loadedmetadata", () => this._fit());
    store.addEventListener("loaded", () => this.drawn !== player.frame && this.draw());
  }

  /**
   * @param {Part} part
   * @param {boolean} shown
   */
  show(part, shown) {
    if (shown) this.shown.add(part);
    else this.shown.delete(part);
    this.draw();
  }

  /** Draw the landmarks of the frame on screen; nothing while they are on their way. */
  draw() {
    const { context, player } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.drawn = -1;
    if (!this.shown.size) return;
    const found = this.store.get(player.frame, player.backwards ? -256 : Math.ceil(256 * Math.max(1, player.rate)));
    if (!found) return;
    this.drawn = player.frame;
    context.setLineDash(found.valid & INTERPOLATED ? [3 * this._scale, 2 * this._scale] : []);
    context.lineCap = "round";
    if (this.shown.has("body")) this._drawBody(found);
    for (const side of /** @type {const} */ ([0, 1])) {
      const name = side ? "right" : "left";
      if (!this.shown.has(/** @type {Part} */ (`${name} hand`)) || !found.scores[side]) continue;
      const points = found.hands.subarray(42 * side, 42 * (side + 1));
      const opacity = Math.max(LEAST_OPACITY, found.scores[side] / 255);
      this._bones(points, BONES.hand, COLOURS[name], 0.75, () => opacity);
      this._joints(points, Array.from({ length: HAND_POINTS }, (_, i) => i), name, 0.75, () => opacity);
    }
    context.globalAlpha = 1;
  }

  /** Stop drawing. */
  close() {
    this._sizes.disconnect();
    this.store.close();
  }

  /** @param {Landmarks} found */
  _drawBody({ body, visibility }) {
    const opacity = (/** @type {number[]} */ ...points) =>
      Math.max(LEAST_OPACITY, Math.min(...points.map((point) => visibility[point])) / 255);
    this._bones(body, [...BONES.middle, ...BONES.head], COLOURS.middle, 1, opacity);
    for (const side of /** @type {const} */ (["left", "right"])) {
      this._bones(body, BONES[side], COLOURS[side], 1, opacity);
      this._joints(body, [...new Set(BONES[side].flat())], side, 1, opacity);
    }
  }

  /**
   * @param {Int16Array} points
   * @param {Bone[]} bones
   * @param {string} colour
   * @param {number} thickness
   * @param {(...points: number[]) => number} opacity
   */
  _bones(points, bones, colour, thickness, opacity) {
    const { context } = this;
    for (const [outline, width, style] of /** @type {const} */ ([[true, 2, COLOURS.outline], [false, 1, colour]])) {
      context.strokeStyle = style;
      context.lineWidth = thickness * this._scale * (outline ? width * 1.6 : 1.6);
      for (const [a, b] of bones) {
        if (points[2 * a] === MISSING || points[2 * b] === MISSING) continue;
        context.globalAlpha = opacity(a, b);
        context.beginPath();
        context.moveTo(this._x(points, a), this._y(points, a));
        context.lineTo(this._x(points, b), this._y(points, b));
        context.stroke();
      }
    }
  }

  /**
   * Round joints on the left, square ones on the right.
   * @param {Int16Array} points
   * @param {number[]} joints
   * @param {"left" | "right"} side
   * @param {number} thickness
   * @param {(...points: number[]) => number} opacity
   */
  _joints(points, joints, side, thickness, opacity) {
    const { context } = this;
    const radius = 1.7 * thickness * this._scale;
    context.fillStyle = COLOURS[side];
    for (const joint of joints) {
      if (points[2 * joint] === MISSING) continue;
      context.globalAlpha = opacity(joint);
      const [x, y] = [this._x(points, joint), this._y(points, joint)];
      context.beginPath();
      if (side === "left") context.arc(x, y, radius, 0, 2 * Math.PI);
      else context.rect(x - 0.9 * radius, y - 0.9 * radius, 1.8 * radius, 1.8 * radius);
      context.fill();
    }
  }

  /** @param {Int16Array} points @param {number} i */
  _x(points, i) {
    return this._left + (points[2 * i] / 10000) * this._width;
  }

  /** @param {Int16Array} points @param {number} i */
  _y(points, i) {
    return this._top + (points[2 * i + 1] / 10000) * this._height;
  }

  /** Give the canvas the screen's own pixels, and find where in it the picture is. */
  _fit() {
    const { canvas, player } = this;
    const density = devicePixelRatio || 1;
    const width = Math.max(1, Math.round(canvas.clientWidth * density));
    const height = Math.max(1, Math.round(canvas.clientHeight * density));
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    const aspect = (player.video.videoWidth || 16) / (player.video.videoHeight || 9);
    this._width = Math.min(width, height * aspect);
    this._height = this._width / aspect;
    this._left = (width - this._width) / 2;
    this._top = (height - this._height) / 2;
    this._scale = Math.max(density, this._height / 320);
    this.draw();
  }
}

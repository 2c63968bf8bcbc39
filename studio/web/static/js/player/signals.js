// Draws the signals of a recording (motion, hands, grip, visibility) at any zoom, without stutter for hours of video.

import { getBytes } from "../shared/api.js";

const TILE_RUNS = 1024;
const MOST_TILES = 192;
const OVERVIEW_RUNS = 1024;

/** @typedef {{name: string, unit: string}} Signal */

/**
 * Least and greatest values of runs of `2 ** level` frames, fetched in tiles of 1,024 runs. Tiles used last are kept.
 * The tile that holds the whole recording is always there once it has come: it is drawn until finer ones do.
 */
export class SignalStore extends EventTarget {
  /**
   * @param {string} recording
   * @param {Signal[]} signals
   * @param {number} frames
   */
  constructor(recording, signals, frames) {
    super();
    this.recording = recording;
    this.signals = signals;
    this.frames = frames;
    this.overviewLevel = Math.max(0, Math.ceil(Math.log2(frames / OVERVIEW_RUNS)));
    /** @type {Map<string, Float32Array | null>} null while it is fetched */
    this.tiles = new Map();
    /** @type {Float32Array | null} */
    this.overview = null;
    /** The value at the top of each signal's row. @type {number[]} */
    this.tops = signals.map(() => 1);
    this._closing = new AbortController();
    void this._fetch(this.overviewLevel, 0);
  }

  /**
   * The coarsest level that still has a run for each of so many pixels.
   * @param {number} frames
   * @param {number} pixels
   */
  levelFor(frames, pixels) {
    return Math.max(0, Math.min(this.overviewLevel, Math.floor(Math.log2(frames / Math.max(1, pixels)))));
  }

  /**
   * A tile, or null while it is on its way; then "loaded" follows.
   * @param {number} level
   * @param {number} index
   * @returns {Float32Array | null}
   */
  tile(level, index) {
    if (level === this.overviewLevel) return this.overview;
    const key = `${level}/${index}`;
    const cached = this.tiles.get(key);
    if (cached !== undefined) {
      this.tiles.delete(key);
      this.tiles.set(key, cached);
      return cached;
    }
    this.tiles.set(key, null);
    void this._fetch(level, index);
    return null;
  }

  /** Fetch no more. */
  close() {
    this._closing.abort();
  }

  /**
   * @param {number} level
   * @param {number} index
   */
  async _fetch(level, index) {
    const first = (index * TILE_RUNS) * 2 ** level;
    const count = Math.min(TILE_RUNS * 2 ** level, this.frames - first);
    const key = `${level}/${index}`;
    try {
      const path = `/api/recordings/${this.recording}/signals?level=${level}&first=${first}&count=${count}`;
      const values = new Float32Array(await getBytes(path, this._closing.signal));
      if (level === this.overviewLevel) this._setOverview(values);
      else this.tiles.set(key, values);
    } catch {
      if (this._closing.signal.aborted) return;
      setTimeout(() => {
        if (level === this.overviewLevel) void this._fetch(level, index);
        else this.tiles.delete(key);
      }, 2000);
    }
    for (const old of this.tiles.keys()) {
      if (this.tiles.size <= MOST_TILES) break;
      this.tiles.delete(old);
    }
    this.dispatchEvent(new Event("loaded"));
  }

  /** @param {Float32Array} values */
  _setOverview(values) {
    this.overview = values;
    const runs = values.length / this.signals.length;
    this.tops = this.signals.map(({ unit }, row) => {
      if (unit === "1") return 1;
      const greatest = values.slice(row * runs, (row + 1) * runs).filter((value, i) => i % 2 && Number.isFinite(value));
      greatest.sort();
      // One jump of a landmark must not flatten all the rest.
      return greatest[Math.floor(0.99 * (greatest.length - 1))] || 1;
    });
  }
}

/** Rows of signals on a canvas, for a part of the recording. */
export class SignalPlot {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {SignalStore} store
   * @param {import("./frame_table.js").FrameTable} frames
   */
  constructor(canvas, store, frames) {
    this.canvas = canvas;
    this.store = store;
    this.frames = frames;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    this.startNs = 0;
    this.endNs = frames.durationNs;
    /** Which rows are drawn, from the top. */
    this.rows = store.signals.map((_, row) => row);
    this._asked = 0;
    this._listening = new AbortController();
    const { signal } = this._listening;
    this._sizes = new ResizeObserver(() => this._ask());
    this._sizes.observe(canvas);
    store.addEventListener("loaded", () => this._ask(), { signal });
    addEventListener("themechange", () => this._ask(), { signal });
  }

  /**
   * Show the time [startNs, endNs), in nanoseconds since the recording began.
   * @param {number} startNs
   * @param {number} endNs
   */
  setView(startNs, endNs) {
    this.startNs = startNs;
    this.endNs = Math.max(endNs, startNs + 1);
    this._ask();
  }

  /**
   * Draw these rows, from the top.
   * @param {number[]} rows indices into the store's signals
   */
  setRows(rows) {
    this.rows = rows;
    this._ask();
  }

  /** Paint now, what is there. */
  paint() {
    const { canvas } = this;
    const density = devicePixelRatio || 1;
    const width = Math.max(1, Math.round(canvas.clientWidth * density));
    const height = Math.max(1, Math.round(canvas.clientHeight * density));
    if (canvas.width !== width || canvas.height !== height || !this._picture) {
      [canvas.width, canvas.height] = [width, height];
      this._picture = new ImageData(width, height);
      this._pixels = new Uint32Array(this._picture.data.buffer);
    }
    const pixels = /** @type {Uint32Array} */ (this._pixels);
    pixels.fill(0);
    if (this.rows.length) this._rasterize(pixels, width, height, Math.max(1, Math.round(density)));
    this.context.putImageData(this._picture, 0, 0);
  }

  /** Draw no more. */
  close() {
    this._listening.abort();
    this._sizes.disconnect();
    cancelAnimationFrame(this._asked);
  }

  _ask() {
    if (this._asked) return;
    this._asked = requestAnimationFrame(() => {
      this._asked = 0;
      this.paint();
    });
  }

  /**
   * @param {Uint32Array} pixels
   * @param {number} width
   * @param {number} height
   * @param {number} line thickness in pixels
   */
  _rasterize(pixels, width, height, line) {
    const { frames, store } = this;
    const first = frames.frameAt(this.startNs);
    const last = frames.frameAt(this.endNs);
    const level = store.levelFor(last - first + 1, width);
    const low = new Float32Array(width * this.rows.length).fill(NaN);
    const high = new Float32Array(width * this.rows.length).fill(NaN);
    const perTile = TILE_RUNS * 2 ** level;
    for (let index = Math.floor(first / perTile); index <= Math.floor(last / perTile); index++) {
      const from = Math.max(first, index * perTile);
      const to = Math.min(last + 1, (index + 1) * perTile, store.frames);
      const tile = store.tile(level, index);
      if (tile) this._gather(tile, level, index * perTile, from, to, width, low, high);
      else if (store.overview) this._gather(store.overview, store.overviewLevel, 0, from, to, width, low, high);
    }
    const rowHeight = height / this.rows.length;
    const colours = this._colours();
    this.rows.forEach((row, place) => {
      const box = { top: Math.round(place * rowHeight) + line, bottom: Math.round((place + 1) * rowHeight) - line };
      const at = place * width;
      const scale = { least: 0, top: store.tops[row] };
      const { fill, stroke } = colours[row % colours.length];
      drawRow(pixels, width, box, low.subarray(at, at + width), high.subarray(at, at + width), scale, line, fill, stroke);
    });
  }

  /**
   * Collect, for each column of pixels, the least and greatest value of the runs in it.
   * @param {Float32Array} tile
   * @param {number} level
   * @param {number} tileFirst its first frame
   * @param {number} from frame
   * @param {number} to frame after the last
   * @param {number} width
   * @param {Float32Array} low
   * @param {Float32Array} high
   */
  _gather(tile, level, tileFirst, from, to, width, low, high) {
    const { edges, originNs } = this.frames;
    const runs = tile.length / this.store.signals.length / 2;
    const size = 2 ** level;
    const pixelsPerNs = width / (this.endNs - this.startNs);
    const offset = originNs + this.startNs;
    const firstRun = Math.floor((from - tileFirst) / size);
    const lastRun = Math.min(runs - 1, Math.floor((to - 1 - tileFirst) / size));
    for (let run = firstRun; run <= lastRun; run++) {
      const begin = tileFirst + run * size;
      const end = Math.min(begin + size, this.frames.count);
      const left = Math.max(0, Math.floor((edges[begin] - offset) * pixelsPerNs));
      const right = Math.min(width, Math.max(left + 1, Math.floor((edges[end] - offset) * pixelsPerNs)));
      for (let place = 0; place < this.rows.length; place++) {
        const at = 2 * (this.rows[place] * runs + run);
        const least = tile[at];
        if (least !== least) continue; // NaN: nothing is there
        const greatest = tile[at + 1];
        for (let x = place * width + left; x < place * width + right; x++) {
          if (!(low[x] <= least)) low[x] = least;
          if (!(high[x] >= greatest)) high[x] = greatest;
        }
      }
    }
  }

  /** @returns {{fill: number, stroke: number}[]} one a signal, in the bytes of a picture */
  _colours() {
    const dark = document.documentElement.dataset.theme === "dark";
    const neutral = dark ? [169, 179, 192] : [79, 89, 102];
    const left = dark ? [255, 138, 61] : [184, 80, 6];
    const right = dark ? [56, 189, 248] : [2, 104, 160];
    return this.store.signals.map(({ name }) => {
      const [r, g, b] = name.startsWith("left") ? left : name.startsWith("right") ? right : neutral;
      const colour = (b << 16) | (g << 8) | r;
      return { fill: ((60 << 24) | colour) >>> 0, stroke: ((255 << 24) | colour) >>> 0 };
    });
  }
}

/**
 * One row: a line from the least to the greatest value of each column, joined to the next, and a shade below it.
 * @param {Uint32Array} pixels
 * @param {number} width
 * @param {{top: number, bottom: number}} box
 * @param {Float32Array} low
 * @param {Float32Array} high
 * @param {{least: number, top: number}} scale
 * @param {number} line
 * @param {number} fill
 * @param {number} stroke
 */
function drawRow(pixels, width, box, low, high, scale, line, fill, stroke) {
  const space = box.bottom - box.top - line;
  if (space <= 0) return;
  const perValue = space / (scale.top - scale.least);
  let before = -1;
  for (let x = 0; x < width; x++) {
    if (low[x] !== low[x]) {
      before = -1;
      continue;
    }
    const upper = box.top + Math.round(space - Math.min(space, Math.max(0, (high[x] - scale.least) * perValue)));
    const lower = box.top + Math.round(space - Math.min(space, Math.max(0, (low[x] - scale.least) * perValue)));
    const from = before < 0 ? upper : Math.min(upper, before);
    const to = (before < 0 ? lower : Math.max(lower, before)) + line;
    before = (upper + lower) >> 1;
    let at = from * width + x;
    for (let y = from; y < to; y++, at += width) pixels[at] = stroke;
    for (let y = to; y < box.bottom; y++, at += width) pixels[at] = fill;
  }
}

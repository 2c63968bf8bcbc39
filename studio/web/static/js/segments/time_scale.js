// Which part of a recording a timeline shows: nanoseconds to pixels and back.

/** At most this many pixels a frame when zoomed in. */
const WIDEST_FRAME = 48;

export class TimeScale {
  /**
   * @param {number} durationNs
   * @param {number} shortestNs of a frame
   */
  constructor(durationNs, shortestNs) {
    this.durationNs = durationNs;
    this.shortestNs = shortestNs;
    this.startNs = 0;
    this.nsPerPixel = 1;
    this.width = 1;
    this.fitted = true;
  }

  get endNs() {
    return this.startNs + this.width * this.nsPerPixel;
  }

  /** @param {number} width pixels that show time */
  resize(width) {
    this.width = Math.max(1, width);
    if (this.fitted) this.fit();
    else this._keepInside();
  }

  fit() {
    this.nsPerPixel = this._widest;
    this.startNs = 0;
    this.fitted = true;
  }

  /** @param {number} ns */
  toX(ns) {
    return (ns - this.startNs) / this.nsPerPixel;
  }

  /** @param {number} x */
  toNs(x) {
    return this.startNs + x * this.nsPerPixel;
  }

  /**
   * @param {number} factor above 1: closer
   * @param {number} aroundNs stays where it is
   */
  zoom(factor, aroundNs) {
    const x = this.toX(aroundNs);
    const narrowest = Math.min(this._widest, this.shortestNs / WIDEST_FRAME);
    this.nsPerPixel = Math.min(this._widest, Math.max(narrowest, this.nsPerPixel / factor));
    this.startNs = aroundNs - x * this.nsPerPixel;
    this.fitted = this.nsPerPixel === this._widest;
    this._keepInside();
  }

  /** @param {number} ns */
  moveTo(ns) {
    this.startNs = ns;
    this._keepInside();
  }

  /**
   * Show an interval with some room at both sides.
   * @param {number} startNs
   * @param {number} endNs
   */
  show(startNs, endNs) {
    const length = Math.max(endNs - startNs, 4 * this.shortestNs);
    this.nsPerPixel = Math.min(this._widest, (1.4 * length) / this.width);
    this.fitted = this.nsPerPixel === this._widest;
    this.moveTo((startNs + endNs) / 2 - (this.width * this.nsPerPixel) / 2);
  }

  /**
   * Bring a moment into view: by a page while playing, to the middle when jumping. Says whether the view moved.
   * @param {number} ns
   * @param {boolean} byPage
   */
  follow(ns, byPage) {
    if (ns >= this.startNs && ns <= this.endNs) return false;
    const before = this.startNs;
    this.moveTo(ns - (byPage ? 0.05 : 0.5) * this.width * this.nsPerPixel);
    return this.startNs !== before;
  }

  get _widest() {
    return this.durationNs / this.width;
  }

  _keepInside() {
    this.startNs = Math.max(0, Math.min(this.startNs, this.durationNs - this.width * this.nsPerPixel));
  }
}

/**
 * A distance of ticks so that their names have room.
 * @param {number} nsPerPixel
 * @param {number} room pixels
 * @returns {number} ns
 */
export function tickDistance(nsPerPixel, room) {
  const seconds = (nsPerPixel * room) / 1e9;
  const steps = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];
  return 1e9 * (steps.find((step) => step >= seconds) ?? 7200);
}

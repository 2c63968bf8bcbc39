// When each frame of a recording is shown: the truth that all times and frame numbers of a page come from.

/**
 * Frames are numbered from 0. Times are nanoseconds since the recording began, that is since its first frame; media
 * times are seconds as `HTMLMediaElement.currentTime` means them, in which the first frame need not be at 0.
 */
export class FrameTable {
  /** @param {Float64Array} edges when each frame begins and the last one ends, in nanoseconds of the container */
  constructor(edges) {
    if (edges.length < 2) throw new RangeError("a recording has at least one frame");
    this.edges = edges;
    this.count = edges.length - 1;
    this.originNs = edges[0];
  }

  /** @param {number} frame */
  startNs(frame) {
    return this.edges[this.clamped(frame)] - this.originNs;
  }

  /** @param {number} frame */
  endNs(frame) {
    return this.edges[this.clamped(frame) + 1] - this.originNs;
  }

  /** The end of the last frame. */
  get durationNs() {
    return this.edges[this.count] - this.originNs;
  }

  /**
   * The frame that is shown at a time; the first before, the last after all.
   * @param {number} ns
   * @returns {number}
   */
  frameAt(ns) {
    return this._containing(ns + this.originNs);
  }

  /**
   * The time of an edge, where segments begin and end: edge k is the beginning of frame k, edge `count` the end of all.
   * @param {number} edge
   * @returns {number} ns
   */
  edgeNs(edge) {
    return edge < this.count ? this.startNs(edge) : this.durationNs;
  }

  /**
   * The edge nearest to a time.
   * @param {number} ns
   * @returns {number}
   */
  nearestEdge(ns) {
    const frame = this.frameAt(ns);
    return ns - this.startNs(frame) <= this.endNs(frame) - ns ? frame : frame + 1;
  }

  /**
   * The interval of the frames [startFrame, endFrame), as segments have it.
   * @param {number} startFrame
   * @param {number} endFrame
   */
  interval(startFrame, endFrame) {
    return {
      start_frame: startFrame,
      end_frame: endFrame,
      start_ns: this.edgeNs(startFrame),
      end_ns: this.edgeNs(endFrame),
    };
  }

  /**
   * The frame that a browser says it shows. It knows times to the microsecond, rounded.
   * @param {number} seconds a media time, of `VideoFrameCallbackMetadata` for instance
   * @returns {number}
   */
  frameAtMedia(seconds) {
    return this._containing(1e9 * seconds + 1000);
  }

  /**
   * The media time so far behind the beginning of a frame, but not behind its middle.
   * @param {number} frame
   * @param {number} ns
   * @returns {number}
   */
  mediaSeconds(frame, ns = 0) {
    const k = this.clamped(frame);
    return (this.edges[k] + Math.min(ns, (this.edges[k + 1] - this.edges[k]) / 2)) / 1e9;
  }

  /** @param {number} frame */
  clamped(frame) {
    return Math.max(0, Math.min(this.count - 1, Math.trunc(frame) || 0));
  }

  /**
   * @param {number} ns of the container
   * @returns {number}
   */
  _containing(ns) {
    let low = 0;
    let high = this.count - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.edges[middle] <= ns) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

// The mouse on a timeline: choose, drag edges and segments, draw new ones, scroll and zoom. What is dragged is only
// shown; the page is told once, at the end.

/** @typedef {import("../segments/segment_index.js").Segment} Segment */
/** @typedef {import("./timeline_view.js").TimelineView} TimelineView */

const REACH = 6;
const SNAP = 10;
const LEAST_DRAG = 3;

/**
 * @typedef {object} Hit
 * @property {"minimap" | "ruler" | "track" | "name"} place
 * @property {string} track
 * @property {number} ns
 * @property {Segment | undefined} segment
 * @property {"start" | "end" | null} edge
 */

/** @typedef {{move: (event: PointerEvent) => void, end: (event: PointerEvent, cancelled: boolean) => void}} Drag */

export class TimelinePointer {
  /** @param {TimelineView} timeline */
  constructor(timeline) {
    this.timeline = timeline;
    /** @type {Drag | null} */
    this.drag = null;
    const { canvas } = timeline;
    canvas.addEventListener("pointerdown", (event) => this._down(event));
    canvas.addEventListener("pointermove", (event) => this._move(event));
    canvas.addEventListener("pointerup", (event) => this._end(event, false));
    canvas.addEventListener("pointercancel", (event) => this._end(event, true));
    canvas.addEventListener("dblclick", (event) => this._twice(event));
    canvas.addEventListener("wheel", (event) => this._wheel(event), { passive: false });
  }

  /** Whether something is dragged, so that the view must not move by itself. */
  get busy() {
    return this.drag !== null;
  }

  /**
   * What lies at a place of the canvas.
   * @param {number} x
   * @param {number} y
   * @returns {Hit}
   */
  hit(x, y) {
    const { layout, scale, index, selection, durationNs } = this.timeline;
    const ns = Math.max(0, Math.min(durationNs - 1, scale.toNs(x - layout.left)));
    const row = Math.max(0, Math.min(index.tracks.length - 1, Math.floor((y - layout.ruler) / layout.height)));
    const track = index.tracks[row];
    const nothing = { track, ns, segment: undefined, edge: null };
    if (x < layout.left) return { place: "name", ...nothing };
    if (y < layout.minimap) return { place: "minimap", ...nothing };
    if (y < layout.ruler) return { place: "ruler", ...nothing };
    const near = index.within(track, ns - REACH * scale.nsPerPixel, ns + REACH * scale.nsPerPixel);
    const { segments, lanes, laneCount } = index.layout(track);
    const lane = Math.floor(((y - layout.ruler - row * layout.height) / layout.height) * laneCount);
    const inLane = near.filter((segment) => laneCount === 1 || lanes[segments.indexOf(segment)] === lane);
    const chosenFirst = inLane.sort((a, b) => Number(selection.has(b.segment)) - Number(selection.has(a.segment)));
    for (const segment of chosenFirst) {
      const reach = Math.min(REACH, (segment.end_ns - segment.start_ns) / scale.nsPerPixel / 3) * scale.nsPerPixel;
      const outside = REACH * scale.nsPerPixel;
      if (ns > segment.end_ns - reach && ns < segment.end_ns + outside) return { ...nothing, place: "track", segment, edge: "end" };
      if (ns < segment.start_ns + reach && ns > segment.start_ns - outside) return { ...nothing, place: "track", segment, edge: "start" };
    }
    const segment = inLane.find((one) => one.start_ns <= ns && one.end_ns > ns);
    return { ...nothing, place: "track", segment };
  }

  /** @param {PointerEvent} event */
  _down(event) {
    if (event.button !== 0 || this.drag) return;
    const timeline = this.timeline;
    timeline.canvas.focus({ preventScroll: true });
    const hit = this.hit(event.offsetX, event.offsetY);
    if (hit.place === "name") {
      timeline.emit("select", { segment: undefined, track: hit.track, add: false });
    } else if (hit.place === "minimap") {
      this._begin(event, this._dragView());
    } else if (hit.place === "ruler") {
      this._begin(event, this._dragPlayhead());
    } else if (hit.segment) {
      timeline.emit("select", { segment: hit.segment.segment, track: hit.track, add: event.shiftKey && !hit.edge });
      this._begin(event, hit.edge ? this._dragEdge(hit.segment, hit.edge, event.shiftKey) : this._dragSegment(hit));
    } else {
      timeline.emit("select", { segment: undefined, track: hit.track, add: false });
      this._begin(event, this._draw(hit));
    }
  }

  /**
   * @param {PointerEvent} event
   * @param {Drag} drag
   */
  _begin(event, drag) {
    this.timeline.canvas.setPointerCapture(event.pointerId);
    this.drag = drag;
    drag.move(event);
  }

  /** @param {PointerEvent} event */
  _move(event) {
    if (this.drag) {
      this._scrollAtEdge(event);
      this.drag.move(event);
      return;
    }
    const hit = this.hit(event.offsetX, event.offsetY);
    const cursors = { name: "pointer", minimap: "grab", ruler: "col-resize", track: hit.segment ? "default" : "crosshair" };
    this.timeline.canvas.style.cursor = hit.edge ? "ew-resize" : cursors[hit.place];
  }

  /**
   * @param {PointerEvent} event
   * @param {boolean} cancelled
   */
  _end(event, cancelled) {
    const drag = this.drag;
    this.drag = null;
    drag?.end(event, cancelled);
    this.timeline.dragged.clear();
    this.timeline.drawn = null;
    this.timeline.snapNs = null;
    this.timeline.invalidate();
  }

  /** Give up what is dragged. Says whether there was something. */
  cancel() {
    if (!this.drag) return false;
    this._end(new PointerEvent("pointercancel"), true);
    return true;
  }

  /** @param {MouseEvent} event */
  _twice(event) {
    const { segment } = this.hit(event.offsetX, event.offsetY);
    if (segment) this.timeline.emit("play", { segment: segment.segment });
  }

  /** @param {WheelEvent} event */
  _wheel(event) {
    event.preventDefault();
    const { scale, layout } = this.timeline;
    const pixels = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    if (event.ctrlKey || event.metaKey || (!event.shiftKey && !event.deltaX && event.offsetY < layout.ruler)) {
      this.timeline.zoom(Math.exp(-event.deltaY * pixels * 0.0025), scale.toNs(event.offsetX - layout.left));
    } else {
      scale.moveTo(scale.startNs + (event.deltaX || event.deltaY) * pixels * scale.nsPerPixel);
      this.timeline.viewChanged();
    }
  }

  /** @param {PointerEvent} event */
  _scrollAtEdge(event) {
    const { layout, scale } = this.timeline;
    if (event.offsetY < layout.minimap && scale.fitted) return;
    const over = event.offsetX > layout.right - 12 ? 1 : event.offsetX < layout.left + 12 ? -1 : 0;
    if (!over) return;
    scale.moveTo(scale.startNs + over * 0.02 * (scale.endNs - scale.startNs));
    this.timeline.viewChanged();
  }

  /**
   * The moment at the mouse: with Alt that of a near edge or of least motion, else that of a frame's edge.
   * @param {PointerEvent} event
   * @param {Set<string>} except segments whose edges do not attract
   */
  _moment(event, except) {
    const { layout, scale, index, minima, durationNs, frames } = this.timeline;
    const ns = Math.max(0, Math.min(durationNs, scale.toNs(event.offsetX - layout.left)));
    this.timeline.snapNs = null;
    if (event.altKey) {
      const within = SNAP * scale.nsPerPixel;
      const edge = index.nearestEdge(ns, within, except);
      const near = [edge, ...minima.filter((one) => Math.abs(one - ns) <= within)].filter((one) => one !== undefined);
      near.sort((a, b) => Math.abs(a - ns) - Math.abs(b - ns));
      if (near.length) {
        this.timeline.snapNs = near[0];
        return near[0];
      }
    }
    return frames.edgeNs(frames.nearestEdge(ns));
  }

  /** @returns {Drag} */
  _dragPlayhead() {
    const seek = (/** @type {PointerEvent} */ event, /** @type {boolean} */ exact) => {
      const { layout, scale, durationNs } = this.timeline;
      const ns = scale.toNs(Math.max(0, event.offsetX - layout.left));
      this.timeline.emit("seek", { ns: Math.max(0, Math.min(durationNs - 1, ns)), exact });
    };
    return { move: (event) => seek(event, false), end: (event, cancelled) => cancelled || seek(event, true) };
  }

  /** @returns {Drag} */
  _dragView() {
    return {
      move: (event) => {
        const { layout, scale, durationNs } = this.timeline;
        const ns = ((event.offsetX - layout.left) / (layout.right - layout.left)) * durationNs;
        scale.moveTo(ns - (scale.endNs - scale.startNs) / 2);
        this.timeline.viewChanged();
      },
      end: () => {},
    };
  }

  /**
   * @param {Segment} segment
   * @param {"start" | "end"} edge
   * @param {boolean} both whether the neighbour at this edge goes with it
   * @returns {Drag}
   */
  _dragEdge(segment, edge, both) {
    const { index, dragged, frames } = this.timeline;
    const at = edge === "start" ? segment.start_ns : segment.end_ns;
    const opposite = edge === "start" ? /** @type {const} */ ("end_ns") : /** @type {const} */ ("start_ns");
    const neighbour = both
      ? index
          .within(segment.track, at - 1e6, at + 1e6)
          .find((one) => one.segment !== segment.segment && Math.abs(one[opposite] - at) < 1e6)
      : undefined;
    const except = new Set([segment.segment, ...(neighbour ? [neighbour.segment] : [])]);
    const [ends, begins] = edge === "end" ? [segment, neighbour] : [neighbour, segment];
    const least = ends ? ends.start_frame + 1 : 0;
    const most = begins ? begins.end_frame - 1 : frames.count;
    const started = { x: NaN };
    return {
      move: (event) => {
        if (Number.isNaN(started.x)) started.x = event.offsetX;
        if (!dragged.size && Math.abs(event.offsetX - started.x) < LEAST_DRAG) return;
        const target = frames.nearestEdge(this._moment(event, except));
        const ns = frames.edgeNs(Math.max(least, Math.min(most, target)));
        dragged.set(segment.segment, moved(segment, edge, ns));
        if (neighbour) dragged.set(neighbour.segment, moved(neighbour, edge === "start" ? "end" : "start", ns));
        this.timeline.emit("seek", { ns: edge === "end" ? ns - 1 : ns, exact: false });
        this.timeline.invalidate();
      },
      end: (_event, cancelled) => this._finish(cancelled),
    };
  }

  /**
   * @param {Hit} hit
   * @returns {Drag}
   */
  _dragSegment(hit) {
    const { dragged, frames, durationNs } = this.timeline;
    const segment = /** @type {Segment} */ (hit.segment);
    const started = { x: NaN };
    return {
      move: (event) => {
        if (Number.isNaN(started.x)) started.x = event.offsetX;
        if (!dragged.size && Math.abs(event.offsetX - started.x) < 2 * LEAST_DRAG) return;
        const length = segment.end_ns - segment.start_ns;
        const { scale, layout } = this.timeline;
        const by = scale.toNs(event.offsetX - layout.left) - hit.ns;
        const start = Math.max(0, Math.min(durationNs - length, segment.start_ns + by));
        const first = Math.min(frames.count - 1, frames.nearestEdge(start));
        const last = Math.max(first + 1, frames.nearestEdge(start + length));
        dragged.set(segment.segment, frames.interval(first, last));
        this.timeline.invalidate();
      },
      end: (event, cancelled) => {
        if (!dragged.size && !cancelled) this.timeline.emit("seek", { ns: hit.ns, exact: true });
        else this._finish(cancelled);
      },
    };
  }

  /**
   * @param {Hit} hit
   * @returns {Drag}
   */
  _draw(hit) {
    const started = { x: NaN, ns: 0 };
    return {
      move: (event) => {
        if (Number.isNaN(started.x)) {
          started.x = event.offsetX;
          started.ns = this._moment(event, new Set());
        }
        if (!this.timeline.drawn && Math.abs(event.offsetX - started.x) < LEAST_DRAG) return;
        this.timeline.drawn = { track: hit.track, startNs: started.ns, endNs: this._moment(event, new Set()) };
        this.timeline.invalidate();
      },
      end: (_event, cancelled) => {
        const { drawn } = this.timeline;
        if (cancelled) return;
        if (!drawn) this.timeline.emit("seek", { ns: hit.ns, exact: true });
        else if (drawn.startNs !== drawn.endNs) {
          const [startNs, endNs] = [drawn.startNs, drawn.endNs].sort((a, b) => a - b);
          this.timeline.emit("create", { track: drawn.track, startNs, endNs });
        }
      },
    };
  }

  /** @param {boolean} cancelled */
  _finish(cancelled) {
    const { dragged } = this.timeline;
    if (cancelled || !dragged.size) return;
    const edges = [...dragged].map(([segment, { start_ns, end_ns }]) => ({ segment, startNs: start_ns, endNs: end_ns }));
    this.timeline.emit("edges", { edges });
  }
}

/**
 * @param {Segment} segment
 * @param {"start" | "end"} edge
 * @param {number} ns
 */
function moved(segment, edge, ns) {
  return edge === "start" ? { start_ns: ns, end_ns: segment.end_ns } : { start_ns: segment.start_ns, end_ns: ns };
}

// The segments of a recording, sorted by track and time, so that ten thousand of them are found and drawn at once.

/**
 * @typedef {object} Segment a labelled time interval, half-open; times in ns since the recording began
 * @property {string} segment
 * @property {number} version the revision that changed it last; 0 until the server has it
 * @property {string} track
 * @property {number} start_ns
 * @property {number} end_ns
 * @property {number} start_frame
 * @property {number} end_frame
 * @property {string} label
 * @property {string | null} object
 * @property {"left" | "right" | "both" | null} hand
 * @property {string | null} outcome
 * @property {string} note
 */

/**
 * @typedef {object} TrackLayout
 * @property {Segment[]} segments by start
 * @property {number[]} reach the latest end of all segments up to each
 * @property {number[]} lanes overlapping segments lie in different lanes, from 0
 * @property {number} laneCount
 */

const CONTENT = /** @type {const} */ (["track", "start_frame", "end_frame", "label", "object", "hand", "outcome", "note"]);

/**
 * Whether two states of a segment are the same but for their versions.
 * @param {Segment | null | undefined} a
 * @param {Segment | null | undefined} b
 */
export function sameContent(a, b) {
  if (!a || !b) return !a && !b;
  return CONTENT.every((field) => a[field] === b[field]);
}

/** @param {Segment} a @param {Segment} b */
function byTime(a, b) {
  return a.start_ns - b.start_ns || a.end_ns - b.end_ns || (a.segment < b.segment ? -1 : a.segment > b.segment ? 1 : 0);
}

/**
 * The first index from which on `isRight` holds, where it holds for all after the first.
 * @param {number} length
 * @param {(index: number) => boolean} isRight
 */
export function firstIndex(length, isRight) {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isRight(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

export class SegmentIndex {
  /** @param {string[]} tracks in the order in which they are shown */
  constructor(tracks) {
    this.tracks = tracks;
    /** @type {Map<string, Segment>} */
    this.byId = new Map();
    /** How often something was put or removed. */
    this.changes = 0;
    /** @type {Map<string, Segment[]>} */
    this._sorted = new Map(tracks.map((track) => [track, []]));
    /** @type {Map<string, TrackLayout>} */
    this._layouts = new Map();
  }

  /** @param {string} segment */
  get(segment) {
    return this.byId.get(segment);
  }

  get size() {
    return this.byId.size;
  }

  /** @param {Iterable<Segment>} segments instead of all that were there */
  fill(segments) {
    this.changes += 1;
    this.byId.clear();
    this._layouts.clear();
    for (const track of this._sorted.keys()) this._sorted.set(track, []);
    for (const segment of segments) {
      this.byId.set(segment.segment, segment);
      this._of(segment.track).push(segment);
    }
    for (const sorted of this._sorted.values()) sorted.sort(byTime);
  }

  /** @param {Segment} segment put in place of the one with its id, if there is one */
  put(segment) {
    this.remove(segment.segment);
    this.changes += 1;
    const sorted = this._of(segment.track);
    sorted.splice(firstIndex(sorted.length, (place) => byTime(sorted[place], segment) >= 0), 0, segment);
    this.byId.set(segment.segment, segment);
    this._layouts.delete(segment.track);
  }

  /** @param {string} id */
  remove(id) {
    const known = this.byId.get(id);
    if (!known) return;
    this.changes += 1;
    const sorted = this._of(known.track);
    sorted.splice(firstIndex(sorted.length, (place) => byTime(sorted[place], known) >= 0), 1);
    this.byId.delete(id);
    this._layouts.delete(known.track);
  }

  /**
   * @param {string} track
   * @returns {TrackLayout}
   */
  layout(track) {
    let found = this._layouts.get(track);
    if (!found) this._layouts.set(track, (found = laidOut(this._of(track))));
    return found;
  }

  /** @returns {Segment[]} all of them, by start, then track */
  all() {
    const sorted = this.tracks.map((track) => this._of(track));
    const places = sorted.map(() => 0);
    const found = [];
    while (found.length < this.byId.size) {
      let next = -1;
      for (let track = 0; track < sorted.length; track++) {
        const candidate = sorted[track][places[track]];
        if (candidate && (next < 0 || candidate.start_ns < sorted[next][places[next]].start_ns)) next = track;
      }
      found.push(sorted[next][places[next]++]);
    }
    return found;
  }

  /**
   * Those of a track that share a moment with [startNs, endNs).
   * @param {string} track
   * @param {number} startNs
   * @param {number} endNs
   * @returns {Segment[]}
   */
  within(track, startNs, endNs) {
    const { segments, reach } = this.layout(track);
    const first = firstIndex(segments.length, (place) => reach[place] > startNs);
    const last = firstIndex(segments.length, (place) => segments[place].start_ns >= endNs);
    return segments.slice(first, last).filter((segment) => segment.end_ns > startNs);
  }

  /**
   * The segment of a track at a moment; of several, the one that began last.
   * @param {string} track
   * @param {number} ns
   */
  at(track, ns) {
    return this.within(track, ns, ns + 1).at(-1);
  }

  /**
   * The segment after (or before) another in its track, or after (before) a moment.
   * @param {string} track
   * @param {number} ns
   * @param {1 | -1} direction
   * @param {string} [from] the segment to go on from
   */
  neighbour(track, ns, direction, from) {
    const { segments } = this.layout(track);
    const known = from === undefined ? undefined : this.byId.get(from);
    if (known && known.track === track) {
      return segments[firstIndex(segments.length, (place) => byTime(segments[place], known) >= 0) + direction];
    }
    return direction > 0
      ? segments[firstIndex(segments.length, (place) => segments[place].start_ns >= ns)]
      : segments[firstIndex(segments.length, (place) => segments[place].start_ns >= ns) - 1];
  }

  /**
   * The nearest edge of other segments, in any track, no further than `within` from a moment.
   * @param {number} ns
   * @param {number} within
   * @param {Set<string>} except ids of segments whose edges do not count
   * @returns {number | undefined}
   */
  nearestEdge(ns, within, except) {
    let best;
    let distance = within;
    for (const track of this.tracks) {
      for (const segment of this.within(track, ns - within - 1, ns + within + 1)) {
        if (except.has(segment.segment)) continue;
        for (const edge of [segment.start_ns, segment.end_ns]) {
          if (Math.abs(edge - ns) <= distance) {
            distance = Math.abs(edge - ns);
            best = edge;
          }
        }
      }
    }
    return best;
  }

  /** @param {string} track */
  _of(track) {
    let sorted = this._sorted.get(track);
    if (!sorted) {
      this._sorted.set(track, (sorted = []));
      this.tracks.push(track);
    }
    return sorted;
  }
}

/**
 * @param {Segment[]} segments by start
 * @returns {TrackLayout}
 */
function laidOut(segments) {
  const reach = new Array(segments.length);
  const lanes = new Array(segments.length);
  /** @type {number[]} where the last segment of each lane ends */
  const ends = [];
  let latest = -Infinity;
  segments.forEach((segment, place) => {
    latest = Math.max(latest, segment.end_ns);
    reach[place] = latest;
    let lane = ends.findIndex((end) => end <= segment.start_ns);
    if (lane < 0) lane = ends.length;
    ends[lane] = segment.end_ns;
    lanes[place] = lane;
  });
  return { segments, reach, lanes, laneCount: Math.max(1, ends.length) };
}

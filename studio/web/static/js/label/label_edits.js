// What the keys of the label page make of segments, as changes for `Labels.edit`.

import { randomId } from "../shared/api.js";

/** @typedef {import("../segments/segment_index.js").Segment} Segment */
/** @typedef {import("../segments/segment_index.js").SegmentIndex} SegmentIndex */
/** @typedef {import("../player/frame_table.js").FrameTable} FrameTable */
/** @typedef {{segment: string, after: Segment | null}[]} Changes */
/** @typedef {Pick<Segment, "label" | "object" | "hand" | "outcome" | "note">} Description what a segment shows */

const HANDS = /** @type {Record<string, "left" | "right">} */ ({ "left hand": "left", "right hand": "right" });

/**
 * @param {FrameTable} frames
 * @param {string} track
 * @param {number} startFrame
 * @param {number} endFrame
 * @param {Partial<Description> & {label: string}} description
 * @returns {Segment}
 */
export function newSegment(frames, track, startFrame, endFrame, description) {
  const hand = HANDS[track] ?? null;
  return {
    segment: randomId(8),
    version: 0,
    track,
    ...frames.interval(startFrame, endFrame),
    label: description.label,
    object: description.object ?? null,
    hand: description.hand ?? hand,
    outcome: description.outcome ?? null,
    note: description.note ?? "",
  };
}

/**
 * @param {Segment[]} segments
 * @param {Partial<Description>} description
 * @returns {Changes}
 */
export function describe(segments, description) {
  return segments.map((segment) => ({ segment: segment.segment, after: { ...segment, ...description } }));
}

/**
 * Other edges for a segment; null where it would hold no frame.
 * @param {FrameTable} frames
 * @param {Segment} segment
 * @param {number} startFrame
 * @param {number} endFrame
 * @returns {Changes | null}
 */
export function resize(frames, segment, startFrame, endFrame) {
  const first = Math.max(0, startFrame);
  const last = Math.min(frames.count, endFrame);
  if (first >= last) return null;
  return [{ segment: segment.segment, after: { ...segment, ...frames.interval(first, last) } }];
}

/**
 * Two segments out of one; the second has the description, if one is given. Null where the edge is not inside.
 * @param {FrameTable} frames
 * @param {Segment} segment
 * @param {number} edge
 * @param {Partial<Description> & {label: string}} [description]
 * @returns {Changes | null}
 */
export function split(frames, segment, edge, description) {
  if (edge <= segment.start_frame || edge >= segment.end_frame) return null;
  const second = newSegment(frames, segment.track, edge, segment.end_frame, description ?? segment);
  return [
    { segment: segment.segment, after: { ...segment, ...frames.interval(segment.start_frame, edge) } },
    { segment: second.segment, after: second },
  ];
}

/**
 * One segment out of two, described as the first, over the gap between them.
 * @param {FrameTable} frames
 * @param {Segment} first
 * @param {Segment} second
 * @returns {Changes}
 */
export function merge(frames, first, second) {
  const start = Math.min(first.start_frame, second.start_frame);
  const end = Math.max(first.end_frame, second.end_frame);
  const note = [first.note, second.note].filter(Boolean).join("\n");
  return [
    { segment: first.segment, after: { ...first, note, ...frames.interval(start, end) } },
    { segment: second.segment, after: null },
  ];
}

/**
 * @param {Segment[]} segments
 * @returns {Changes}
 */
export function remove(segments) {
  return segments.map(({ segment }) => ({ segment, after: null }));
}

/**
 * Where a track has gaps between its segments, or segments that overlap, by time.
 * @param {SegmentIndex} index
 * @param {string[]} tracks
 * @returns {{kind: "gap" | "overlap", track: string, start_ns: number, end_ns: number}[]}
 */
export function gapsAndOverlaps(index, tracks) {
  /** @type {{kind: "gap" | "overlap", track: string, start_ns: number, end_ns: number}[]} */
  const found = [];
  for (const track of tracks) {
    const { segments, reach } = index.layout(track);
    for (let place = 1; place < segments.length; place++) {
      const before = reach[place - 1];
      const { start_ns, end_ns } = segments[place];
      if (start_ns > before) found.push({ kind: "gap", track, start_ns: before, end_ns: start_ns });
      else if (start_ns < before) {
        found.push({ kind: "overlap", track, start_ns, end_ns: Math.min(before, end_ns) });
      }
    }
  }
  return found.sort((a, b) => a.start_ns - b.start_ns);
}

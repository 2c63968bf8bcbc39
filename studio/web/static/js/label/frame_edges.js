// The edges of frames, where segments begin and end: edge k is the beginning of frame k, the last one the end of all.

/** @typedef {import("../player/frame_table.js").FrameTable} FrameTable */

/**
 * @param {FrameTable} frames
 * @param {number} edge
 * @returns {number} ns
 */
export function edgeNs(frames, edge) {
  return edge < frames.count ? frames.startNs(Math.max(0, edge)) : frames.endNs(frames.count - 1);
}

/**
 * @param {FrameTable} frames
 * @param {number} ns
 * @returns {number}
 */
export function nearestEdge(frames, ns) {
  if (ns <= 0) return 0;
  if (ns >= frames.endNs(frames.count - 1)) return frames.count;
  const frame = frames.frameAt(ns);
  return ns - frames.startNs(frame) <= frames.endNs(frame) - ns ? frame : frame + 1;
}

/**
 * The interval of the frames [startFrame, endFrame).
 * @param {FrameTable} frames
 * @param {number} startFrame
 * @param {number} endFrame
 */
export function interval(frames, startFrame, endFrame) {
  return {
    start_frame: startFrame,
    end_frame: endFrame,
    start_ns: edgeNs(frames, startFrame),
    end_ns: edgeNs(frames, endFrame),
  };
}

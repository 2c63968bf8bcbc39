// Signals with their names, a playhead, and a view to zoom and move: for pages that have no timeline of their own.

import { make } from "./player_view.js";
import { SignalPlot, SignalStore } from "./signals.js";

const LEAST_VIEW_NS = 2e8;

/**
 * @param {HTMLElement} container
 * @param {import("./player.js").Player} player
 * @param {{recording: string, trajectory: {signals: import("./signals.js").Signal[]}}} about
 * @returns {{plot: SignalPlot, setView: (startNs: number, endNs: number) => void, close: () => void}}
 */
export function mountSignals(container, player, about) {
  const { frames } = player;
  const store = new SignalStore(about.recording, about.trajectory.signals, frames.count);
  const root = make("div", "signals");
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "Signals");
  const names = make("ul", "signals-names plain");
  for (const { name, unit } of about.trajectory.signals) {
    const line = make("li", name.startsWith("left") ? "left" : name.startsWith("right") ? "right" : "");
    line.textContent = name;
    line.title = unit === "1" ? name : `${name}, ${unit}`;
    names.append(line);
  }
  const field = make("div", "signals-field");
  field.tabIndex = 0;
  field.setAttribute("role", "slider");
  field.setAttribute("aria-label", "Signals over time: click goes there, + and - zoom, wheel zooms, Shift and wheel moves");
  field.setAttribute("aria-valuemin", "0");
  field.setAttribute("aria-valuemax", String(frames.count - 1));
  const canvas = make("canvas");
  canvas.setAttribute("aria-hidden", "true");
  const head = make("div", "signals-head");
  field.append(canvas, head);
  root.append(names, field);
  container.append(root);
  const plot = new SignalPlot(canvas, store, frames);
  const listening = new AbortController();

  const setView = (/** @type {number} */ startNs, /** @type {number} */ endNs) => {
    const span = Math.max(Math.min(endNs - startNs, frames.durationNs), Math.min(LEAST_VIEW_NS, frames.durationNs));
    const start = Math.max(0, Math.min(startNs, frames.durationNs - span));
    plot.setView(start, start + span);
    follow();
  };
  const follow = () => {
    const share = (player.timeNs - plot.startNs) / (plot.endNs - plot.startNs);
    head.hidden = share < 0 || share > 1;
    head.style.left = `${100 * share}%`;
    field.setAttribute("aria-valuenow", String(player.frame));
    field.setAttribute("aria-valuetext", `frame ${player.frame}`);
  };
  const timeAt = (/** @type {MouseEvent} */ event) => {
    const box = field.getBoundingClientRect();
    return plot.startNs + ((event.clientX - box.left) / box.width) * (plot.endNs - plot.startNs);
  };
  const zoom = (/** @type {number} */ factor, /** @type {number} */ around) =>
    setView(around - (around - plot.startNs) * factor, around + (plot.endNs - around) * factor);
  field.addEventListener("pointerdown", (event) => {
    field.setPointerCapture(event.pointerId);
    void player.seekNs(timeAt(event));
  });
  field.addEventListener("pointermove", (event) => event.buttons & 1 && void player.seekNs(timeAt(event)));
  field.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const moved = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
      const by = (moved / field.clientWidth) * (plot.endNs - plot.startNs);
      if (moved) setView(plot.startNs + by, plot.endNs + by);
      else zoom(Math.exp(event.deltaY / 400), timeAt(event));
    },
    { passive: false },
  );
  field.addEventListener("keydown", (event) => {
    if (event.key !== "+" && event.key !== "-") return;
    event.preventDefault();
    zoom(event.key === "+" ? 0.5 : 2, player.timeNs);
  });
  player.addEventListener("frame", follow, { signal: listening.signal });
  follow();
  const close = () => {
    listening.abort();
    plot.close();
    store.close();
    root.remove();
  };
  return { plot, setView, close };
}

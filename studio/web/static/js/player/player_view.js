// What a player consists of on the page; `player_panel.js` makes it do something.

export const RATES = [0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4];

/** Drawn, for fonts differ in the signs they have. In a field of 16 by 16. */
const ICONS = {
  play: "M4 2.5v11l9-5.5z",
  pause: "M4 2.5h3v11H4zM9 2.5h3v11H9z",
  back: "M3 2.5h2v11H3zM13 2.5v11L5.5 8z",
  forward: "M11 2.5h2v11h-2zM3 2.5v11L10.5 8z",
  loop: "M4 4h7V1.5L15 5l-4 3.5V6H4v3H2V6a2 2 0 0 1 2-2zm8 8H5v2.5L1 11l4-3.5V10h7V7h2v3a2 2 0 0 1-2 2z",
};

/**
 * @typedef {ReturnType<typeof buildView>} PlayerView
 */

/** @param {boolean} scrubber whether there is a slider over the whole recording */
export function buildView(scrubber) {
  const root = make("section", "player");
  root.setAttribute("aria-label", "Player");
  const stage = make("div", "player-stage");
  const video = make("video");
  video.muted = true;
  video.playsInline = true;
  video.preload = "auto";
  video.disablePictureInPicture = true;
  video.tabIndex = -1;
  const canvas = make("canvas", "player-skeleton");
  canvas.setAttribute("aria-hidden", "true");
  const waiting = make("p", "player-waiting");
  waiting.textContent = "loading";
  waiting.hidden = true;
  stage.append(video, canvas, waiting);

  const problem = make("div", "note bad player-problem row");
  problem.setAttribute("role", "alert");
  problem.hidden = true;
  const problemText = make("span");
  const retry = button("Try again");
  problem.append(problemText, retry);

  const slider = make("input", "player-slider");
  slider.type = "range";
  slider.setAttribute("aria-label", "Place in the recording");
  slider.hidden = !scrubber;
  const back = iconButton("back", "One frame back (,)");
  const play = iconButton("play", "Play (Space)");
  play.classList.add("main");
  const forward = iconButton("forward", "One frame forward (.)");
  const loop = iconButton("loop", "Loop (R)");
  const rate = make("select", "player-rate");
  rate.setAttribute("aria-label", "Speed");
  rate.append(...RATES.map((one) => new Option(`${one}×`, String(one))));
  const place = make("span", "player-place mono");
  const frame = make("input", "player-frame mono");
  frame.type = "text";
  frame.inputMode = "numeric";
  frame.setAttribute("aria-label", "Frame on screen; type another to go there");
  const count = make("span", "soft mono");
  const field = make("span", "player-field soft");
  field.append("frame", frame, count);
  const parts = make("div", "player-parts");
  parts.setAttribute("role", "group");
  parts.setAttribute("aria-label", "Drawn over the video");
  const bar = make("div", "player-bar");
  bar.setAttribute("role", "group");
  bar.setAttribute("aria-label", "Playing");
  bar.append(back, play, forward, loop, rate, place, field, make("span", "spring"), parts, slider);
  root.append(stage, problem, bar);

  /**
   * @param {{recording: string, width: number, height: number}} about
   * @param {number} frames
   */
  const describe = (about, frames) => {
    stage.style.setProperty("--aspect", `${about.width} / ${about.height}`);
    video.setAttribute("aria-label", `Recording ${about.recording}`);
    slider.max = String(frames - 1);
    frame.size = String(frames).length + 1;
    count.textContent = `/ ${frames - 1}`;
  };
  return {
    root, stage, video, canvas, waiting, problem, problemText, retry, slider, back, play, forward, loop, rate, place, frame,
    parts, describe,
  };
}

/**
 * A box to tick, for a part that is drawn over the video.
 * @param {string} part
 */
export function labelledBox(part) {
  const label = make("label", `player-part ${part.replace(" ", "-")}`);
  const box = make("input");
  box.type = "checkbox";
  label.append(box, make("span", "player-swatch"), part);
  return { label, box };
}

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} classes
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, classes = "") {
  const element = document.createElement(tag);
  if (classes) element.className = classes;
  return element;
}

/**
 * @param {string} text
 * @returns {HTMLButtonElement}
 */
export function button(text) {
  const element = make("button");
  element.type = "button";
  element.textContent = text;
  return element;
}

/**
 * @param {keyof typeof ICONS} icon
 * @param {string} title
 * @returns {HTMLButtonElement}
 */
function iconButton(icon, title) {
  const element = button("");
  setIcon(element, icon, title);
  return element;
}

/**
 * @param {HTMLButtonElement} element
 * @param {keyof typeof ICONS} icon
 * @param {string} title
 */
export function setIcon(element, icon, title) {
  if (element.title === title) return;
  const picture = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[icon]);
  path.setAttribute("fill", "currentColor");
  picture.setAttribute("viewBox", "0 0 16 16");
  picture.setAttribute("aria-hidden", "true");
  picture.classList.add("player-icon");
  picture.append(path);
  element.replaceChildren(picture);
  element.title = title;
  element.setAttribute("aria-label", title);
}

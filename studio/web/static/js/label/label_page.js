// The label page: puts player, timeline, table and keys together around the labels of one annotation.

import { FrameTable } from "../player/frame_table.js";
import { mountPlayer } from "../player/player_panel.js";
import { SignalPlot, SignalStore } from "../player/signals.js";
import { askAboutConflicts } from "../segments/conflict_dialog.js";
import { labelColours } from "../segments/label_colours.js";
import { OperationStore } from "../segments/operation_store.js";
import { RequestFailed, getBytes, getJson, postJson } from "../shared/api.js";
import { load, save } from "../shared/browser_storage.js";
import { Keymap } from "../shared/keys.js";
import { annotationAddress, notice, pageData, showRefusal } from "../shared/page.js";
import { hotkeyActions, labelActions } from "./label_actions.js";
import { Editor } from "./label_editor.js";
import { LabelPicker } from "./label_picker.js";
import { askForReason, askForTime } from "./label_prompts.js";
import { LabelStatus } from "./label_status.js";
import { Labels } from "./labels.js";
import { Proposals } from "./proposals.js";
import { SegmentForm } from "./segment_form.js";
import { SegmentTable } from "./segment_table.js";
import { Timeline } from "./timeline.js";

/** @typedef {import("./label_actions.js").Taxonomy} Taxonomy */
/** @typedef {import("./label_edits.js").Description} Description */

const RENEW_MS = 60_000;

/**
 * @typedef {object} PageData
 * @property {string} annotation
 * @property {string} recording
 * @property {string} account
 * @property {string[]} tracks
 * @property {Taxonomy} labels
 */

/** @param {string} selector @returns {any} */
const find = (selector) => document.querySelector(selector);

class LabelPage {
  /**
   * @param {PageData} data
   * @param {import("../player/player_panel.js").PlayerPanel} panel
   * @param {FrameTable} frames
   * @param {Labels} labels
   */
  constructor(data, panel, frames, labels) {
    this.data = data;
    this.panel = panel;
    this.player = panel.player;
    this.frames = frames;
    this.labels = labels;
    this.path = labels.path;
    const colourOf = labelColours(data.labels.verbs);
    this.proposals = new Proposals(data.annotation, labels.index);
    const [only] = data.labels.verbs.length === 1 ? data.labels.verbs : [];
    this.editor = new Editor(labels, this.player, frames, this.proposals, only ? { label: only } : null);
    this.editor.lagNs = 1e6 * Number(load("label:lag") ?? 0);
    this.timeline = new Timeline(find("#timeline"), labels.index, frames, colourOf);
    this.table = new SegmentTable(find("#segments"), labels.index, colourOf);
    this.form = new SegmentForm(find("#segment"), data.labels, (description) => this.editor.describe(description));
    this.picker = new LabelPicker(find("#picker"), data.labels);
    this.status = new LabelStatus(this.editor);
    /** @type {object | undefined} what was last brought into view */
    this._shown = undefined;
    this.keymap = this._keys(colourOf);
    this._connect();
    this._signals();
    void this._proposals();
    this._lag();
    setInterval(() => void this._renew(), RENEW_MS);
    this._selected();
    this.timeline.canvas.focus({ preventScroll: true });
  }

  /** @param {(segment: {label: string}) => number} colourOf */
  _keys(colourOf) {
    const page = {
      pick: () => void this._pick(),
      goTo: () => void this._goTo(),
      writeNote: () => this.form.fields.note.focus(),
      toggleFollow: () => {
        this.timeline.follows = !this.timeline.follows;
        this.editor.announce(this.timeline.follows ? "the view follows the playhead" : "the view stays");
      },
      finish: () => void this._finish(),
      skip: () => void this._skip(),
      nextPanel: () => this._nextPanel(),
      help: () => this.keymap.help(),
    };
    const keymap = new Keymap("label", [...this.panel.actions, ...labelActions(this.editor, this.timeline, page)]);
    const hotkeys = hotkeyActions(this.data.labels, (field, value) => this.editor.describe({ [field]: value }));
    keymap.add(hotkeys);
    const palette = find("#palette");
    palette.replaceChildren(
      ...hotkeys.map((action) => {
        const button = document.createElement("button");
        button.type = "button";
        if (action.field === "label") button.dataset.colour = String(colourOf({ label: action.value }));
        const name = document.createElement("bdi");
        name.textContent = action.value;
        const key = action.keys.find((one) => keymap.byKey.get(one) === action);
        if (key) {
          const shown = document.createElement("kbd");
          shown.textContent = key;
          button.append(shown);
        }
        button.append(name);
        button.addEventListener("click", () => action.run(new KeyboardEvent("keydown")));
        return button;
      }),
    );
    for (const button of document.querySelectorAll("[data-action]")) {
      const action = keymap.actions.find(({ name }) => name === /** @type {HTMLElement} */ (button).dataset.action);
      if (!action) continue;
      button.setAttribute("title", `${action.title} (${action.keys[0] ?? "no key"})`);
      button.addEventListener("click", () => action.run(new KeyboardEvent("keydown")));
    }
    // After a click the keys go to the timeline again, which makes Tab go through segments; Tab alone reaches buttons.
    for (const bar of document.querySelectorAll(".timeline-bar, #palette, .player-bar")) {
      bar.addEventListener("click", (event) => {
        const byMouse = /** @type {MouseEvent} */ (event).detail > 0;
        if (byMouse && event.target instanceof Element && event.target.closest("button")) this.timeline.canvas.focus();
      });
    }
    return keymap;
  }

  /** Let each part hear of what the others do. */
  _connect() {
    const { editor, labels, player, timeline, table, panel } = this;
    /** @type {(target: EventTarget, name: string, run: (detail: any) => void) => void} */
    const on = (target, name, run) =>
      target.addEventListener(name, (event) => run(event instanceof CustomEvent ? event.detail : null));
    panel.rangeToLoop = () => {
      const { segment } = editor;
      return segment ? { startFrame: segment.start_frame, endFrame: segment.end_frame } : null;
    };
    on(editor, "selection", () => this._selected());
    on(labels, "change", () => {
      table.invalidate();
      timeline.invalidate();
    });
    on(labels, "conflict", () => void this._conflict());
    on(labels, "refused", ({ message }) => notice(message, "bad", 10));
    on(player, "frame", ({ frame }) => timeline.setPlayhead(this.frames.startNs(frame), player.playing));
    on(timeline, "select", ({ segment, track, add }) => {
      if (segment) editor.select(segment, { add });
      else {
        editor.useTrack(track);
        editor.select("");
      }
    });
    on(timeline, "seek", ({ ns }) => void player.seekFrame(this.frames.frameAt(ns)));
    on(timeline, "edges", ({ edges }) => editor.drag(edges));
    on(timeline, "create", ({ track, startNs, endNs }) => editor.draw(track, startNs, endNs));
    on(editor, "unlabelled", ({ make }) => void this._askForLabel(make));
    on(timeline, "play", ({ segment }) => {
      editor.select(segment);
      if (!player.looped) panel.toggleLoop();
    });
    on(timeline, "view", ({ startNs, endNs }) => this.plot?.setView(startNs, endNs));
    on(table, "select", ({ segment, add }) => editor.select(segment, { add, seek: true }));
    on(table, "choose", ({ segment }) => {
      editor.select(segment);
      void this._pick();
    });
  }

  _selected() {
    const { editor, timeline, table, form, proposals } = this;
    timeline.selection = editor.selection;
    timeline.activeTrack = editor.track;
    timeline.markNs = editor.mark === null ? null : this.frames.startNs(editor.mark);
    if (timeline.proposals !== proposals.waiting) timeline.proposals = proposals.waiting;
    timeline.chosenProposal = proposals.chosen?.proposal ?? "";
    const shown = proposals.chosen ?? editor.segment;
    if (shown && shown !== this._shown) timeline.reveal(shown);
    this._shown = shown;
    timeline.invalidate();
    table.select(editor.selection, editor.current);
    form.show(editor.segment, editor.selection.size);
  }

  _lag() {
    const input = find("#lag");
    input.value = String(this.editor.lagNs / 1e6);
    input.addEventListener("change", () => {
      const milliseconds = Math.max(0, Math.min(1000, Number(input.value) || 0));
      save("label:lag", milliseconds);
      this.editor.lagNs = 1e6 * milliseconds;
      input.value = String(milliseconds);
    });
  }

  /** Signals under the timeline, in its view. */
  _signals() {
    const { about } = this.panel;
    const canvas = find("#signals");
    if (!about.trajectory) {
      canvas.closest(".signal-lane").hidden = true;
      return;
    }
    /** @type {{name: string, unit: string}[]} */
    const signals = about.trajectory.signals;
    const store = new SignalStore(about.recording, signals, this.player.frames.count);
    this.plot = new SignalPlot(canvas, store, this.player.frames);
    const rows = signals.flatMap(({ name }, row) => (/motion|speed/.test(name) ? [row] : []));
    this.plot.setRows(rows);
    find("#signal-names").replaceChildren(
      ...rows.map((row) => {
        const line = document.createElement("li");
        line.textContent = signals[row].name.replace(" speed", "").replace(" energy", "");
        line.title = `${signals[row].name}, ${signals[row].unit}`;
        return line;
      }),
    );
    this.plot.setView(this.timeline.scale.startNs, this.timeline.scale.endNs);
  }

  async _proposals() {
    try {
      const found = await getJson(`/api/recordings/${this.data.recording}/proposals`);
      this.timeline.minima = found.minima_ns;
      this.proposals.fill(found.proposals);
      this.editor.announce();
    } catch (error) {
      if (!(error instanceof RequestFailed)) throw error;
      this.editor.announce(`no proposals: ${error.message}`);
    }
  }

  async _pick() {
    const { segment, nextLabel } = this.editor;
    const picked = await this.picker.ask(segment ?? nextLabel ?? {});
    this.timeline.canvas.focus({ preventScroll: true });
    if (picked) this.editor.describe(picked);
  }

  /** @param {(nextLabel: import("./label_editor.js").NextLabel) => void} make what waits for a label */
  async _askForLabel(make) {
    void this.player.pause();
    const picked = await this.picker.ask({});
    this.timeline.canvas.focus({ preventScroll: true });
    if (picked?.label) make({ ...picked, label: picked.label });
  }

  async _goTo() {
    const frame = await askForTime(this.frames);
    this.timeline.canvas.focus({ preventScroll: true });
    if (frame !== null) void this.player.seekFrame(frame);
  }

  async _conflict() {
    const { conflicts } = this.labels;
    if (conflicts) this.labels.resolve(await askAboutConflicts(conflicts));
  }

  async _finish() {
    if (!(await this.labels.settled())) return notice("Some edits are not saved yet; please wait for the server.", "bad");
    await this._leave("done", { revision: this.labels.latest });
  }

  async _skip() {
    const reason = await askForReason();
    if (reason && (await this.labels.settled())) await this._leave("skip", { reason });
  }

  /**
   * End this annotation and go on with the next.
   * @param {string} how
   * @param {Record<string, unknown>} sent
   */
  async _leave(how, sent) {
    try {
      await postJson(`${this.path}/${how}`, sent);
      const next = await postJson("/api/labelling/next", {});
      location.assign(next ? annotationAddress(next) : "/label");
    } catch (error) {
      showRefusal(error);
    }
  }

  async _renew() {
    if (this.labels.closedReason || document.hidden) return;
    await postJson(`${this.path}/renew`, {}).catch(() => {}); // editing tells of any trouble there is
  }

  _nextPanel() {
    const places = [this.timeline.canvas, this.table.grid, this.form.fields.label, find("#palette button")].filter(
      (place) => place && !place.disabled,
    );
    const now = places.findIndex((place) => place.contains(document.activeElement));
    places[(now + 1) % places.length].focus();
  }
}

/** @param {PageData} data */
async function begin(data) {
  const path = `/api/annotations/${data.annotation}`;
  const [panel, edges, annotation] = await Promise.all([
    mountPlayer(find("#player"), data.recording, { scrubber: false }),
    getBytes(`/api/recordings/${data.recording}/label-edges`),
    getJson(path),
  ]);
  const labels = new Labels(path, data.tracks, new OperationStore(data.account, data.annotation));
  const page = new LabelPage(data, panel, new FrameTable(new Float64Array(edges)), labels);
  if (annotation.state !== "open") labels.closedReason = `this annotation is ${annotation.state}: reopen it to change it`;
  find("#closed").hidden = annotation.state === "open";
  find("#reopen")?.addEventListener("click", async () => {
    await postJson(`${path}/reopen`, {});
    location.reload();
  });
  await labels.begin(annotation);
  labels.listen();
  const requested = new URLSearchParams(location.hash.slice(1)).get("segment");
  if (requested) page.editor.select(requested, { seek: true });
  document.documentElement.dataset.ready = "true";
}

begin(pageData()).catch((error) => notice(error.message, "bad", 0));

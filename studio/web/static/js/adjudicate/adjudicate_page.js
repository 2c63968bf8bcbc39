// The adjudication page: two annotators' tracks side by side, where they differ, and one key to say who is right.

import { mountPlayer } from "../player/player_panel.js";
import { askAboutConflicts } from "../segments/conflict_dialog.js";
import { labelColours } from "../segments/label_colours.js";
import { LabelSync } from "../segments/label_sync.js";
import { OperationStore } from "../segments/operation_store.js";
import { SegmentIndex, sameContent } from "../segments/segment_index.js";
import { getJson, postJson } from "../shared/api.js";
import { Keymap } from "../shared/keys.js";
import { notice, pageData, showRefusal } from "../shared/page.js";
import { AnnotatorLanes } from "./annotator_lanes.js";
import { DifferenceList, choiceOf } from "./difference_list.js";

/** @typedef {import("./difference_list.js").Difference} Difference */
/** @typedef {import("../segments/segment_index.js").Segment} Segment */
/** @typedef {{annotation: string, recording: string, account: string, tracks: string[], verbs: string[]}} PageData */
/** @typedef {{adjudication: {state: string}, sides: {segments: Segment[]}[], differences: Difference[]}} Adjudication */

const RENEW_MS = 60_000;
const AROUND_NS = 5e8;
const CLOSER = 1.6;

/** @param {string} id @returns {HTMLElement} */
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

class AdjudicatePage {
  /**
   * @param {PageData} data
   * @param {import("../player/player_panel.js").PlayerPanel} panel
   * @param {LabelSync} labels what is decided
   * @param {Adjudication} adjudication
   */
  constructor(data, panel, labels, adjudication) {
    this.data = data;
    this.panel = panel;
    this.labels = labels;
    this.differences = adjudication.differences;
    this.closed = adjudication.adjudication.state !== "open";
    this.place = -1;
    this.list = new DifferenceList(element("differences"), adjudication.differences);
    const sides = ["1 first", "2 second"].map((title, number) => {
      const index = new SegmentIndex([...data.tracks]);
      index.fill(adjudication.sides[number].segments);
      return { title, index };
    });
    sides.push({ title: "decided", index: labels.index });
    this.lanes = new AnnotatorLanes(element("lanes"), sides, panel.frames, labelColours(data.verbs));
    this.keymap = new Keymap("adjudicate", [...panel.actions, ...this._actions()]);
    this._connect();
    setInterval(() => void this._renew(), RENEW_MS);
  }

  /** Show everything, and go to the first place that is not decided. */
  begin() {
    this.differences.forEach((_, place) => this._show(place));
    this._showUndecided();
    if (this.differences.length) this.go(Math.max(0, this._undecided(0)));
  }

  /** @param {number} place */
  go(place) {
    const { player } = this.panel;
    this.place = Math.max(0, Math.min(this.differences.length - 1, place));
    this.list.select(this.place);
    this.lanes.show(this.differences[this.place]);
    const range = this._range();
    player.loop(range);
    const { looped } = player;
    void player.seekFrame(range.startFrame).then(() => {
      if (player.looped === looped) void player.play();
    });
  }

  /**
   * Decide the place that is looked at by one operation, and go on to the next that is not decided.
   * @param {"first" | "second" | "neither"} side
   */
  choose(side) {
    const difference = this.differences[this.place];
    if (!difference) return;
    if (this.closed) return notice("this adjudication is closed: reopen it to change it", "bad");
    const chosen = side === "neither" ? null : difference[side];
    const present = this.labels.index.get(difference.segment) ?? null;
    if (!difference.decided || !sameContent(chosen, present)) {
      const after = chosen && { ...chosen, segment: difference.segment, version: 0 };
      this.labels.enqueue([{ segment: difference.segment, before: present, after }]);
    }
    const next = this._undecided(this.place + 1);
    if (next >= 0) this.go(next);
    else void this.panel.player.pause();
  }

  /**
   * The first place that is not decided, from one on and then from the beginning; -1 if all are.
   * @param {number} from
   */
  _undecided(from) {
    const after = this.differences.findIndex(({ decided }, place) => place >= from && !decided);
    return after >= 0 ? after : this.differences.findIndex(({ decided }) => !decided);
  }

  _connect() {
    const { labels, lanes, list, panel } = this;
    panel.rangeToLoop = () => (this.place < 0 ? null : this._range());
    list.addEventListener("choose", (event) => this.go(/** @type {CustomEvent} */ (event).detail.place));
    lanes.addEventListener("seek", (event) => {
      panel.player.loop(null);
      void panel.player.seekFrame(panel.frames.frameAt(/** @type {CustomEvent} */ (event).detail.ns));
    });
    panel.player.addEventListener("frame", () => lanes.setPlayhead(panel.player.timeNs));
    labels.addEventListener("change", (event) => this._changed(/** @type {CustomEvent} */ (event).detail.segments));
    labels.addEventListener("conflict", () => void this._conflict());
    labels.addEventListener("refused", (event) => {
      notice(/** @type {CustomEvent} */ (event).detail.message, "bad", 10);
      void this._refresh();
    });
    labels.addEventListener("state", () => this._showSaved());
    document.addEventListener("visibilitychange", () => document.hidden || void this._refresh());
    element("reopen").addEventListener("click", async () => {
      await postJson(`${labels.path}/reopen`, {});
      location.reload();
    });
    for (const button of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-action]"))) {
      const action = this.keymap.actions.find(({ name }) => name === button.dataset.action);
      if (!action) continue;
      button.title = `${action.title} (${action.keys[0] ?? "no key"})`;
      if (!button.matches("a")) button.addEventListener("click", () => action.run(new KeyboardEvent("keydown")));
    }
  }

  /** @param {string[]} segments */
  _changed(segments) {
    const changed = new Set(segments);
    this.differences.forEach((difference, place) => {
      if (!changed.has(difference.segment)) return;
      difference.decided = true;
      this._show(place);
    });
    this._showUndecided();
    this.lanes.invalidate();
  }

  /** Ask the server what is decided: another tab may have said "neither", or an edit was refused. */
  async _refresh() {
    if (this.labels.queue.length) return;
    const found = /** @type {Adjudication | null} */ (await getJson(`/api/adjudications/${this.data.annotation}`).catch(() => null));
    const decided = new Set(found?.differences.flatMap((one) => (one.decided ? [one.segment] : [])));
    if (!found || this.labels.queue.length) return;
    this.differences.forEach((difference, place) => {
      difference.decided = decided.has(difference.segment);
      this._show(place);
    });
    this._showUndecided();
  }

  async _conflict() {
    const { conflicts } = this.labels;
    if (conflicts) this.labels.resolve(await askAboutConflicts(conflicts));
  }

  async _finish() {
    const next = this._undecided(0);
    if (next >= 0) {
      this.go(next);
      return notice(`${this._undecidedText()} not decided yet`, "bad");
    }
    if (!(await this.labels.settled())) return notice("Some choices are not saved yet; please wait for the server.", "bad");
    try {
      await postJson(`${this.labels.path}/done`, { revision: this.labels.latest });
      location.assign("/adjudicate");
    } catch (error) {
      showRefusal(error);
    }
  }

  async _renew() {
    if (this.closed || document.hidden) return;
    await postJson(`${this.labels.path}/renew`, {}).catch(() => {}); // choosing tells of any problem there is
  }

  /** @param {number} place */
  _show(place) {
    const difference = this.differences[place];
    this.list.show(place, choiceOf(difference, this.labels.index.get(difference.segment)));
  }

  _undecidedText() {
    const count = this.differences.filter(({ decided }) => !decided).length;
    return `${count} of ${this.differences.length} ${this.differences.length === 1 ? "place is" : "places are"}`;
  }

  _showUndecided() {
    const all = this._undecided(0) < 0;
    element("left").textContent = all ? "Everything is decided: press Done (Ctrl+Enter) to finish." : `${this._undecidedText()} not decided`;
  }

  _showSaved() {
    const { state, problem, queue } = this.labels;
    const waiting = `${queue.length} ${queue.length === 1 ? "choice is waiting" : "choices are waiting"} in this browser`;
    const texts = { saved: "saved", saving: "saving", offline: `${waiting}: ${problem}`, "signed out": `you are signed out; ${waiting}`, stopped: problem };
    element("saved").textContent = texts[state];
    element("saved").dataset.state = state;
  }

  /** The frames of the place that is looked at, from half a second before it. */
  _range() {
    const { frames } = this.panel;
    const { start_ns, end_ns } = this.differences[this.place];
    return {
      startFrame: frames.frameAt(Math.max(0, start_ns - AROUND_NS)),
      endFrame: Math.min(frames.count, frames.frameAt(end_ns + AROUND_NS) + 1),
    };
  }

  /** @returns {import("../shared/keys.js").Action[]} */
  _actions() {
    /** @param {string} name @param {string} title @param {string} group @param {string[]} keys @param {() => void} run */
    const action = (name, title, group, keys, run) => ({ name, title, group, keys, run });
    return [
      action("first", "The first is right", "Decide", ["1"], () => this.choose("first")),
      action("second", "The second is right", "Decide", ["2"], () => this.choose("second")),
      action("neither", "Neither is right: nothing here", "Decide", ["0", "x"], () => this.choose("neither")),
      action("finish", "Done", "Decide", ["Ctrl+Enter"], () => void this._finish()),
      action("edit", "Edit by hand", "Decide", ["e"], () => location.assign(`/label/${this.data.annotation}`)),
      action("next-place", "Next difference", "Differences", ["n", "ArrowDown"], () => this.go(this.place + 1)),
      action("previous-place", "Previous difference", "Differences", ["p", "ArrowUp"], () => this.go(this.place - 1)),
      action("closer", "Zoom in", "View", ["+", "="], () => this.lanes.zoom(CLOSER)),
      action("wider", "Zoom out", "View", ["-"], () => this.lanes.zoom(1 / CLOSER)),
      action("whole", "Show everything", "View", ["f"], () => this.lanes.fit()),
      action("help", "These keys", "Help", ["?"], () => this.keymap.help()),
    ];
  }
}

/** @param {PageData} data */
async function begin(data) {
  const path = `/api/annotations/${data.annotation}`;
  const [panel, adjudication, annotation] = await Promise.all([
    mountPlayer(element("player"), data.recording, { scrubber: false }),
    getJson(`/api/adjudications/${data.annotation}`),
    getJson(path),
  ]);
  const labels = new LabelSync(path, [...data.tracks], new OperationStore(data.account, data.annotation));
  const page = new AdjudicatePage(data, panel, labels, adjudication);
  element("closed").hidden = !page.closed;
  await labels.begin(annotation);
  labels.listen();
  page.begin();
  document.documentElement.dataset.ready = "true";
}

begin(pageData()).catch((error) => notice(error.message, "bad", 0));

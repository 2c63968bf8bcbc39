// The review page: evidence at the doubtful ranges, one key to decide, feedback by templates and in words.

import { mountPlayer } from "../player/player_panel.js";
import { getJson, postJson, request } from "../shared/api.js";
import { Keymap } from "../shared/keys.js";
import { notice, showError } from "../shared/page.js";
import { clock } from "../shared/times.js";

/**
 * @typedef {{check: string, verdict: "pass" | "doubt" | "fail", message: string, ranges: [number, number][]}} Finding
 * @typedef {{recording: string, title: string, instructions: string, duration_ns: number, findings: Finding[],
 *   failure: string | null, templates: Record<string, string>, beyond_checks: string[]}} Evidence
 */

const RENEW_MS = 5 * 60_000;
const MARK_NS = 2e9;

/** @param {string} id @returns {HTMLElement} */
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

class ReviewPage {
  constructor() {
    /** @type {Evidence | null} */
    this.evidence = null;
    /** @type {import("../player/player_panel.js").PlayerPanel | null} */
    this.panel = null;
    /** @type {[number, number][]} */
    this.marked = [];
    /** @type {[number, number][]} the doubtful ranges, in order */
    this.ranges = [];
    this.current = -1;
    /** @type {string[]} */
    this.skipped = [];
    this.busy = false;
    this.keymap = new Keymap("review", this._actions());
    element("again").addEventListener("click", () => this.next());
    element("later").addEventListener("click", () => this.later());
    element("mark").addEventListener("click", () => this.mark());
    element("help").addEventListener("click", () => this.keymap.help());
    for (const button of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-decision]")))
      button.addEventListener("click", () => this.decide(/** @type {any} */ (button.dataset.decision)));
    for (const id of ["task", "language"])
      document.getElementById(id)?.addEventListener("change", () => {
        this.skipped = [];
        void this.next();
      });
    setInterval(() => this.evidence && request("POST", "/api/reviews/renew").catch(() => {}), RENEW_MS);
  }

  /** Show what has waited longest. */
  async next() {
    this.busy = true;
    try {
      const answer = await request("POST", "/api/reviews/next", {
        json: { task: this._chosen("task"), language: this._chosen("language"), past: this.skipped },
      });
      const evidence = answer.status === 204 ? null : /** @type {Evidence} */ (await answer.json());
      await this._show(evidence);
    } catch (error) {
      showError(error);
    } finally {
      this.busy = false;
    }
    const { waiting } = await getJson("/api/reviews/queue").catch(() => ({ waiting: null }));
    element("waiting").textContent = waiting === null ? "" : `${waiting} waiting`;
  }

  /** Leave it to others, and take the next. */
  async later() {
    if (!this.evidence || this.busy) return;
    this.skipped.push(this.evidence.recording);
    await request("POST", "/api/reviews/release").catch(showError);
    await this.next();
  }

  /** @param {"accept" | "return" | "reject"} decision */
  async decide(decision) {
    if (!this.evidence || this.busy) return;
    if (decision === "accept" && this.evidence.failure) {
      notice("It could not be processed, so there is nothing to accept: return it, reject it, or leave it to others.");
      return;
    }
    this.busy = true;
    const named = [.../** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll("#templates input:checked"))];
    const words = /** @type {HTMLTextAreaElement} */ (element("words")).value;
    const { recording } = this.evidence;
    try {
      await postJson(`/api/reviews/${recording}/decide`, {
        decision,
        words,
        named: decision === "accept" ? [] : named.map((box) => box.value),
        ranges: decision === "accept" ? [] : this.marked,
      });
      notice({ accept: "Accepted.", return: "Returned with advice.", reject: "Rejected." }[decision], "good", 3);
    } catch (error) {
      showError(error);
      this.busy = false;
      if (/** @type {any} */ (error).status !== 409) return; // 409: it is not ours to decide on any more
    }
    await this.next();
  }

  /** Mark two seconds around what is on screen, for the contributor to look at. */
  mark() {
    if (!this.panel || !this.evidence) return;
    const now = this.panel.player.timeNs;
    const end = Math.min(now + MARK_NS / 2, this.evidence.duration_ns);
    this.marked.push([Math.max(0, Math.round(Math.min(now - MARK_NS / 2, end - 1e8))), Math.round(end)]);
    this._showMarks();
  }

  /** @param {number} by */
  go(by) {
    if (!this.ranges.length) return;
    this.current = (this.current + by + this.ranges.length) % this.ranges.length;
    this._playRange();
  }

  /** @param {Evidence | null} evidence */
  async _show(evidence) {
    this.panel?.close();
    this.panel = null;
    this.evidence = evidence;
    this.marked = [];
    element("review").hidden = evidence === null;
    element("idle").hidden = evidence !== null;
    if (!evidence) return;
    element("title").textContent = evidence.title;
    element("instructions").textContent = evidence.instructions;
    /** @type {HTMLTextAreaElement} */ (element("words")).value = "";
    this._showFindings(evidence);
    this._showTemplates(evidence);
    this._showMarks();
    try {
      this.panel = await mountPlayer(element("player"), evidence.recording);
    } catch {
      return; // the panel says why; the recording can still be decided on
    }
    this.panel.rangeToLoop = () => this._rangeFrames();
    this.keymap.add(this.panel.actions);
    this.current = -1;
    if (this.ranges.length) this.go(1);
  }

  /** @param {Evidence} evidence */
  _showFindings(evidence) {
    const list = element("findings");
    list.replaceChildren();
    this.ranges = [];
    const doubted = evidence.findings.filter((finding) => finding.verdict !== "pass");
    for (const finding of doubted) {
      const item = document.createElement("li");
      item.className = "finding";
      const badge = document.createElement("span");
      badge.className = `badge ${finding.verdict === "fail" ? "bad" : "doubt"}`;
      badge.textContent = finding.check.replaceAll("_", " ");
      const text = document.createElement("p");
      text.textContent = finding.message;
      const times = document.createElement("span");
      times.className = "row times";
      for (const range of finding.ranges.slice(0, 12)) {
        const number = this.ranges.push(range) - 1;
        const button = document.createElement("button");
        button.type = "button";
        button.dataset.place = String(number);
        button.textContent = clock(range[0], 1);
        button.setAttribute("aria-label", `Show ${clock(range[0], 1)} to ${clock(range[1], 1)}`);
        button.addEventListener("click", () => {
          this.current = number;
          this._playRange();
        });
        times.append(button);
      }
      item.append(badge, text, times);
      list.append(item);
    }
    if (!doubted.length) {
      const item = document.createElement("li");
      item.textContent = evidence.failure
        ? `It could not be processed, so nothing was checked: ${evidence.failure}`
        : "No check raised a doubt: please judge for yourself.";
      list.append(item);
    }
    const passed = evidence.findings.filter((finding) => finding.verdict === "pass");
    const details = element("passed");
    /** @type {HTMLElement} */ (details.querySelector("summary")).textContent = `${passed.length} checks passed`;
    /** @type {HTMLElement} */ (details.querySelector("ul")).replaceChildren(
      ...passed.map((finding) => Object.assign(document.createElement("li"), { textContent: finding.message })),
    );
  }

  /**
   * The texts for what is doubted are chosen already, so that one key returns a recording with them.
   * @param {Evidence} evidence
   */
  _showTemplates(evidence) {
    const place = element("templates");
    place.replaceChildren();
    const doubted = evidence.findings.filter((finding) => finding.verdict !== "pass").map((finding) => finding.check);
    const names = [...new Set([...doubted.filter((name) => name in evidence.templates), ...evidence.beyond_checks])];
    const others = Object.keys(evidence.templates).filter((name) => !names.includes(name));
    names.forEach((name, number) => place.append(this._template(evidence, name, doubted.includes(name), number)));
    const more = document.createElement("details");
    more.append(Object.assign(document.createElement("summary"), { textContent: "More advice" }));
    for (const name of others) more.append(this._template(evidence, name, false, 9));
    place.append(more);
  }

  /**
   * @param {Evidence} evidence
   * @param {string} name
   * @param {boolean} checked
   * @param {number} number
   * @returns {HTMLElement}
   */
  _template(evidence, name, checked, number) {
    const label = document.createElement("label");
    label.className = "advice";
    const box = Object.assign(document.createElement("input"), { type: "checkbox", value: name, checked });
    const text = Object.assign(document.createElement("span"), { textContent: evidence.templates[name] });
    label.append(box, text);
    if (number < 9) {
      const key = Object.assign(document.createElement("kbd"), { textContent: String(number + 1) });
      label.insertBefore(key, box);
    }
    return label;
  }

  _showMarks() {
    element("ranges").replaceChildren(
      ...this.marked.map(([start, end], number) => {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = `${clock(start, 1)} – ${clock(end, 1)} ✕`;
        button.setAttribute("aria-label", `Remove the mark ${clock(start, 1)} to ${clock(end, 1)}`);
        button.addEventListener("click", () => {
          this.marked.splice(number, 1);
          this._showMarks();
        });
        return button;
      }),
    );
  }

  _playRange() {
    for (const button of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-place]"))) {
      if (Number(button.dataset.place) === this.current) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
    const { panel } = this;
    if (!panel) return;
    const frames = this._rangeFrames();
    panel.player.loop(frames);
    void panel.player.seekFrame(frames.startFrame).then(() => panel.player.play());
  }

  /** The frames of the doubtful range, from half a second before it. */
  _rangeFrames() {
    const { frames } = /** @type {import("../player/player_panel.js").PlayerPanel} */ (this.panel);
    const [start, end] = this.ranges[this.current] ?? [0, Number.MAX_SAFE_INTEGER];
    return { startFrame: frames.frameAt(Math.max(0, start - 5e8)), endFrame: frames.frameAt(end + 5e8) + 1 };
  }

  /** @param {string} id */
  _chosen(id) {
    const found = /** @type {HTMLSelectElement | null} */ (document.getElementById(id));
    return found?.value || null;
  }

  /** @param {number} number */
  _toggle(number) {
    const boxes = /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll("#templates > label input"));
    if (boxes[number]) boxes[number].checked = !boxes[number].checked;
  }

  /** @returns {import("../shared/keys.js").Action[]} */
  _actions() {
    const toggles = Array.from({ length: 9 }, (_, number) => ({
      name: `text-${number + 1}`,
      title: `Advice ${number + 1}`,
      group: "Decide",
      keys: [String(number + 1)],
      run: () => this._toggle(number),
    }));
    return [
      { name: "accept", title: "Accept", group: "Decide", keys: ["a"], run: () => this.decide("accept") },
      { name: "return", title: "Return with advice", group: "Decide", keys: ["t"], run: () => this.decide("return") },
      { name: "reject", title: "Reject", group: "Decide", keys: ["x"], run: () => this.decide("reject") },
      { name: "later", title: "Leave it to others", group: "Decide", keys: ["s"], run: () => this.later() },
      { name: "words", title: "Write to the contributor", group: "Decide", keys: ["w"], run: () => element("words").focus() },
      { name: "mark", title: "Mark this place", group: "Decide", keys: ["m"], run: () => this.mark() },
      { name: "next-place", title: "Next doubtful place", group: "Evidence", keys: ["n"], run: () => this.go(1) },
      { name: "last-place", title: "Previous doubtful place", group: "Evidence", keys: ["p"], run: () => this.go(-1) },
      { name: "leave", title: "Leave the text field", group: "Evidence", keys: ["Escape"], always: true,
        run: () => /** @type {HTMLElement} */ (document.activeElement)?.blur() },
      { name: "help", title: "These keys", group: "Help", keys: ["?"], run: () => this.keymap.help() },
      ...toggles,
    ];
  }
}

const page = new ReviewPage();
void page.next();

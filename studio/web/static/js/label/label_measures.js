// How fast one labels: keys for each segment, and milliseconds from a key to what it changed on the screen.

const KEPT = 2000;
const MODIFIERS = new Set(["Shift", "Control", "Alt", "Meta", "AltGraph"]);

/** Measures go into the browser's own record of them (`performance`), by the name "key to paint". */
export class LabelMeasures {
  constructor() {
    this.keys = 0;
    this._measured = 0;
    document.addEventListener("keydown", (event) => this._pressed(event), { capture: true });
  }

  /** @param {KeyboardEvent} event */
  _pressed(event) {
    if (MODIFIERS.has(event.key)) return;
    this.keys += 1;
    const start = event.timeStamp;
    // The second frame begins once the first, in which the change was drawn, is on its way to the screen.
    requestAnimationFrame(() =>
      requestAnimationFrame(() => {
        if (++this._measured % KEPT === 0) performance.clearMeasures("key to paint");
        performance.measure("key to paint", { start, end: performance.now() });
      }),
    );
  }
}

// Times in words: the place in a recording, and dates as people write them where they are.

/**
 * "1:02:03.456"; hours and decimals only where they are needed.
 * @param {number} ns
 * @param {number} decimals
 */
export function clock(ns, decimals = 3) {
  const scale = 10 ** decimals;
  const total = Math.round((Math.max(0, ns) / 1e9) * scale);
  const whole = Math.floor(total / scale);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const seconds = String(whole % 60).padStart(2, "0");
  const fraction = decimals ? `.${String(total % scale).padStart(decimals, "0")}` : "";
  return `${hours ? `${hours}:${String(minutes).padStart(2, "0")}` : minutes}:${seconds}${fraction}`;
}

/** Show the moments of all `<time>` elements as people here write them. */
export function showLocalTimes() {
  for (const time of document.querySelectorAll("time")) {
    time.textContent = new Date(time.dateTime).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  }
}

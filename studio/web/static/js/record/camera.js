// Cameras of a browser: open one, list them, and what can be said of its picture.

const TYPES = ["video/mp4;codecs=avc1.42E01E", "video/mp4;codecs=avc1", "video/webm;codecs=h264", "video/webm;codecs=vp9", "video/webm;codecs=vp8", "video/webm"];

/** @type {Record<string, string>} */
const REFUSALS = {
  NotAllowedError: "The browser is not allowed to use the camera: allow it in the address bar, then try again.",
  NotFoundError: "No camera was found: plug one in, then try again.",
  NotReadableError: "Another program is using the camera: close it, then try again.",
  OverconstrainedError: "This camera's video is too small; choose another camera.",
};

/** @param {string} [id] @returns {Promise<MediaStream>} */
export async function openCamera(id) {
  if (!navigator.mediaDevices) throw new Error("Browsers allow the camera only over HTTPS or on pages of this computer; ask your operator.");
  const constraints = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
  try {
    return await navigator.mediaDevices.getUserMedia({ video: id ? { ...constraints, deviceId: { exact: id } } : constraints, audio: false });
  } catch (error) {
    const name = error instanceof DOMException ? error.name : "";
    throw new Error(REFUSALS[name] ?? `The camera cannot be used: ${error}`);
  }
}

/**
 * Fill a list with the cameras that there are.
 * @param {HTMLSelectElement} list
 * @param {MediaStreamTrack} chosen
 */
export async function listCameras(list, chosen) {
  const found = (await navigator.mediaDevices.enumerateDevices()).filter((device) => device.kind === "videoinput");
  list.replaceChildren(...found.map((device, number) => new Option(device.label || `Camera ${number + 1}`, device.deviceId)));
  list.value = chosen.getSettings().deviceId ?? "";
}

/** What this browser records best: H.264, which need not be encoded again. */
export function recorderType() {
  return typeof MediaRecorder === "undefined" ? undefined : TYPES.find((type) => MediaRecorder.isTypeSupported(type));
}

const small = document.createElement("canvas");
small.width = 64;
small.height = 36;

/** Mean luma of what a video shows, 0 to 255 (Rec. 601). @param {HTMLVideoElement} video */
export function brightnessOf(video) {
  const context = small.getContext("2d", { willReadFrequently: true });
  if (!context || !video.videoWidth) return 128;
  context.drawImage(video, 0, 0, small.width, small.height);
  const { data } = context.getImageData(0, 0, small.width, small.height);
  let sum = 0;
  for (let place = 0; place < data.length; place += 4) sum += 0.299 * data[place] + 0.587 * data[place + 1] + 0.114 * data[place + 2];
  return sum / (data.length / 4);
}

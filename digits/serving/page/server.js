/** The server: asked for a reading, and what goes wrong between it and the page. */

const PATIENCE = 60_000; // milliseconds until the server counts as gone: slow networks are slow

/** Why there is no reading. */
export class Trouble extends Error {
  /** @param {string} message  @param {boolean} passes whether to ask the same again */
  constructor(message, passes = false) {
    super(message);
    this.passes = passes;
  }
}

/** @returns {Promise<import("./reader.js").Reading>} */
export async function askServer(/** @type {import("./reader.js").State} */ state) {
  const { width, height, picture, strokes } = state.sheet;
  const query = new URLSearchParams({ unfinished: state.isWriting });
  if (state.maps !== undefined) query.set("maps", state.maps);
  if (state.session) query.set("session", state.session);
  else query.set("collect", false);
  let answer;
  if (picture) {
    query.set("width", width);
    query.set("height", height);
    answer = await post(`read?${query}`, grey(state.plain()));
  } else {
    answer = await post(`strokes?${query}`, packed(strokes));
  }
  if (answer.ok) return answer.json();
  const { detail } = await answer.json().catch(() => ({ detail: answer.statusText }));
  const passes = answer.status === 429 || answer.status >= 500;
  throw new Trouble(`The server says: ${detail}`, passes);
}

/** Strokes as the server takes them: the number of points, then the numbers of each. */
function packed(/** @type {import("./strokes.js").Stroke[]} */ strokes) {
  const numbers = strokes.flatMap((stroke) => [stroke.length / 3, ...stroke]);
  const view = new DataView(new ArrayBuffer(2 * numbers.length));
  numbers.forEach((number, index) => view.setInt16(2 * index, number, true));
  return view.buffer;
}

async function post(/** @type {string} */ url, body) {
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), PATIENCE);
  try {
    const headers = { "Content-Type": "application/octet-stream" };
    const response = await fetch(url, { method: "POST", headers, body, signal: patience.signal });
    const content = await response.text();
    return {
      ok: response.ok,
      status: response.status,
      statusText: response.statusText,
      json: async () => JSON.parse(content),
    };
  } catch {
    throw new Trouble("The server does not answer. It will be asked again every second.", true);
  } finally {
    clearTimeout(timer);
  }
}

/** The pixels of a canvas, 0 black to 255 white, row by row. */
function grey(/** @type {HTMLCanvasElement} */ canvas) {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const pixels = new Uint8Array(canvas.width * canvas.height);
  for (let i = 0, j = 0; i < pixels.length; i += 1, j += 4) {
    pixels[i] = (77 * data[j] + 151 * data[j + 1] + 28 * data[j + 2]) >> 8;
  }
  return pixels;
}

/**
 * The device itself as a reader: a worker with the models, if there are such files and the
 * browser can run them.
 *
 * @import { Stroke } from "./strokes.js"
 */

const DESCRIPTION = "device.json";
const SIMD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0,
  65, 0, 253, 15, 253, 98, 11]; // a module with a vector, which ONNX Runtime needs

export class Device {
  isReady = false;
  hasServer = true;
  reason = ""; // why it cannot read
  #description;
  #worker;
  #answer; // resolves or rejects what is asked
  /** @type {{stroke: Stroke, length: number}[]} */ #sent = [];
  /** @type {Map<number, object>} */ #digits = new Map(); // that the worker need not send again
  #milliseconds = 0; // that the drawing took

  /** Look whether there is a server, and whether the device can read. */
  async describe() {
    try {
      const response = await fetch(DESCRIPTION);
      if (response.status === 200) this.#description = await response.json();
    } catch {
      return; // the server is gone; it may come back
    }
    if (this.#description) this.hasServer = this.#description.server;
  }

  /** Let the device read, once it is described. */
  async open() {
    if (!this.#description || (this.hasServer && navigator.connection?.saveData)) return;
    if (!canRun()) {
      this.reason = "it has no WebAssembly with vectors, or cannot unpack gzip";
      return;
    }
    try {
      this.#worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
      this.#worker.onmessage = ({ data }) =>
        data.error ? this.#answer.reject(new Error(data.error)) : this.#answer.resolve(data);
      this.#worker.onerror = (event) => this.#answer.reject(new Error(event.message));
      await this.#ask({ load: { ...this.#description, base: new URL(".", location.href).href } });
      this.isReady = true;
    } catch (error) {
      this.reason = error.message;
    }
  }

  /** Read with other models, if the server has others by now. */
  async renew() {
    const before = JSON.stringify(this.#description);
    await this.describe();
    if (JSON.stringify(this.#description) === before) return;
    this.isReady = false;
    if (this.#worker) this.#worker.terminate();
    if (this.#answer) this.#answer.reject(new Error("another model"));
    this.#sent = [];
    this.#digits = new Map();
    await this.open();
  }

  /** @returns {Promise<import("./reader.js").Reading>} */
  async read(/** @type {import("./reader.js").State} */ { sheet, isWriting, maps }) {
    const { strokes } = sheet;
    let from = 0;
    while (
      from < Math.min(strokes.length, this.#sent.length) &&
      this.#sent[from].stroke === strokes[from] &&
      this.#sent[from].length === strokes[from].length
    ) {
      from += 1;
    }
    // What is written comes first: the worker looks inside once the pen has moved no farther.
    const isKnown = from === strokes.length && from === this.#sent.length;
    // The last point may have been replaced by one farther on.
    if (isWriting || from === strokes.length) from = Math.max(0, Math.min(from, strokes.length - 1));
    const changed = strokes.slice(from);
    this.#sent.length = from;
    for (const stroke of changed) this.#sent.push({ stroke, length: stroke.length });
    const known = [...this.#digits.keys()];
    const inside = isKnown ? maps : undefined;
    const reading = await this.#ask({ from, changed, isWriting, maps: inside, known });
    if (!isKnown) this.#milliseconds = reading.milliseconds;
    const digits = reading.digits.map((digit) => this.#whole(digit));
    this.#digits = new Map(digits.map((digit) => [digit.number, digit]));
    return { ...reading, digits, milliseconds: this.#milliseconds };
  }

  /** A digit with what is known of it; the same object as before, where nothing has changed. */
  #whole(digit) {
    const before = this.#digits.get(digit.number);
    if (!before) return digit;
    const isSame = before.row === digit.row && String(before.box) === String(digit.box);
    return isSame ? before : { ...before, ...digit };
  }

  #ask(question) {
    return new Promise((resolve, reject) => {
      this.#answer = { resolve, reject };
      this.#worker.postMessage(question);
    });
  }
}

const canRun = () =>
  typeof WebAssembly === "object" &&
  WebAssembly.validate(new Uint8Array(SIMD)) &&
  "DecompressionStream" in window;

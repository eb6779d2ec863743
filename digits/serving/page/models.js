/**
 * The models, run by ONNX Runtime's build for browsers.
 *
 * @typedef {{name: string, file: string, classes: string[], threshold: number,
 *   layers: {output: string, name: string, pools: boolean}[], outputs: string}} Description
 *   outputs: what makes the layers outputs once it is added to the file, base64
 */

import { layerMaps } from "./layers.js";
import { sureness } from "./selection.js";

const SIDE = 28;

export class Models {
  /** @param {{base: string, script: string, wasm: string, models: Description[]}} device */
  constructor(device) {
    this.device = device;
    this.classes = device.models[0].classes;
  }

  async open() {
    const { base, script, wasm, models } = this.device;
    this.ort = await import(new URL(script, base).href);
    this.ort.env.wasm.numThreads = 1;
    this.ort.env.wasm.wasmBinary = await unpacked(await content(base, wasm));
    this.contents = await Promise.all(models.map(({ file }) => content(base, file)));
    this.sessions = [];
    for (const bytes of this.contents) {
      this.sessions.push(await this.ort.InferenceSession.create(bytes));
    }
    await this.answers([new Uint8Array(SIDE * SIDE)]); // the first time takes longest
  }

  /** @returns {Promise<number[][]>} the main model's probabilities of each image */
  predict(/** @type {Uint8Array[]} */ images) {
    return this.#probabilities(0, images);
  }

  /** @returns {Promise<Object<string, import("./reader.js").Answer>[]>} of each image */
  async answers(/** @type {Uint8Array[]} */ images) {
    /** @type {Object<string, any>[]} */ const answers = images.map(() => ({}));
    if (!images.length) return answers;
    for (const [index, { name, classes, threshold }] of this.device.models.entries()) {
      const several = await this.#probabilities(index, images);
      several.forEach((probabilities, i) => {
        answers[i][name] = answer(probabilities, classes, threshold);
      });
    }
    return answers;
  }

  /** @returns {Promise<import("./reader.js").Layer[]>} the main model's maps of an image */
  async maps(/** @type {Uint8Array} */ image) {
    const [{ layers, outputs }] = this.device.models;
    if (!layers.length) return [];
    this.inside ??= await this.ort.InferenceSession.create(
      joined(this.contents[0], Uint8Array.from(atob(outputs), (c) => c.charCodeAt(0))),
    );
    const found = await this.inside.run(this.#feeds(this.inside, [image]));
    return layerMaps(layers, found);
  }

  async #probabilities(/** @type {number} */ index, /** @type {Uint8Array[]} */ images) {
    const session = this.sessions[index];
    const found = await session.run(this.#feeds(session, images));
    const { data, dims } = found[session.outputNames[0]];
    return images.map((_, i) => Array.from(data.subarray(i * dims[1], (i + 1) * dims[1])));
  }

  #feeds(session, /** @type {Uint8Array[]} */ images) {
    const pixels = new Uint8Array(images.length * SIDE * SIDE);
    images.forEach((image, index) => pixels.set(image, index * SIDE * SIDE));
    const tensor = new this.ort.Tensor("uint8", pixels, [images.length, SIDE, SIDE]);
    return { [session.inputNames[0]]: tensor };
  }
}

/** @returns {import("./reader.js").Answer} */
function answer(/** @type {number[]} */ exact, /** @type {string[]} */ classes, threshold) {
  const probabilities = exact.map((each) => Math.round(each * 1e6) / 1e6);
  const confidence = Math.max(...probabilities);
  const refused = !(sureness(exact) >= threshold);
  const digit = refused ? "?" : classes[probabilities.indexOf(confidence)];
  return { digit, confidence, probabilities, refused };
}

/** @returns {Promise<Uint8Array>} */
async function content(/** @type {string} */ base, /** @type {string} */ file) {
  const response = await fetch(new URL(file, base));
  if (!response.ok) throw new Error(`${file}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** What is packed with gzip, unless whoever served it has unpacked it. */
async function unpacked(/** @type {Uint8Array} */ bytes) {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function joined(/** @type {Uint8Array} */ one, /** @type {Uint8Array} */ other) {
  const both = new Uint8Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}

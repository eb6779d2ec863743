/**
 * Asks for the newest drawing to be read, one question at a time.
 *
 * @typedef {{digit: string, confidence: number, probabilities: number[], refused: boolean}} Answer
 * @typedef {{box: number[], row: number, crop: string | Uint8Array, answers: Object<string, Answer>,
 *   id?: string, said?: string}} Digit id and said: see `Collection`
 * @typedef {{name: string, pools: boolean, channels: number, height: number, width: number,
 *   pixels: string | Uint8Array}} Layer
 * @typedef {{digits: Digit[], classes: string[], maps?: {digit: number, layers: Layer[]},
 *   milliseconds: number}} Reading
 * @typedef {{revision: number, isWriting: boolean, maps?: number, session?: string,
 *   sheet: import("./paper.js").Sheet, plain: () => HTMLCanvasElement}} State
 */

import { Device } from "./device.js";
import { askServer, Trouble } from "./server.js";

const PAUSE = 1000; // milliseconds until the same is asked again
const FRESH = 250; // milliseconds: an answer may be so old while the pen writes on
const RENEWAL = 60_000; // milliseconds between two looks for other models
const TICK = 500; // milliseconds between two words about the waiting

export class Reader {
  #isStale = false;
  #isAsking = false;
  #isTroubled = false; // what else is told is for others to take back
  #device = new Device();
  #described; // resolved once it is known who may read
  #opened; // once the device can
  /** @type {number[]} */ #written = []; // the times of what the pen wrote since

  /**
   * @param {() => State} state what there is to read now
   * @param {(reading: Reading) => void} show
   * @param {{trouble: (text: string) => void, waiting: (text: string) => void}} tell
   *   of a trouble or of the waiting, or by "" of its end
   */
  constructor(state, show, tell) {
    Object.assign(this, { state, show, tell });
    this.#described = this.#device.describe();
    this.#opened = this.#described.then(() => this.#device.open());
    this.#opened.then(() => this.#device.isReady && this.read());
    setInterval(() => this.#device.hasServer && this.#device.renew(), RENEWAL);
  }

  /** Read what has changed, with the time at which the pen wrote it, if that was it. */
  async read(/** @type {number | undefined} */ when) {
    this.#isStale = true;
    if (when !== undefined) this.#written.push(when);
    if (this.#isAsking) return;
    this.#isAsking = true;
    try {
      while (this.#isStale) {
        this.#isStale = false;
        await this.#ask(this.#written.splice(0));
      }
    } finally {
      this.#isAsking = false;
    }
  }

  /** Whether there is a server, once it is known. */
  async hasServer() {
    await this.#described;
    return this.#device.hasServer;
  }

  async #ask(/** @type {number[]} */ written) {
    const [state, start] = [this.state(), performance.now()];
    const ticking = setInterval(() => this.#tick(start), TICK);
    try {
      const reading = await this.#reading(state);
      if (this.#isTroubled) this.tell.trouble("");
      this.#isTroubled = false;
      if (this.#isOld(state, start)) {
        this.#isStale = true;
        this.#written.unshift(...written);
        return;
      }
      this.tell.waiting("");
      this.show(reading);
      measure(written);
    } catch (error) {
      if (!(error instanceof Trouble)) throw error;
      this.tell.trouble(error.message);
      this.#isTroubled = true;
      this.tell.waiting("");
      if (!error.passes) return;
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
      this.#written.unshift(...written);
      this.#isStale = true;
    } finally {
      clearInterval(ticking);
    }
  }

  /** @returns {Promise<Reading>} by the device where it can, by the server otherwise */
  async #reading(/** @type {State} */ state) {
    await this.#described;
    if (!this.#device.hasServer) await this.#opened;
    if (this.#device.isReady && !state.sheet.picture && !state.session) {
      try {
        return await this.#device.read(state);
      } catch (error) {
        this.#device.isReady = false; // not again: it is the browser's memory, or its worker
        this.#device.reason = error.message;
      }
    }
    if (this.#device.hasServer) return askServer(state);
    if (state.sheet.picture) {
      throw new Trouble("Pictures need the server, `digits serve`: here only strokes are read.");
    }
    throw new Trouble(`This browser cannot read by itself: ${this.#device.reason}.`);
  }

  /** Whether an answer is to a drawing that is no longer there. */
  #isOld(/** @type {State} */ { revision }, /** @type {number} */ start) {
    if (this.state().revision !== revision) return true;
    return this.#written.length > 0 && performance.now() - start > FRESH;
  }

  #tick(/** @type {number} */ start) {
    const seconds = Math.round((performance.now() - start) / 1000);
    const whom = this.#device.isReady ? "device" : "server";
    this.tell.waiting(`waiting for the ${whom}, ${seconds} s`);
  }
}

/** Note how long each change has waited until its answer is on the screen. */
function measure(/** @type {number[]} */ written) {
  requestAnimationFrame(() =>
    setTimeout(() => {
      for (const start of written) performance.measure("stroke to answer", { start });
    }),
  );
}

/**
 * The server: it is asked for the newest state alone, one request at a time.
 *
 * @typedef {{digit: string, confidence: number, probabilities: number[], refused: boolean}} Answer
 * @typedef {{box: number[], row: number, crop: string, answers: Object<string, Answer>}} Digit
 * @typedef {{name: string, pools: boolean, channels: number, height: number, width: number,
 *   pixels: string}} Layer
 * @typedef {{digits: Digit[], classes: string[], maps?: {digit: number, layers: Layer[]},
 *   milliseconds: number}} Reading
 */

const PATIENCE = 15_000; // milliseconds until the server counts as gone
const PAUSE = 1000; // milliseconds until it is asked again

/** What the server has against a request, or that there is none. */
class Trouble extends Error {
  /** @param {string} message  @param {boolean} passes whether to ask the same again */
  constructor(message, passes) {
    super(message);
    this.passes = passes;
  }
}

export class Reader {
  #isStale = false;
  #isAsking = false;
  /** @type {number[]} */ #written = []; // the times of what the pen wrote since

  /**
   * @template State
   * @param {() => State & {width: number, height: number, unfinished: boolean, grey: Uint8Array,
   *   maps?: number}} state
   *   what there is to read now
   * @param {(reading: Reading, state: State) => void} show
   * @param {(trouble: string) => void} tell of a trouble, or by "" of its end
   */
  constructor(state, show, tell) {
    Object.assign(this, { state, show, tell });
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

  async #ask(/** @type {number[]} */ written) {
    try {
      const state = this.state();
      const reading = await ask(state);
      this.tell("");
      this.show(reading, state);
      measure(written);
    } catch (error) {
      if (!(error instanceof Trouble)) throw error;
      this.tell(error.message);
      if (!error.passes) return;
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
      this.#written.unshift(...written);
      this.#isStale = true;
    }
  }
}

/** @returns {Promise<Reading>} */
async function ask({ width, height, unfinished, grey, maps }) {
  const chosen = maps === undefined ? {} : { maps };
  const query = new URLSearchParams({ width, height, unfinished, ...chosen });
  let response;
  try {
    response = await fetch(`read?${query}`, {
      method: "POST",
      headers: { "Content-Type": "application/octet-stream" },
      body: grey,
      signal: AbortSignal.timeout(PATIENCE),
    });
    if (response.ok) return await response.json();
  } catch {
    throw new Trouble("The server does not answer. It will be asked again every second.", true);
  }
  const { detail } = await response.json().catch(() => ({ detail: response.statusText }));
  const passes = response.status === 429 || response.status >= 500;
  throw new Trouble(`The server says: ${detail}`, passes);
}

/** Note how long each change has waited until its answer is on the screen. */
function measure(/** @type {number[]} */ written) {
  requestAnimationFrame(() =>
    setTimeout(() => {
      for (const start of written) performance.measure("stroke to answer", { start });
    }),
  );
}

/**
 * What was found for some strokes, as long as they are there: only what the pen changed is done
 * again.
 *
 * @import { Ink } from "./ink.js"
 */

export class Memory {
  /** @type {WeakMap<Ink, number>} */ #numbers = new WeakMap();
  #next = 0;
  /** @type {Map<string, any>} */ #old = new Map();
  /** @type {Map<string, any>} */ #young = new Map();

  /** What `make` gave for these strokes, or gives now. */
  recall(/** @type {Ink[]} */ inks, /** @type {() => any} */ make) {
    const key = inks.map((each) => this.#numberOf(each)).join();
    const found = this.#young.get(key) ?? this.#old.get(key) ?? make();
    this.#young.set(key, found);
    return found;
  }

  /** Forget what was not recalled since the last time. */
  forget() {
    this.#old = this.#young;
    this.#young = new Map();
  }

  /** A number that is not given twice. */
  number() {
    this.#next += 1;
    return this.#next;
  }

  #numberOf(/** @type {Ink} */ each) {
    if (!this.#numbers.has(each)) this.#numbers.set(each, this.number());
    return this.#numbers.get(each);
  }
}

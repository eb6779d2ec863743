/**
 * Keeps the strokes over a reload of the page, each by itself: a further one costs no more than
 * the first. What is kept is the tab's own; where nothing may be kept, nothing is.
 *
 * @import { Stroke } from "./strokes.js"
 */

const STROKE = "stroke ";
const SIZE = "sheet";

export class Keeper {
  /** @type {Map<Stroke, string>} */ #keys = new Map();
  #next = 0;

  /** @returns {Stroke[]} those of the page before, in their order */
  load() {
    try {
      const keys = Object.keys(sessionStorage).filter((key) => key.startsWith(STROKE));
      const numbers = keys.map((key) => Number(key.slice(STROKE.length))).sort((a, b) => a - b);
      this.#next = numbers.length ? numbers[numbers.length - 1] + 1 : 0;
      return numbers.map((number) => {
        const stroke = JSON.parse(sessionStorage.getItem(STROKE + number));
        this.#keys.set(stroke, STROKE + number);
        return stroke;
      });
    } catch {
      return [];
    }
  }

  /** @returns {{width: number, height: number}} of the sheet that was kept */
  get size() {
    return JSON.parse(sessionStorage.getItem(SIZE));
  }

  add(/** @type {Stroke} */ stroke, { width, height }) {
    let key = this.#keys.get(stroke);
    if (!key) {
      key = STROKE + this.#next;
      this.#next += 1;
      this.#keys.set(stroke, key);
    }
    keep(() => {
      if (!sessionStorage.getItem(SIZE)) {
        sessionStorage.setItem(SIZE, JSON.stringify({ width, height }));
      }
      if (stroke.length) sessionStorage.setItem(key, JSON.stringify(stroke));
    });
  }

  remove(/** @type {Stroke[]} */ strokes) {
    for (const stroke of strokes) {
      const key = this.#keys.get(stroke);
      this.#keys.delete(stroke);
      if (key) keep(() => sessionStorage.removeItem(key));
    }
  }

  /** Keep these and no others. */
  replace(/** @type {Stroke[]} */ strokes, { width, height }) {
    const stay = new Set(strokes);
    this.remove([...this.#keys.keys()].filter((stroke) => !stay.has(stroke)));
    keep(() => sessionStorage.setItem(SIZE, JSON.stringify({ width, height })));
    // Strokes that come back do so among the others: their order is that of the keys.
    if (strokes.every((stroke) => this.#keys.has(stroke))) return;
    this.remove(strokes);
    for (const stroke of strokes) this.add(stroke, { width, height });
  }
}

function keep(/** @type {() => void} */ write) {
  try {
    write();
  } catch {
    // The room is full, or the browser keeps nothing: the page works without.
  }
}

/**
 * Strokes as numbers: x, y and width of each point, one after another, in eighths of a pixel of
 * the sheet. So they are the same numbers here, in the worker and on the server.
 *
 * @typedef {number[]} Stroke
 */

export const EIGHTHS = 8; // parts of a pixel
const STRAY = 0.25 * EIGHTHS; // a point is left out if the line without it goes so near to it
const WIDER = 1.15; // times as wide, or the inverse: such a point stays
const MOST_SKIPPED = 12; // points: each of them is looked at again for the next one

/** A stroke being written: points on a straight line are left out, as nobody sees them. */
export class Pencil {
  /** @type {Stroke} */ stroke = [];
  /** @type {number[][]} */ #skipped = []; // since the point before the last

  add(/** @type {number} */ x, /** @type {number} */ y, /** @type {number} */ width) {
    const point = [x, y, width].map((value) => Math.round(value * EIGHTHS));
    const last = this.stroke.length - 3;
    if (last >= 0 && this.stroke[last] === point[0] && this.stroke[last + 1] === point[1]) return;
    if (last >= 3 && this.#isStraight(last, point)) {
      this.#skipped.push(this.stroke.slice(last));
      this.stroke.length = last;
    } else {
      this.#skipped = [];
    }
    this.stroke.push(...point);
  }

  /** Whether the last point may go, and those that went before it. */
  #isStraight(/** @type {number} */ last, /** @type {number[]} */ point) {
    const [x, y, width] = this.stroke.slice(last - 3, last);
    const candidates = [...this.#skipped, this.stroke.slice(last)];
    return (
      candidates.length <= MOST_SKIPPED &&
      candidates.every(
        ([px, py, w]) =>
          distance(px, py, x, y, point[0], point[1]) <= STRAY &&
          [width, point[2]].every((other) => Math.max(w / other, other / w) < WIDER),
      )
    );
  }
}

/** From a point to the line between two others. */
export function distance(px, py, ax, ay, bx, by) {
  const dx = bx - ax;
  const dy = by - ay;
  const length = dx * dx + dy * dy;
  const way = length ? ((px - ax) * dx + (py - ay) * dy) / length : 0;
  const t = Math.min(Math.max(way, 0), 1);
  return Math.hypot(ax + t * dx - px, ay + t * dy - py);
}

/** Whether a point comes nearer to the ink of a stroke than a reach, all in eighths. */
export function isNear(/** @type {Stroke} */ stroke, x, y, reach) {
  for (let i = 0; i < stroke.length; i += 3) {
    const from = Math.max(i - 3, 0);
    const gap = distance(x, y, stroke[from], stroke[from + 1], stroke[i], stroke[i + 1]);
    if (gap < reach + stroke[i + 2] / 2) return true;
  }
  return false;
}

/** Its points joined, each part as broad as the pen was; a single one is a dot. */
export function drawStroke(context, /** @type {Stroke} */ stroke, colour, begin = 0) {
  context.strokeStyle = colour;
  context.lineCap = "round";
  for (let i = begin; i < stroke.length; i += 3) {
    const from = i ? i - 3 : 0;
    context.lineWidth = stroke[i + 2] / EIGHTHS;
    context.beginPath();
    context.moveTo(stroke[from] / EIGHTHS, stroke[from + 1] / EIGHTHS);
    // Of no length at all, it would not be drawn.
    context.lineTo(stroke[i] / EIGHTHS, stroke[i + 1] / EIGHTHS + 0.01);
    context.stroke();
  }
}

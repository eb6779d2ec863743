/**
 * A digit that a pen wrote as an image: its strokes laid on the grid that MNIST's digits have.
 *
 * `digits/recognition/strokes.py` and `gaps.py` do the same for the server, step by step and in
 * the same order, so that both get the same pixels; they say what the numbers mean.
 *
 * @typedef {{left: number, top: number, right: number, bottom: number}} Extent
 * @typedef {{points: Float64Array, extent: Extent, width: number}} Ink
 *   points: x, y, width of each, in pixels of the sheet; width: their mean
 */

const SIDE = 28;
const BOX = 20;
const STROKE = 2.4;
const FINE = 8;
const GRID = BOX * FINE;
const MIDDLE = (SIDE / 2 + 0.5) * FINE - 0.5;

/** @returns {Ink} of points as `[x, y, width, x, ...]`, in pixels */
export function ink(/** @type {ArrayLike<number>} */ numbers) {
  const points = Float64Array.from(numbers);
  let sum = 0;
  for (let i = 2; i < points.length; i += 3) sum += points[i];
  return { points, extent: extentOf(points), width: sum / (points.length / 3) };
}

/** @returns {Extent} */
function extentOf(/** @type {Float64Array} */ points) {
  const found = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
  for (let i = 0; i < points.length; i += 3) {
    const from = Math.max(i - 3, 0);
    const reach = points[i + 2] / 2;
    found.left = Math.min(found.left, Math.min(points[from], points[i]) - reach);
    found.top = Math.min(found.top, Math.min(points[from + 1], points[i + 1]) - reach);
    found.right = Math.max(found.right, Math.max(points[from], points[i]) + reach);
    found.bottom = Math.max(found.bottom, Math.max(points[from + 1], points[i + 1]) + reach);
  }
  return found;
}

/** @returns {Extent} the smallest that holds both */
export const around = (/** @type {Extent} */ a, /** @type {Extent} */ b) => ({
  left: Math.min(a.left, b.left),
  top: Math.min(a.top, b.top),
  right: Math.max(a.right, b.right),
  bottom: Math.max(a.bottom, b.bottom),
});

/** How far apart two are, aside or below: at most 0 where they meet. */
export const away = (/** @type {Extent} */ a, /** @type {Extent} */ b) =>
  Math.max(
    Math.max(a.left, b.left) - Math.min(a.right, b.right),
    Math.max(a.top, b.top) - Math.min(a.bottom, b.bottom),
  );

/** @returns {Extent} of several strokes */
export const covered = (/** @type {Ink[]} */ strokes) =>
  strokes.map(({ extent }) => extent).reduce(around);

export const widthOf = (/** @type {Extent} */ { left, right }) => right - left;
export const heightOf = (/** @type {Extent} */ { top, bottom }) => bottom - top;

/** @returns {Uint8Array} 28 x 28 pixels of a digit, light on black */
export function crop(/** @type {Ink[]} */ strokes) {
  const extent = covered(strokes);
  const side = Math.max(widthOf(extent), heightOf(extent));
  let [sum, count] = [0, 0];
  for (const { points } of strokes) {
    for (let i = 2; i < points.length; i += 3) sum += points[i];
    count += points.length / 3;
  }
  const missing = Math.max(0, (STROKE * side) / BOX - sum / count);
  const scale = GRID / (side + missing);
  const fine = new Uint8Array(GRID * GRID);
  for (const { points } of strokes) {
    for (let i = 0; i < points.length; i += 3) {
      const from = Math.max(i - 3, 0);
      fillLine(
        fine,
        (points[from] - extent.left + missing / 2) * scale,
        (points[from + 1] - extent.top + missing / 2) * scale,
        (points[i] - extent.left + missing / 2) * scale,
        (points[i + 1] - extent.top + missing / 2) * scale,
        ((points[i + 2] + missing) / 2) * scale,
      );
    }
  }
  return centred(fine);
}

/** Mark the samples no farther from a line than its half width. */
function fillLine(/** @type {Uint8Array} */ fine, ax, ay, bx, by, reach) {
  const inside = (number) => Math.min(Math.max(number, 0), GRID);
  const left = inside(Math.floor(Math.min(ax, bx) - reach));
  const right = inside(Math.ceil(Math.max(ax, bx) + reach));
  const top = inside(Math.floor(Math.min(ay, by) - reach));
  const bottom = inside(Math.ceil(Math.max(ay, by) + reach));
  const dx = bx - ax;
  const dy = by - ay;
  const length = dx * dx + dy * dy;
  for (let row = top; row < bottom; row += 1) {
    const y = row + 0.5;
    for (let column = left; column < right; column += 1) {
      const x = column + 0.5;
      const way = length > 0 ? ((x - ax) * dx + (y - ay) * dy) / length : 0;
      const t = Math.min(Math.max(way, 0), 1);
      const aside = ax + t * dx - x;
      const below = ay + t * dy - y;
      if (aside * aside + below * below <= reach * reach) fine[row * GRID + column] = 1;
    }
  }
}

/** @returns {Uint8Array} the samples shifted by their centre of mass, and counted by pixels */
function centred(/** @type {Uint8Array} */ fine) {
  let [count, rows, columns] = [0, 0, 0];
  for (let i = 0; i < fine.length; i += 1) {
    if (!fine[i]) continue;
    count += 1;
    rows += Math.floor(i / GRID);
    columns += i % GRID;
  }
  const down = Math.floor(MIDDLE - rows / count + 0.5);
  const right = Math.floor(MIDDLE - columns / count + 0.5);
  const counts = new Uint8Array(SIDE * SIDE);
  for (let i = 0; i < fine.length; i += 1) {
    if (!fine[i]) continue;
    const row = Math.floor((Math.floor(i / GRID) + down) / FINE);
    const column = Math.floor(((i % GRID) + right) / FINE);
    if (row >= 0 && row < SIDE && column >= 0 && column < SIDE) counts[row * SIDE + column] += 1;
  }
  return counts.map((each) => Math.floor((each * 255) / (FINE * FINE) + 0.5));
}

/** The pixels of paper between two strokes; not above 0 where they touch. */
export function gap(/** @type {Ink} */ { points: a }, /** @type {Ink} */ { points: b }) {
  let least = Infinity;
  for (let i = 0; i < a.length; i += 3) {
    const h = Math.max(i - 3, 0);
    for (let j = 0; j < b.length; j += 3) {
      const k = Math.max(j - 3, 0);
      const reach = (a[i + 2] + b[j + 2]) / 2;
      const ends = [a[h], a[h + 1], a[i], a[i + 1], b[k], b[k + 1], b[j], b[j + 1]];
      least = Math.min(least, apart(...ends) - reach);
    }
  }
  return least;
}

/** From one line to another, 0 where they cross. */
function apart(ax, ay, bx, by, cx, cy, dx, dy) {
  if (
    side(ax, ay, bx, by, cx, cy) * side(ax, ay, bx, by, dx, dy) < 0 &&
    side(cx, cy, dx, dy, ax, ay) * side(cx, cy, dx, dy, bx, by) < 0
  ) {
    return 0;
  }
  return Math.min(
    distance(ax, ay, cx, cy, dx, dy),
    distance(bx, by, cx, cy, dx, dy),
    distance(cx, cy, ax, ay, bx, by),
    distance(dx, dy, ax, ay, bx, by),
  );
}

/** On which side of a line a point is, by the sign. */
const side = (ax, ay, bx, by, x, y) => (bx - ax) * (y - ay) - (by - ay) * (x - ax);

/** From a point to a line. */
function distance(px, py, ax, ay, bx, by) {
  const dx = bx - ax;
  const dy = by - ay;
  const length = dx * dx + dy * dy;
  const way = ((px - ax) * dx + (py - ay) * dy) / (length > 0 ? length : 1);
  const t = Math.min(Math.max(way, 0), 1);
  const aside = ax + t * dx - px;
  const below = ay + t * dy - py;
  return Math.sqrt(aside * aside + below * below);
}

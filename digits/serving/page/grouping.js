/**
 * From what a pen wrote to digits: which strokes belong together, and how they are read.
 *
 * `digits/recognition/drawing.py` does the same for the server and says what the numbers mean.
 *
 * @import { Extent, Ink } from "./ink.js"
 * @typedef {(images: Uint8Array[]) => Promise<number[][]>} Predict the probabilities of each
 * @typedef {{strokes: Ink[], extent: Extent}} Group
 * @typedef {{numbers: number[], extent: Extent, width: number}} Piece
 */

import { around, away, covered, gap, heightOf, widthOf } from "./ink.js";
import { part } from "./parting.js";

const LOW = 0.6;
const BAR = 0.2;
const NEAR = 0.35;
const GAP = 1.5;
const HAIR = 0.7;
const WIDE = 1.2;
const STEM = 0.6;
const TITTLE = 0.5;
const ABOVE = 0.6;
const TALL = 0.9;
const SPECK = 0.3;
const DASH = 3.0;
const SAME_ROW = 0.4;

/**
 * The digits that were drawn, row by row, from left to right.
 *
 * @param {Ink[]} strokes
 * @param {Predict | null} predict with it digits that touch are parted
 * @param {(strokes: Ink[], make: () => Promise<Ink[][]>) => Promise<Ink[][]>} recall
 *   what was found for a cluster before
 * @returns {Promise<(Group & {row: number})[]>}
 */
export async function group(strokes, predict, recall = (_, make) => make()) {
  const joined = join(strokes);
  /** @type {Group[]} */ const groups = [];
  for (const pieces of touching(joined, strokes)) {
    const several = pieces.map(({ numbers }) =>
      [...numbers].sort((a, b) => a - b).map((number) => strokes[number]),
    );
    const whole = several.flat();
    const parts = predict ? await recall(whole, () => part(several, predict)) : [whole];
    for (const each of parts) groups.push({ strokes: each, extent: covered(each) });
  }
  const kept = withoutSpecks(groups);
  return rows(kept.map(({ extent }) => extent)).flatMap((row, number) =>
    row.map((index) => ({ ...kept[index], row: number })),
  );
}

/** @returns {Piece[]} */
function join(/** @type {Ink[]} */ strokes) {
  if (!strokes.length) return [];
  const pieces = strokes.map(({ extent, width }, index) => ({ numbers: [index], extent, width }));
  const heights = pieces.map(({ extent }) => heightOf(extent)).sort((a, b) => a - b);
  const typical = heights[Math.floor(TALL * (heights.length - 1))];
  pieces.sort((a, b) => heightOf(b.extent) - heightOf(a.extent));
  /** @type {Piece[]} */ let joined = [];
  for (let piece of pieces) {
    const gone = new Set();
    for (const other of joined) {
      const isLower = heightOf(piece.extent) <= heightOf(other.extent);
      const [low, high] = isLower ? [piece, other] : [other, piece];
      if (!belongs(low, high, typical, strokes)) continue;
      gone.add(other);
      piece = {
        numbers: [...high.numbers, ...low.numbers],
        extent: around(high.extent, low.extent),
        width: Math.max(high.width, low.width),
      };
    }
    if (gone.size) joined = joined.filter((other) => !gone.has(other));
    joined.push(piece);
  }
  return joined;
}

function belongs(/** @type {Piece} */ low, /** @type {Piece} */ high, typical, strokes) {
  const [a, b] = [low.extent, high.extent];
  const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
  const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  const height = Math.max(heightOf(b), typical);
  const isLow = heightOf(a) < LOW * height;
  const isOver = across > 0.5 * widthOf(a);
  const size = Math.max(widthOf(a), heightOf(a));
  if (isLow && isOver && size > BAR * height && -down < NEAR * heightOf(b)) return true;
  if (isDotted(high, a)) return true;
  const width = Math.min(Math.max(low.width, high.width), size);
  if (away(a, b) > GAP * width) return false;
  const whole = around(a, b);
  const isStacked = down < 0.5 * heightOf(a) && heightOf(whole) < WIDE * height;
  const isPiece = (isLow || isStacked) && widthOf(whole) < WIDE * height;
  if (!isPiece && !isOver) return false;
  const least = (isPiece ? GAP : HAIR) * width;
  for (const each of gaps(low, high, strokes, least)) if (each < least) return true;
  return false;
}

function isDotted(/** @type {Piece} */ stem, /** @type {Extent} */ dot) {
  const b = stem.extent;
  const size = Math.max(widthOf(dot), heightOf(dot));
  return (
    widthOf(b) < STEM * heightOf(b) &&
    0.5 * stem.width < size &&
    size < TITTLE * heightOf(b) &&
    dot.top < b.top &&
    b.top - dot.bottom < ABOVE * heightOf(b) &&
    Math.max(dot.left, b.left) - Math.min(dot.right, b.right) < 0.5 * size
  );
}

/** From each stroke to each whose box is no farther away than `most`. */
function* gaps(/** @type {Piece} */ one, /** @type {Piece} */ other, strokes, most) {
  for (const i of one.numbers) {
    for (const j of other.numbers) {
      const [a, b] = [strokes[i], strokes[j]];
      if (away(a.extent, b.extent) <= most) yield gap(a, b);
    }
  }
}

/** @returns {Piece[][]} clusters of pieces whose ink touches */
function touching(/** @type {Piece[]} */ pieces, /** @type {Ink[]} */ strokes) {
  /** @type {Piece[][]} */ let clusters = [];
  for (const piece of pieces) {
    const near = clusters.filter((cluster) =>
      cluster.some((other) => touch(piece, other, strokes)),
    );
    if (near.length) clusters = clusters.filter((cluster) => !near.includes(cluster));
    clusters.push([...near.flat(), piece]);
  }
  return clusters;
}

function touch(/** @type {Piece} */ one, /** @type {Piece} */ other, strokes) {
  if (away(one.extent, other.extent) > 0) return false;
  for (const each of gaps(one, other, strokes, 0)) if (each <= 0) return true;
  return false;
}

function withoutSpecks(/** @type {Group[]} */ groups) {
  const sizes = groups.map(({ extent }) => Math.max(widthOf(extent), heightOf(extent)));
  const largest = sizes.reduce((a, b) => Math.max(a, b), 0);
  const large = sizes.filter((size) => size > SPECK * largest).sort((a, b) => a - b);
  const typical = large[Math.floor(large.length / 2)];
  return groups.filter(
    ({ extent }, index) =>
      sizes[index] > SPECK * typical && widthOf(extent) < DASH * heightOf(extent),
  );
}

/** @returns {number[][]} the numbers of digits row by row, each from left to right */
function rows(/** @type {Extent[]} */ extents) {
  const middle = ({ left, right }) => left + right;
  const order = extents.map((_, index) => index);
  order.sort((a, b) => middle(extents[a]) - middle(extents[b]));
  const rowOf = new Map();
  const several = [];
  order.forEach((index, place) => {
    let row;
    for (let before = place - 1; before >= 0 && !row; before -= 1) {
      if (sideBySide(extents[index], extents[order[before]])) row = rowOf.get(order[before]);
    }
    if (!row) several.push((row = []));
    row.push(index);
    rowOf.set(index, row);
  });
  const height = (row) =>
    row.reduce((sum, i) => sum + (extents[i].top + extents[i].bottom), 0) / row.length;
  return several.sort((a, b) => height(a) - height(b));
}

function sideBySide(/** @type {Extent} */ one, /** @type {Extent} */ other) {
  const shared = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
  return shared > SAME_ROW * Math.min(heightOf(one), heightOf(other));
}

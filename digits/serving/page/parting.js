/**
 * Drawn digits that touch, parted where the model is surer of the parts.
 *
 * `digits/recognition/parting.py` does the same for the server and says what the numbers mean.
 *
 * @import { Ink } from "./ink.js"
 */

import { covered, crop, heightOf, ink, widthOf } from "./ink.js";
import { sureness } from "./selection.js";

const NARROW = 0.75;
const WIDE = 1.2;
const WIDEST = 1.6;
const LEAST = 0.15;
const LOW = 0.55;
const STEPS = 6;
const MOST = 24;
const SURE = 0.9;
const CUT_COST = 0.02;
const NARROW_COST = 0.5;

/**
 * The digits of a cluster, from left to right.
 *
 * @param {Ink[][]} pieces the strokes of each
 * @param {import("./grouping.js").Predict} predict
 * @returns {Promise<Ink[][]>}
 */
export async function part(pieces, predict) {
  const whole = pieces.flat();
  const extent = covered(whole);
  const [width, height] = [widthOf(extent), heightOf(extent)];
  if (width < NARROW * height) return [whole];
  const [probabilities] = await predict([crop(whole)]);
  const confidence = Math.max(...probabilities);
  const cost = CUT_COST + NARROW_COST * Math.max(0, 1 - width / height);
  if (Math.log(confidence) > -cost) return [whole];
  const atoms = atomsOf(pieces, height);
  if (atoms.length <= 1 || atoms.length > MOST) return [whole];
  return best(atoms, height, confidence, cost, predict);
}

async function best(/** @type {Ink[][]} */ atoms, height, confidence, cost, predict) {
  const last = atoms.length;
  const key = (start, end) => start * MOST * 2 + end;
  const spans = [];
  for (let end = 1; end <= last; end += 1) {
    for (let start = 0; start < end; start += 1) {
      if (key(start, end) === key(0, last)) continue;
      const strokes = atoms.slice(start, end).flat();
      if (mayBeDigit(strokes, height)) spans.push({ start, end, strokes });
    }
  }
  if (!spans.length) return [atoms.flat()];
  const several = await predict(spans.map(({ strokes }) => crop(strokes)));
  const sure = new Map([[key(0, last), confidence]]);
  several.forEach((probabilities, i) => {
    const isSure = sureness(probabilities) >= SURE;
    if (isSure) sure.set(key(spans[i].start, spans[i].end), Math.max(...probabilities));
  });
  const ways = [{ value: 0, digits: [] }];
  for (let end = 1; end <= last; end += 1) {
    let way = { value: -Infinity, digits: [] };
    for (let start = 0; start < end; start += 1) {
      const each = sure.get(key(start, end));
      if (!each) continue;
      const value = ways[start].value + Math.log(each) - cost;
      if (value > way.value) {
        way = { value, digits: [...ways[start].digits, atoms.slice(start, end).flat()] };
      }
    }
    ways.push(way);
  }
  return ways[last].digits;
}

function mayBeDigit(/** @type {Ink[]} */ strokes, /** @type {number} */ height) {
  const extent = covered(strokes);
  const width = widthOf(extent);
  return heightOf(extent) >= LOW * height && width > LEAST * height && width < WIDEST * height;
}

/** What is not parted any further, from left to right. */
function atomsOf(/** @type {Ink[][]} */ pieces, /** @type {number} */ height) {
  /** @type {Ink[][]} */ const atoms = [];
  for (const piece of pieces) {
    const width = widthOf(piece[0].extent);
    if (piece.length === 1 && width > WIDE * height) {
      const count = Math.floor(Math.min((STEPS * width) / height + 0.5, MOST + 1)); // a dash has thousands
      for (const each of cut(piece[0].points, count)) atoms.push([each]);
    } else {
      atoms.push(piece);
    }
  }
  const middles = new Map(atoms.map((atom) => [atom, covered(atom)]));
  const middle = (atom) => middles.get(atom).left + middles.get(atom).right;
  return atoms.sort((a, b) => middle(a) - middle(b));
}

/** @returns {Ink[]} so many parts of a stroke, equally long */
function cut(/** @type {Float64Array} */ points, /** @type {number} */ count) {
  const ways = [0];
  for (let i = 3; i < points.length; i += 3) {
    const dx = points[i] - points[i - 3];
    const dy = points[i + 1] - points[i - 2];
    ways.push(ways[ways.length - 1] + Math.sqrt(dx * dx + dy * dy));
  }
  const parts = [];
  let begin = points.subarray(0, 3);
  let first = 1;
  for (let number = 1; number < count; number += 1) {
    const way = (ways[ways.length - 1] * number) / count;
    let last = first;
    while (ways[last] < way) last += 1;
    const share = (way - ways[last - 1]) / (ways[last] - ways[last - 1]);
    const [before, after] = [points.subarray(3 * last - 3), points.subarray(3 * last)];
    const between = [0, 1, 2].map((i) => before[i] + share * (after[i] - before[i]));
    parts.push(ink([...begin, ...points.subarray(3 * first, 3 * last), ...between]));
    begin = Float64Array.from(between);
    first = last;
  }
  parts.push(ink([...begin, ...points.subarray(3 * first)]));
  return parts;
}

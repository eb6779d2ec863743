/**
 * Reads on the device: the strokes become images as on the server, and ONNX Runtime runs the
 * models. Beside the page, which goes on painting meanwhile.
 *
 * @import { Ink } from "./ink.js"
 */

import { group } from "./grouping.js";
import { crop, ink } from "./ink.js";
import { Models } from "./models.js";
import { Memory } from "./memory.js";

const EIGHTHS = 8;

/** @type {Models} */ let models;
/** @type {Ink[]} */ let strokes = [];
const parts = new Memory(); // of clusters
const digits = new Memory(); // of their strokes

onmessage = async ({ data }) => {
  try {
    if (data.load) {
      models = new Models(data.load);
      await models.open();
      postMessage({ isLoaded: true });
    } else {
      postMessage(await read(data));
    }
  } catch (error) {
    postMessage({ error: String(error.message || error) });
  }
};

async function read({ from, changed, isWriting, maps, known }) {
  const start = performance.now();
  strokes.length = from;
  for (const stroke of changed) strokes.push(ink(stroke.map((number) => number / EIGHTHS)));
  const predict = isWriting ? null : (images) => models.predict(images);
  const groups = await group(strokes, predict, (inks, make) => parts.recall(inks, make));
  const found = [];
  for (const each of groups) {
    found.push(digits.recall(each.strokes, () => ({ crop: crop(each.strokes), answers: null })));
  }
  const unread = found.filter(({ answers }) => !answers);
  const answers = await models.answers(unread.map((digit) => digit.crop));
  unread.forEach((digit, index) => {
    digit.answers = answers[index];
    digit.number = digits.number();
  });
  parts.forget();
  digits.forget();
  const isKnown = new Set(known);
  return {
    digits: groups.map(({ extent, row }, index) => {
      const { number, crop: image, answers: several } = found[index];
      const content = isKnown.has(number) ? {} : { crop: image, answers: several };
      return { number, row, box: boxOf(extent), ...content };
    }),
    classes: models.classes,
    maps:
      maps < found.length
        ? { digit: maps, layers: await models.maps(found[maps].crop) }
        : undefined,
    milliseconds: performance.now() - start,
  };
}

/** Whole pixels around the ink. */
function boxOf(/** @type {import("./ink.js").Extent} */ extent) {
  const [left, top] = [Math.floor(extent.left), Math.floor(extent.top)];
  return [left, top, Math.ceil(extent.right) - left, Math.ceil(extent.bottom) - top];
}

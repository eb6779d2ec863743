/** Pictures out of the bytes that the server sends. */

const ABOVE = [178, 24, 43]; // red and blue of the project's pictures
const BELOW = [33, 102, 172];
const ZERO = 128; // the byte
// Of each byte its colour, as a pixel of an image; the faint are many, so that they get more.
const COLOURS = new Uint32Array(
  Uint8ClampedArray.from(
    Array.from({ length: 256 }, (_, byte) => [
      ...(byte > ZERO ? ABOVE : BELOW),
      255 * Math.sqrt(Math.abs(byte - ZERO) / ZERO),
    ]).flat(),
  ).buffer,
);

/** @returns {Uint8Array} */
export const bytes = (/** @type {string} */ base64) =>
  Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));

/** What the networks see: light ink on black. */
export function drawInk(/** @type {HTMLCanvasElement} */ canvas, /** @type {Uint8Array} */ ink) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  ink.forEach((grey, i) => image.data.set([grey, grey, grey, 255], 4 * i));
  context.putImageData(image, 0, 0);
}

/**
 * The maps of a layer as tiles with a pixel between them: zero is clear, so that it is the
 * page's own ground, light or dark.
 *
 * @import { Layer } from "./reader.js"
 * @param {HTMLCanvasElement} canvas
 * @param {Layer} layer
 * @param {number} columns
 */
export function drawMaps(canvas, { channels, height, width, pixels }, columns) {
  canvas.width = columns * (width + 1) - 1;
  canvas.height = Math.ceil(channels / columns) * (height + 1) - 1;
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  const colours = new Uint32Array(image.data.buffer);
  const maps = bytes(pixels);
  let next = 0;
  for (let channel = 0; channel < channels; channel += 1) {
    const left = (channel % columns) * (width + 1);
    const top = Math.floor(channel / columns) * (height + 1);
    for (let y = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1) {
        colours[(top + y) * canvas.width + left + x] = COLOURS[maps[next++]];
      }
    }
  }
  context.putImageData(image, 0, 0);
}

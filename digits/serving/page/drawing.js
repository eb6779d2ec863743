/** Pictures out of the bytes that the server sends. */

// The sign is told by dark and light, and only then by hue: e-paper and many eyes have no hue.
const ABOVE = [103, 0, 31];
const BELOW = [186, 222, 255];
const NEITHER = [140, 144, 148];
const ZERO = 128; // the byte
// Of each byte its colour, as a pixel of an image; the faint are many, so that they get more.
const COLOURS = new Uint32Array(
  Uint8ClampedArray.from(
    Array.from({ length: 256 }, (_, byte) => {
      const share = Math.sqrt(Math.abs(byte - ZERO) / ZERO);
      const strong = byte > ZERO ? ABOVE : BELOW;
      return [...NEITHER.map((grey, i) => grey + share * (strong[i] - grey)), 255];
    }).flat(),
  ).buffer,
);

const GREYS = new Uint32Array(
  Uint8ClampedArray.from(
    Array.from({ length: 256 }, (_, byte) => [byte, byte, byte, 255]).flat(),
  ).buffer,
);

/** @returns {Uint8Array} what the server sends as base64, and the device as it is */
export function bytes(/** @type {string | Uint8Array} */ pixels) {
  if (typeof pixels !== "string") return pixels;
  const text = atob(pixels);
  const found = new Uint8Array(text.length); // `Uint8Array.from` takes ten times as long
  for (let i = 0; i < text.length; i += 1) found[i] = text.charCodeAt(i);
  return found;
}

/** What the networks see: light ink on black. */
export function drawInk(/** @type {HTMLCanvasElement} */ canvas, /** @type {Uint8Array} */ ink) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let i = 0; i < pixels.length; i += 1) pixels[i] = GREYS[ink[i]];
  context.putImageData(image, 0, 0);
}

/**
 * The maps of a layer as tiles with a pixel of the page's own ground between them.
 *
 * @import { Layer } from "./reader.js"
 * @param {HTMLCanvasElement} canvas
 * @param {Layer} layer
 * @param {number} columns
 */
export function drawMaps(canvas, { channels, height, width, pixels }, columns) {
  const size = [columns * (width + 1) - 1, Math.ceil(channels / columns) * (height + 1) - 1];
  // To set it, even to what it is, makes the browser throw the canvas away.
  if (canvas.width !== size[0] || canvas.height !== size[1]) {
    [canvas.width, canvas.height] = size;
  }
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

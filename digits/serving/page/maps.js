/** The feature maps of the digit chosen, layer by layer. */

import { drawMaps } from "./drawing.js";
import { element, resize, say } from "./elements.js";

const maps = document.querySelector("#maps");
const layers = document.querySelector("#layers");

/** Whether anybody looks: the server need not send them otherwise. */
export const areShown = () => maps.open;

/** Call when somebody begins to look. */
export const onOpen = (/** @type {() => void} */ open) =>
  maps.addEventListener("toggle", () => maps.open && open());

/** @param {import("./reader.js").Layer[]} shown none without a digit */
export function showMaps(shown) {
  resize(layers, shown.length, () =>
    // The caption says what there is to say.
    element("figure", {}, element("canvas", { ariaHidden: "true" }), element("figcaption")),
  );
  shown.forEach((layer, index) => {
    const [canvas, caption] = layers.children[index].children;
    const { name, channels, height, width } = layer;
    drawMaps(canvas, layer, Math.ceil(Math.sqrt(channels)));
    const count = channels > 1 ? `${channels} maps of ` : "";
    say(caption, `${name}\n${count}${height} x ${width}`);
  });
}

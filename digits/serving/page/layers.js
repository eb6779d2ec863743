/** Layers as bytes, as `digits/serving/drawings.py` makes them on the server. */

/**
 * Each channel on its own scale, a pooling's that of what it pools.
 *
 * @param {{output: string, name: string, pools: boolean}[]} layers
 * @param {Object<string, {data: Float32Array, dims: number[]}>} found by output
 * @returns {import("./reader.js").Layer[]}
 */
export function layerMaps(layers, found) {
  /** @type {number[]} */ let scales = [];
  return layers.map(({ output, name, pools }) => {
    const { data, channels, height, width } = squared(found[output]);
    const size = height * width;
    if (!pools || scales.length !== channels) {
      scales = Array.from({ length: channels }, (_, channel) => {
        const map = data.subarray(channel * size, (channel + 1) * size);
        return map.reduce((most, each) => Math.max(most, Math.abs(each)), 1e-9);
      });
    }
    const pixels = new Uint8Array(channels * size);
    for (let i = 0; i < pixels.length; i += 1) {
      const byte = Math.round(128 + (127 * data[i]) / scales[Math.floor(i / size)]);
      pixels[i] = Math.min(Math.max(byte, 0), 255);
    }
    return { name, pools, channels, height, width, pixels };
  });
}

/** Maps as they are; the units of a hidden layer laid out as one square. */
function squared({ data, dims }) {
  if (dims.length === 4) {
    const [, channels, height, width] = dims;
    return { data, channels, height, width };
  }
  const side = Math.ceil(Math.sqrt(dims[1]));
  const filled = new Float32Array(side * side);
  filled.set(data.subarray(0, dims[1]));
  return { data: filled, channels: 1, height: side, width: side };
}

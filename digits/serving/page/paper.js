/**
 * The paper: strokes, perhaps over a picture, and what was there before.
 *
 * @typedef {{x: number, y: number, width: number}} Point of a stroke, in pixels of the sheet
 * @typedef {{width: number, height: number, picture: ImageBitmap | null, strokes: Point[][]}} Sheet
 * @typedef {{left: number, top: number, width: number, height: number}} Box
 */

const PEN_WIDTH = 10; // CSS pixels
const MARGIN = 40; // pixels of paper around the ink: the digits' ground has to be seen
const LONGEST_SIDE = 1600; // pixels of a picture; the server would look at no more

export class Paper {
  /** @type {Sheet[]} */ #past = [];
  /** @type {Sheet} */ #sheet = { width: 1, height: 1, picture: null, strokes: [] };
  #scale = 1; // CSS pixels of a pixel of the sheet
  #shown; // on the screen, as fine as it is
  #plain; // to be read, a pixel for each of the sheet

  /** @param {HTMLElement} pad the room there is  @param {HTMLCanvasElement} canvas to draw on */
  constructor(pad, canvas) {
    this.pad = pad;
    this.canvas = canvas;
    this.#shown = canvas.getContext("2d");
    const hidden = document.createElement("canvas");
    this.#plain = hidden.getContext("2d", { willReadFrequently: true });
    new ResizeObserver(() => this.#fit()).observe(pad);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
    this.#fit();
  }

  get isBlank() {
    return !this.#sheet.picture && !this.#sheet.strokes.length;
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  get size() {
    return { width: this.#sheet.width, height: this.#sheet.height };
  }

  /** Where a pointer is, and how broad it writes: a pen by its pressure. */
  point(/** @type {PointerEvent} */ event) {
    const { left, top } = this.canvas.getBoundingClientRect();
    const pressure = event.pointerType === "pen" ? 0.5 + event.pressure : 1;
    return {
      x: (event.clientX - left) / this.#scale,
      y: (event.clientY - top) / this.#scale,
      width: (pressure * PEN_WIDTH) / this.#scale,
    };
  }

  /** Set the pen down. */
  begin(/** @type {Point} */ point) {
    this.#change({ ...this.#sheet, strokes: [...this.#sheet.strokes, [point]] });
  }

  /** Move the pen on. */
  extend(/** @type {Point} */ point) {
    const stroke = this.#sheet.strokes.at(-1);
    stroke.push(point);
    for (const [context, colour] of this.#views()) {
      drawStroke(context, stroke.slice(-2), colour);
    }
  }

  /** Replace everything by a picture. */
  show(/** @type {ImageBitmap} */ picture) {
    const shrunk = Math.min(1, LONGEST_SIDE / Math.max(picture.width, picture.height));
    const width = Math.max(1, Math.round(picture.width * shrunk));
    const height = Math.max(1, Math.round(picture.height * shrunk));
    this.#change({ width, height, picture, strokes: [] });
  }

  clear() {
    if (!this.isBlank) this.#change({ ...this.#sheet, picture: null, strokes: [] });
  }

  undo() {
    this.#sheet = this.#past.pop() ?? this.#sheet;
    this.#fit();
  }

  /**
   * What there is to read: the picture, or the ink with some paper around it.
   * @returns {Box & {grey: Uint8Array}} 0 black to 255 white, row by row
   */
  pixels() {
    const { left, top, width, height } = this.#written();
    const { data } = this.#plain.getImageData(left, top, width, height);
    const grey = new Uint8Array(width * height);
    for (let i = 0, j = 0; i < grey.length; i += 1, j += 4) {
      grey[i] = (77 * data[j] + 151 * data[j + 1] + 28 * data[j + 2]) >> 8;
    }
    return { left, top, width, height, grey };
  }

  /** @returns {Box} */
  #written() {
    const { width, height, picture, strokes } = this.#sheet;
    if (picture || !strokes.length) return { left: 0, top: 0, width, height };
    const [left, right] = reach(strokes, "x", width);
    const [top, bottom] = reach(strokes, "y", height);
    return { left, top, width: right - left, height: bottom - top };
  }

  /** A sheet to come back from by `undo`. */
  #change(/** @type {Sheet} */ sheet) {
    this.#past.push(this.#sheet);
    this.#sheet = sheet;
    this.#fit();
  }

  /** A blank sheet takes the room there is; any other is scaled into it. */
  #fit() {
    const { clientWidth, clientHeight } = this.pad;
    if (this.isBlank) {
      this.#sheet = { ...this.#sheet, width: clientWidth, height: clientHeight };
    }
    const { width, height } = this.#sheet;
    this.#scale = Math.min(clientWidth / width, clientHeight / height);
    this.canvas.style.width = `${width * this.#scale}px`;
    this.canvas.style.height = `${height * this.#scale}px`;
    this.canvas.width = Math.ceil(width * this.#scale * devicePixelRatio);
    this.canvas.height = Math.ceil(height * this.#scale * devicePixelRatio);
    this.#shown.scale(this.canvas.width / width, this.canvas.height / height);
    Object.assign(this.#plain.canvas, { width, height });
    this.#draw();
  }

  #draw() {
    const { width, height, picture, strokes } = this.#sheet;
    this.#plain.fillStyle = "white"; // what is transparent is paper
    this.#plain.fillRect(0, 0, width, height);
    this.#shown.clearRect(0, 0, width, height);
    for (const [context, colour] of this.#views()) {
      context.imageSmoothingQuality = "high";
      if (picture) context.drawImage(picture, 0, 0, width, height);
      for (const stroke of strokes) drawStroke(context, stroke, colour);
    }
  }

  /** @returns {[CanvasRenderingContext2D, string][]} both, with the colour of the ink */
  #views() {
    const colour = this.#sheet.picture ? "black" : getComputedStyle(this.canvas).color;
    return [[this.#shown, colour], [this.#plain, "black"]];
  }
}

/** From where to where there is ink and its margin, within the sheet, whose end is given. */
function reach(/** @type {Point[][]} */ strokes, /** @type {"x" | "y"} */ axis, end) {
  const inside = (number) => Math.round(Math.min(Math.max(number, 0), end));
  let [least, most] = [end, 0];
  for (const point of strokes.flat()) {
    least = Math.min(least, point[axis]);
    most = Math.max(most, point[axis]);
  }
  return [inside(inside(least) - MARGIN), inside(inside(most) + MARGIN)];
}

/** Its points joined, each part as broad as the pen was; a single one is a dot. */
function drawStroke(context, /** @type {Point[]} */ stroke, colour) {
  context.strokeStyle = colour;
  context.lineCap = "round";
  stroke.forEach((point, index) => {
    const from = stroke[index - 1] ?? point;
    context.lineWidth = point.width;
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.lineTo(point.x, point.y + 0.01); // of no length at all, it would not be drawn
    context.stroke();
  });
}

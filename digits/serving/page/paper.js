/**
 * The paper: strokes, perhaps over a picture, and what was done to them.
 *
 * @import { Stroke } from "./strokes.js"
 * @typedef {{width: number, height: number, picture: ImageBitmap | null, strokes: Stroke[]}} Sheet
 */

import { History } from "./history.js";
import { Keeper } from "./keeper.js";
import { drawStroke, EIGHTHS, isNear, Pencil } from "./strokes.js";

const LONGEST_SIDE = 1600; // pixels of a picture; the server would look at no more
const ERASER = 8; // CSS pixels around its tip

export class Paper {
  #history = new History();
  #keeper = new Keeper();
  /** @type {Sheet} */ #sheet = { width: 1, height: 1, picture: null, strokes: [] };
  #scale = 1; // CSS pixels of a pixel of the sheet
  #corner = { left: 0, top: 0 }; // of the canvas in the window while a pointer is down
  #colour = "black"; // of the ink
  #pencil = new Pencil();
  /** @type {Stroke[] | null} */ #whole = null; // before the eraser came down
  #context; // of what is shown, as fine as the screen

  /** @param {HTMLElement} pad the room there is  @param {HTMLCanvasElement} canvas to draw on */
  constructor(pad, canvas) {
    Object.assign(this, { pad, canvas });
    this.#context = canvas.getContext("2d");
    this.#sheet.strokes = this.#keeper.load();
    if (this.#sheet.strokes.length) Object.assign(this.#sheet, this.#keeper.size);
    new ResizeObserver(() => this.#fit()).observe(pad);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
    this.#fit();
  }

  get isBlank() {
    return !this.#sheet.picture && !this.#sheet.strokes.length;
  }

  get canUndo() {
    return this.#history.canUndo;
  }

  get canRedo() {
    return this.#history.canRedo;
  }

  get sheet() {
    return this.#sheet;
  }

  /** Where a pointer is, in pixels of the sheet. */
  point(/** @type {PointerEvent} */ { clientX, clientY }) {
    const { left, top } = this.#corner;
    return { x: (clientX - left) / this.#scale, y: (clientY - top) / this.#scale };
  }

  /** A pointer comes down: until it is lifted the paper stays where it is. */
  locate() {
    this.#corner = this.canvas.getBoundingClientRect();
  }

  /** Set the pen down, so many CSS pixels wide. */
  begin(/** @type {PointerEvent} */ event, /** @type {number} */ width) {
    this.#pencil = new Pencil();
    const { stroke } = this.#pencil;
    const add = () => {
      this.#sheet.strokes.push(stroke);
      this.#keeper.add(stroke, this.#sheet);
    };
    const remove = () => {
      this.#sheet.strokes.pop();
      this.#keeper.remove([stroke]);
    };
    this.#history.do({
      redo: () => {
        add();
        this.#paint(stroke);
      },
      undo: () => {
        remove();
        this.#draw();
      },
    });
    this.extend(event, width);
  }

  /** Move the pen on. */
  extend(/** @type {PointerEvent} */ event, /** @type {number} */ width) {
    const { x, y } = this.point(event);
    // A pen writes by its pressure.
    const pressure = event.pointerType === "pen" ? 0.5 + event.pressure : 1;
    const { stroke } = this.#pencil;
    const from = stroke.slice(-3);
    this.#pencil.add(x, y, (pressure * width) / this.#scale);
    this.#paint([...from, ...stroke.slice(-3)], from.length);
  }

  /** Keep what the pen wrote. */
  finish() {
    this.#keeper.add(this.#pencil.stroke, this.#sheet);
  }

  /** Take back what was begun last. */
  drop() {
    if (this.#whole) this.#restore(this.#whole);
    else this.#history.drop();
    this.#whole = null;
  }

  beginErasing() {
    this.#whole = this.#sheet.strokes;
  }

  /** Erase the strokes under a pointer. */
  erase(/** @type {PointerEvent} */ event) {
    const { x, y } = this.point(event);
    const tip = [x * EIGHTHS, y * EIGHTHS, (ERASER / this.#scale) * EIGHTHS];
    const left = this.#sheet.strokes.filter((stroke) => !isNear(stroke, ...tip));
    if (left.length < this.#sheet.strokes.length) this.#restore(left);
  }

  finishErasing() {
    const [whole, left] = [this.#whole, this.#sheet.strokes];
    this.#whole = null;
    if (whole.length === left.length) return;
    this.#history.do({
      redo: () => this.#restore(left.slice()),
      undo: () => this.#restore(whole.slice()),
    });
  }

  /** Replace everything by a picture. */
  show(/** @type {ImageBitmap} */ picture) {
    const shrunk = Math.min(1, LONGEST_SIDE / Math.max(picture.width, picture.height));
    const width = Math.max(1, Math.round(picture.width * shrunk));
    const height = Math.max(1, Math.round(picture.height * shrunk));
    this.#replace({ width, height, picture, strokes: [] });
  }

  clear() {
    if (!this.isBlank) this.#replace({ ...this.#sheet, picture: null, strokes: [] });
  }

  undo() {
    this.#history.undo();
  }

  redo() {
    this.#history.redo();
  }

  /** The sheet drawn on white, a pixel for each of its own. */
  plain() {
    const { width, height } = this.#sheet;
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.fillStyle = "white"; // what is transparent is paper
    context.fillRect(0, 0, width, height);
    this.#drawOn(context, "black");
    return canvas;
  }

  #replace(/** @type {Sheet} */ next) {
    const before = this.#sheet;
    const put = (/** @type {Sheet} */ sheet) => () => {
      this.#sheet = sheet;
      this.#keeper.replace(sheet.strokes, sheet);
      this.#fit();
    };
    this.#history.do({ redo: put(next), undo: put(before) });
  }

  #restore(/** @type {Stroke[]} */ strokes) {
    this.#sheet.strokes = strokes;
    this.#keeper.replace(strokes, this.#sheet);
    this.#draw();
  }

  /** A blank sheet takes the room there is; any other is scaled into it. */
  #fit() {
    const { clientWidth, clientHeight } = this.pad;
    if (this.isBlank) Object.assign(this.#sheet, { width: clientWidth, height: clientHeight });
    const { width, height } = this.#sheet;
    this.#scale = Math.min(clientWidth / width, clientHeight / height) || 1;
    this.canvas.style.width = `${width * this.#scale}px`;
    this.canvas.style.height = `${height * this.#scale}px`;
    this.canvas.width = Math.ceil(width * this.#scale * devicePixelRatio);
    this.canvas.height = Math.ceil(height * this.#scale * devicePixelRatio);
    this.#context.scale(this.canvas.width / width, this.canvas.height / height);
    this.locate();
    this.#draw();
  }

  #draw() {
    const { width, height, picture } = this.#sheet;
    this.#colour = picture ? "black" : getComputedStyle(this.canvas).color;
    this.#context.clearRect(0, 0, width, height);
    this.#drawOn(this.#context, this.#colour);
  }

  #drawOn(context, /** @type {string} */ colour) {
    const { width, height, picture, strokes } = this.#sheet;
    context.imageSmoothingQuality = "high";
    if (picture) context.drawImage(picture, 0, 0, width, height);
    for (const stroke of strokes) drawStroke(context, stroke, colour);
  }

  #paint(/** @type {Stroke} */ stroke, begin = 0) {
    drawStroke(this.#context, stroke, this.#colour, begin);
  }
}

/** The page: what is written is read at once, and the answers are shown. */

import { onChoice, showAnswers } from "./answers.js";
import { say } from "./elements.js";
import { areShown, onOpen, showMaps } from "./maps.js";
import { Paper } from "./paper.js";
import { takePictures } from "./pictures.js";
import { Reader } from "./reader.js";

const undo = document.querySelector("#undo");
const clear = document.querySelector("#clear");
const trouble = document.querySelector("#trouble");
const time = document.querySelector("#time");

const canvas = document.querySelector("#paper");
const paper = new Paper(document.querySelector("#pad"), canvas);
const reader = new Reader(state, show, (text) => say(trouble, text));

/** @type {import("./reader.js").Digit[]} */
let digits = []; // as last read, their boxes in pixels of the sheet
let focus = { x: 0, y: 0 }; // the digit nearest to it is looked at closely
let isWriting = false;

/** What there is to read, and the digit whose maps are wanted. */
function state() {
  return {
    ...paper.pixels(),
    unfinished: isWriting, // half a digit is not to be cut in two, which would take long, too
    maps: areShown() && digits.length ? nearest() : undefined,
  };
}

function show(/** @type {import("./reader.js").Reading} */ reading, { left, top }) {
  digits = reading.digits.map((digit) => {
    const [x, y, ...size] = digit.box;
    return { ...digit, box: [left + x, top + y, ...size] };
  });
  const nothing = paper.isBlank || isWriting ? "" : "no digit found";
  showAnswers(digits, reading.classes, nearest(), paper.size, nothing);
  showMaps(reading.maps?.layers ?? []);
  say(time, `read in ${reading.milliseconds.toFixed(0)} ms`);
  if (areShown() && digits.length && reading.maps?.digit !== nearest()) reader.read();
}

function nearest() {
  const distances = digits.map(({ box: [left, top, width, height] }) =>
    Math.hypot(left + width / 2 - focus.x, top + height / 2 - focus.y),
  );
  return distances.indexOf(Math.min(...distances));
}

function look(/** @type {number} */ index) {
  const [left, top, width, height] = digits[index].box;
  focus = { x: left + width / 2, y: top + height / 2 };
  reader.read();
}

function changed(/** @type {number | undefined} */ when) {
  undo.disabled = !paper.canUndo;
  clear.disabled = paper.isBlank;
  document.body.classList.toggle("blank", paper.isBlank);
  if (paper.isBlank) {
    digits = []; // as the server will say, if it is there
    showAnswers(digits, [], -1, paper.size, "");
    showMaps([]);
    performance.clearMeasures();
  }
  reader.read(when);
}

function write(/** @type {PointerEvent} */ event) {
  focus = paper.point(event);
  changed(event.timeStamp);
}

/** Change the paper other than by the pen, which must be set down anew. */
function revise(/** @type {() => void} */ change) {
  isWriting = false;
  change();
  changed();
}

canvas.addEventListener("pointerdown", (event) => {
  if (!event.isPrimary || event.button !== 0) return;
  canvas.setPointerCapture(event.pointerId);
  isWriting = true;
  paper.begin(paper.point(event));
  write(event);
});
canvas.addEventListener("pointermove", (event) => {
  if (!isWriting || !event.isPrimary) return;
  for (const each of event.getCoalescedEvents()) paper.extend(paper.point(each));
  write(event);
});
canvas.addEventListener("lostpointercapture", () => {
  isWriting = false;
  changed();
});

undo.addEventListener("click", () => revise(() => paper.undo()));
clear.addEventListener("click", () => revise(() => paper.clear()));
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key === "z") undo.click();
});

onChoice(look);
onOpen(() => reader.read());
takePictures(
  (picture) => revise(() => paper.show(picture)),
  (text) => say(trouble, text),
);
changed();

/** The page: what is written is read at once, and the answers are shown. */

import { onChoice, showAnswers } from "./answers.js";
import { Collection } from "./collection.js";
import { say } from "./elements.js";
import { areShown, onOpen, showMaps } from "./maps.js";
import { Paper } from "./paper.js";
import { Pens } from "./pens.js";
import { takePictures } from "./pictures.js";
import { Reader } from "./reader.js";
import { copyText, saveDrawing } from "./saving.js";

const [undo, redo, erase, clear, width, save, copy] = [
  "undo", "redo", "erase", "clear", "width", "save", "copy",
].map((id) => document.getElementById(id));
const trouble = document.querySelector("#trouble");
const time = document.querySelector("#time");
// On e-paper whatever changes flashes: there the answers wait until the pen is lifted.
const isSlow = matchMedia("(update: slow), (prefers-reduced-motion: reduce)");

const canvas = document.querySelector("#paper");
const paper = new Paper(document.querySelector("#pad"), canvas);
const reader = new Reader(state, show, {
  trouble: (text) => say(trouble, text),
  waiting: (text) => {
    say(time, text);
    document.body.classList.toggle("waiting", text !== "");
  },
});

const collection = new Collection({
  settled: () => !paper.isBlank && reader.read(),
  corrected: () => show(reading),
  trouble: (text) => say(trouble, text),
});

/** @type {import("./reader.js").Reading} */
let reading = { digits: [], classes: [], milliseconds: 0 };
/** @type {import("./reader.js").Digit[]} */
let digits = []; // as last read, their boxes in pixels of the sheet
let focus = { x: 0, y: 0 }; // the digit nearest to it is looked at closely
let revision = 0; // of the drawing, but for what the pen that is down adds

const pens = new Pens(canvas, () => erase.getAttribute("aria-pressed") === "true", {
  begin(deed, event) {
    paper.locate();
    revision += 1;
    this.isErasing = deed === "erase";
    if (this.isErasing) {
      paper.beginErasing();
      paper.erase(event);
      changed();
    } else {
      paper.begin(event, Number(width.value));
      write(event);
    }
  },
  move(events, event) {
    for (const each of events) {
      if (this.isErasing) paper.erase(each);
      else paper.extend(each, Number(width.value));
    }
    if (this.isErasing) changed();
    else write(event);
  },
  end() {
    if (this.isErasing) paper.finishErasing();
    else paper.finish();
    changed();
  },
  drop() {
    revision += 1;
    paper.drop();
    changed();
  },
});

/** What there is to read, and the digit whose maps are wanted. */
function state() {
  return {
    revision,
    sheet: paper.sheet,
    plain: () => paper.plain(),
    isWriting: pens.isWriting, // half a digit is not to be cut in two, which would take long, too
    maps: areShown() && digits.length ? nearest() : undefined,
    session: pens.isWriting ? undefined : collection.session,
  };
}

function show(/** @type {import("./reader.js").Reading} */ newest) {
  reading = newest;
  digits = collection.recall(reading.digits);
  const nothing = paper.isBlank || pens.isWriting ? "" : "no digit found";
  const chosen = nearest();
  showAnswers(digits, reading.classes, chosen, paper.sheet, nothing);
  collection.show(digits[chosen], reading.classes);
  if (reading.maps || !digits.length) showMaps(reading.maps?.layers ?? []);
  say(time, `read in ${reading.milliseconds.toFixed(0)} ms`);
  copy.disabled = !digits.length;
  if (areShown() && digits.length && reading.maps?.digit !== chosen) reader.read();
}

function nearest() {
  const distances = digits.map(({ box: [left, top, width, height] }) =>
    Math.hypot(left + width / 2 - focus.x, top + height / 2 - focus.y),
  );
  return distances.indexOf(distances.reduce((least, each) => Math.min(least, each), Infinity));
}

function look(/** @type {number} */ index) {
  const [left, top, width, height] = digits[index].box;
  focus = { x: left + width / 2, y: top + height / 2 };
  collection.open();
  reader.read();
}

function changed(/** @type {number | undefined} */ when) {
  showTools();
  collection.changed();
  if (paper.isBlank) {
    digits = []; // as the server will say, if it is there
    collection.show(undefined, []);
    showAnswers(digits, [], -1, paper.sheet, "");
    showMaps([]);
    copy.disabled = true;
    performance.clearMeasures();
  }
  if (!(isSlow.matches && pens.isWriting)) reader.read(when);
}

function showTools() {
  const states = [[undo, !paper.canUndo], [redo, !paper.canRedo]];
  for (const button of [clear, save]) states.push([button, paper.isBlank]);
  for (const [button, isOff] of states) if (button.disabled !== isOff) button.disabled = isOff;
  document.body.classList.toggle("blank", paper.isBlank);
}

function write(/** @type {PointerEvent} */ event) {
  focus = paper.point(event);
  changed(event.timeStamp);
}

/** Change the paper other than by the pen, which must be set down anew. */
function revise(/** @type {() => void} */ change) {
  if (pens.isWriting) paper.finish();
  pens.lift();
  revision += 1;
  change();
  changed();
}

undo.addEventListener("click", () => revise(() => paper.undo()));
redo.addEventListener("click", () => revise(() => paper.redo()));
clear.addEventListener("click", () => revise(() => paper.clear()));
erase.addEventListener("click", () => {
  erase.setAttribute("aria-pressed", String(erase.getAttribute("aria-pressed") !== "true"));
});
save.addEventListener("click", () => saveDrawing(paper.plain()));
copy.addEventListener("click", async () => {
  const isCopied = await copyText(document.querySelector("#result").textContent);
  say(trouble, isCopied ? "" : "The browser does not let the page copy: select the digits instead.");
});
document.addEventListener("keydown", (event) => {
  if (!event.ctrlKey && !event.metaKey) return;
  const key = event.key.toLowerCase();
  if (key === "y" || (key === "z" && event.shiftKey)) redo.click();
  else if (key === "z") undo.click();
  else return;
  event.preventDefault();
});

onChoice(look);
reader.hasServer().then((hasServer) => hasServer && collection.describe());
onOpen(() => reader.read());
takePictures(
  (picture) => revise(() => paper.show(picture)),
  (text) => say(trouble, text),
);
changed();
document.documentElement.dataset.started = "true";
if (document.querySelector("link[rel=manifest]") && "serviceWorker" in navigator) {
  navigator.serviceWorker.register("offline.js"); // the exported page: it works without a network
}

/**
 * The answers, in the page. Elements stay while the pen moves and only their content changes,
 * so that the keyboard's focus and a screen reader keep their place.
 *
 * @import { Answer, Digit } from "./reader.js"
 */

import { NONE } from "./collection.js";
import { bytes, drawInk } from "./drawing.js";
import { element, resize, say } from "./elements.js";

const boxes = document.querySelector("#boxes");
const result = document.querySelector("#result");
const list = document.querySelector("#digits");
const detail = document.querySelector("#detail");
const seen = document.querySelector("#seen");
const table = document.querySelector("#probabilities");

/**
 * @param {Digit[]} digits their boxes in pixels of the sheet
 * @param {string[]} classes
 * @param {number} chosen index of the digit to show closely
 * @param {{width: number, height: number}} sheet
 * @param {string} nothing to say where there is no digit
 */
export function showAnswers(digits, classes, chosen, sheet, nothing) {
  say(result, digits.length ? rows(digits) : nothing);
  resize(boxes, digits.length, () => element("div"));
  resize(list, digits.length, digitButton);
  digits.forEach((digit, index) => {
    showBox(boxes.children[index], digit, index === chosen, sheet);
    showButton(list.children[index].firstChild, digit, index === chosen);
  });
  detail.hidden = !digits.length;
  if (digits.length) showDetail(digits[chosen], classes);
}

/** Call with the index of a digit when it is chosen from the list. */
export function onChoice(/** @type {(index: number) => void} */ choose) {
  list.addEventListener("click", ({ target }) => {
    const item = target.closest("li");
    if (item) choose([...list.children].indexOf(item));
  });
}

/** What the first model says, or the writer, a line for each row. */
function rows(/** @type {Digit[]} */ digits) {
  const several = [];
  for (const digit of digits) {
    if (digit.said === NONE) continue;
    (several[digit.row] = several[digit.row] || []).push(first(digit));
  }
  return several.filter(Boolean).map((row) => row.join(" ")).join("\n");
}

/** What an element shows: what has not changed is not drawn again, however much there is. */
const shown = new WeakMap();

function isShown(where, /** @type {any[]} */ ...what) {
  const before = shown.get(where);
  shown.set(where, what);
  if (before === undefined || before.length !== what.length) return false;
  return what.every((each, index) => each === before[index]);
}

function showBox(box, /** @type {Digit} */ digit, isChosen, sheet) {
  if (isShown(box, String(digit.box), first(digit), isChosen, sheet.width, sheet.height)) return;
  const [left, top, width, height] = digit.box;
  box.dataset.digit = digit.said === NONE ? "no digit" : first(digit);
  box.classList.toggle("chosen", isChosen);
  box.style.left = `${(100 * left) / sheet.width}%`;
  box.style.top = `${(100 * top) / sheet.height}%`;
  box.style.width = `${(100 * width) / sheet.width}%`;
  box.style.height = `${(100 * height) / sheet.height}%`;
}

function digitButton() {
  const picture = element("canvas", { width: 28, height: 28 });
  return element("li", {}, element("button", { type: "button" }, picture, element("span")));
}

function showButton(button, /** @type {Digit} */ digit, isChosen) {
  const models = Object.entries(digit.answers).map(
    ([model, answer]) => `${model} ${label(answer)}, ${percent(answer.confidence, 0)} %`,
  );
  if (isShown(button, digit.crop, digit.said, isChosen, ...models)) return;
  const [picture, answers] = button.children;
  button.setAttribute("aria-pressed", isChosen);
  drawInk(picture, bytes(digit.crop));
  resize(answers, models.length + (digit.said ? 1 : 0), () => element("span"));
  models.forEach((text, i) => say(answers.children[i], text));
  if (digit.said) say(answers.lastChild, `you: ${digit.said === NONE ? "no digit" : digit.said}`);
}

/** What the writer says, else the first model. */
const first = (/** @type {Digit} */ { answers, said }) =>
  said ?? label(Object.values(answers)[0]);

function showDetail(/** @type {Digit} */ { crop, answers }, /** @type {string[]} */ classes) {
  if (!isShown(seen, crop)) drawInk(seen, bytes(crop));
  const models = Object.keys(answers);
  resize(table.tHead.rows[0], 1 + models.length, () => element("th", { scope: "col" }));
  resize(table.tBodies[0], classes.length, () =>
    element("tr", {}, element("th", { scope: "row" })),
  );
  models.forEach((model, i) => say(table.tHead.rows[0].cells[1 + i], model));
  classes.forEach((name, c) => {
    const row = table.tBodies[0].rows[c];
    resize(row, 1 + models.length, () => element("td"));
    say(row.cells[0], name);
    Object.values(answers).forEach(({ probabilities }, i) => {
      if (isShown(row.cells[1 + i], probabilities[c])) return;
      row.cells[1 + i].style.setProperty("--share", probabilities[c]);
      say(row.cells[1 + i], percent(probabilities[c]));
    });
  });
}

const label = (/** @type {Answer} */ { digit, refused }) => (refused ? "?" : digit);
const percent = (/** @type {number} */ share, decimals = 1) => (100 * share).toFixed(decimals);

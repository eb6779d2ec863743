/** The review: one collected digit at a time, one key for each. */

const NONE = "none";
const [form, reviewer, work, left, crop, said, others, classes, trouble] = [
  "#who", "#reviewer", "#work", "#left", "#crop", "#said", "#others", "#classes", "#trouble",
].map((selector) => document.querySelector(selector));

/** @type {{id: string, crop: string, digit: string, confidence: number, refused: boolean,
 *   answers: Object<string, string>, verdicts: Object<string, string>}[]} */
let waiting = [];
/** @type {typeof waiting} */ const done = [];
/** @type {string[]} */ let names = [];
let isBusy = false;
const skipped = new Set();

form.addEventListener("submit", (event) => {
  event.preventDefault();
  form.hidden = true;
  work.hidden = false;
  fetchMore();
});

async function fetchMore() {
  let answer;
  let first = 0;
  do { // the server gives a hundred at a time, and all of those may have been skipped
    const query = new URLSearchParams({ reviewer: reviewer.value, first: String(first) });
    answer = await ask(`review/digits?${query}`);
    if (!answer) return;
    waiting = answer.digits.filter(({ id }) => !skipped.has(id));
    first += answer.digits.length;
  } while (answer.digits.length && !waiting.length);
  names = answer.classes;
  const buttons = [...names, NONE].map((name) => {
    const button = document.createElement("button");
    button.textContent = name === NONE ? "no digit" : name;
    button.addEventListener("click", () => judge(name));
    return button;
  });
  classes.replaceChildren(...buttons);
  show();
}

function show() {
  const [digit] = waiting;
  crop.hidden = classes.hidden = !digit;
  left.textContent = digit ? `${waiting.length} to look at` : "Nothing is left to look at.";
  said.textContent = others.textContent = "";
  if (!digit) return;
  const pixels = Uint8Array.from(atob(digit.crop), (letter) => letter.charCodeAt(0));
  const image = new ImageData(28, 28);
  pixels.forEach((value, i) => image.data.set([255 - value, 255 - value, 255 - value, 255], 4 * i));
  crop.getContext("2d").putImageData(image, 0, 0);
  const answers = Object.entries(digit.answers).map(([model, name]) => `${model} ${name}`);
  const sure = `${(100 * digit.confidence).toFixed(1)} %`;
  said.textContent = `Read as ${answers.join(", ")}; ${sure}${digit.refused ? ", refused" : ""}`;
  const verdicts = Object.entries(digit.verdicts).map(([who, name]) => `${who}: ${name}`);
  if (verdicts.length) others.textContent = `Others say: ${verdicts.join(", ")}`;
}

async function judge(/** @type {string} */ name) {
  const [digit] = waiting;
  if (!digit || isBusy) return;
  isBusy = true;
  if (await send(digit.id, name)) {
    done.push(waiting.shift());
    await next();
  }
  isBusy = false;
}

async function takeBack() {
  const digit = done[done.length - 1];
  if (!digit || isBusy) return;
  isBusy = true;
  if (await send(digit.id, null)) {
    waiting.unshift(done.pop());
    show();
  }
  isBusy = false;
}

async function next() {
  if (waiting.length) show();
  else await fetchMore();
}

function send(id, name) {
  const body = JSON.stringify({ id, class: name, reviewer: reviewer.value });
  const headers = { "Content-Type": "application/json" };
  return ask("feedback", { method: "POST", headers, body });
}

async function ask(url, options = {}) {
  try {
    const response = await fetch(url, options);
    const answer = await response.json();
    trouble.textContent = response.ok ? "" : `The server says: ${answer.detail}`;
    return response.ok ? answer : undefined;
  } catch {
    trouble.textContent = "The server does not answer.";
    return undefined;
  }
}

document.addEventListener("keydown", (event) => {
  if (work.hidden || event.ctrlKey || event.metaKey || event.altKey) return;
  const isButton = event.target instanceof HTMLButtonElement;
  if (names.includes(event.key)) judge(event.key);
  else if (event.key === "n") judge(NONE);
  else if (event.key === "Backspace") takeBack();
  else if (event.key === "Enter" && !isButton && waiting.length) judge(waiting[0].digit);
  else if (event.key === " " && !isButton && waiting.length) {
    skipped.add(waiting.shift().id);
    next();
  } else return;
  event.preventDefault();
});

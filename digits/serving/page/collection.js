/**
 * What the server keeps of what is written, if it was started so: the page says it, lets it be
 * switched off, and lets a digit be corrected.
 *
 * @import { Digit } from "./reader.js"
 */

import { element, say } from "./elements.js";

export const NONE = "none"; // the class of what is no digit
const SETTLED = 1500; // milliseconds without a change after which a drawing may be kept
const MOST = 1000; // digits whose identity is remembered
const [notice, keep, visitName, keypad, classes, takeBack] = [
  "#collection", "#keep", "#visit", "#keypad", "#classes", "#takeback",
].map((selector) => document.querySelector(selector));

export class Collection {
  #collects = false;
  #isSettled = false;
  #timer = 0;
  #session = nameOf("digits-session");
  /** @type {Map<string, string>} */ #ids = new Map(); // by crop
  /** @type {Map<string, string>} */ #said = new Map(); // classes that the writer gave, by id
  /** @type {string[]} */ #shown = []; // classes on the keypad
  /** @type {string | undefined} */ #chosen; // id of the digit that the keypad is for
  #isOpen = false;

  /**
   * @param {{settled: () => void, corrected: () => void, trouble: (text: string) => void}} tell
   */
  constructor(tell) {
    this.tell = tell;
    keep.checked = stored("digits-keep") !== "no";
    keep.addEventListener("change", () => {
      store("digits-keep", keep.checked ? "yes" : "no");
      this.changed();
      this.tell.corrected(); // the keypad comes or goes
    });
    takeBack.addEventListener("click", () => this.correct(null));
    for (const part of [keypad, document.querySelector("#digits")]) {
      part.addEventListener("keydown", (event) => this.#press(event));
    }
  }

  /** Ask the server whether it keeps anything. */
  async describe() {
    try {
      const response = await fetch("collection");
      if (!response.ok) return;
      const { collects, days, pictures } = await response.json();
      this.#collects = collects;
      notice.hidden = !collects;
      const what = pictures ? "digits and the pictures they are in" : "digits";
      say(notice.querySelector("span"), `The server keeps the ${what}, for ${days} days`);
      say(visitName, this.#session);
      this.changed();
    } catch {
      // The server is gone: it keeps nothing.
    }
  }

  get #isOn() {
    return this.#collects && keep.checked;
  }

  /** The name of the visit if what is on the paper may be kept, else undefined. */
  get session() {
    return this.#isOn && this.#isSettled ? this.#session : undefined;
  }

  /** The drawing has changed: what is half written is not kept. */
  changed() {
    clearTimeout(this.#timer);
    this.#isSettled = false;
    if (!this.#isOn) return;
    this.#timer = setTimeout(() => {
      this.#isSettled = true;
      this.tell.settled();
    }, SETTLED);
  }

  /** @returns {Digit[]} the same, each with what is known of it */
  recall(/** @type {Digit[]} */ digits) {
    if (!this.#isOn) return digits.map((digit) => ({ ...digit, id: undefined, said: undefined }));
    if (this.#ids.size > MOST) this.#ids.clear();
    return digits.map((digit) => {
      if (typeof digit.crop !== "string") return digit;
      if (digit.id) this.#ids.set(digit.crop, digit.id);
      const id = this.#ids.get(digit.crop);
      return { ...digit, id, said: id && this.#said.get(id) };
    });
  }

  /** Somebody looks at a digit: open the keypad. */
  open() {
    this.#isOpen = true;
  }

  /** @param {Digit | undefined} digit the one chosen  @param {string[]} names of the classes */
  show(digit, names) {
    this.#chosen = digit?.id;
    keypad.hidden = !this.#isOpen || !this.#chosen;
    if (keypad.hidden) return;
    if (names.join() !== this.#shown.join()) {
      this.#shown = [...names];
      classes.replaceChildren(...[...names, NONE].map((name) => this.#button(name)));
    }
    for (const button of classes.children) {
      button.setAttribute("aria-pressed", String(button.value === digit.said));
    }
    takeBack.disabled = digit.said === undefined;
  }

  /** Say what the chosen digit is; null takes that back. */
  async correct(/** @type {string | null} */ name) {
    const id = this.#chosen;
    if (!id || (name === null && !this.#said.has(id))) return;
    const reason = await send(id, name);
    this.tell.trouble(reason);
    if (reason) return;
    if (name === null) this.#said.delete(id);
    else this.#said.set(id, name);
    this.tell.corrected();
  }

  #button(/** @type {string} */ name) {
    const text = name === NONE ? "no digit" : name;
    const button = element("button", { type: "button", value: name, textContent: text });
    button.addEventListener("click", () => this.correct(name));
    return button;
  }

  #press(/** @type {KeyboardEvent} */ event) {
    if (keypad.hidden || event.ctrlKey || event.metaKey || event.altKey) return;
    if (this.#shown.includes(event.key)) this.correct(event.key);
    else if (event.key === "n" || event.key === "Delete") this.correct(NONE);
    else if (event.key === "Backspace") this.correct(null);
    else return;
    event.preventDefault();
  }
}

/** @returns {Promise<string>} why it was not taken; empty if it was */
async function send(/** @type {string} */ id, /** @type {string | null} */ name) {
  try {
    const headers = { "Content-Type": "application/json" };
    const body = JSON.stringify({ id, class: name });
    const response = await fetch("feedback", { method: "POST", headers, body });
    if (response.ok) return "";
    const { detail } = await response.json();
    return `The server says: ${detail}`;
  } catch {
    return "The server does not answer: the correction is not kept.";
  }
}

/** The name of this visit, which says nothing of who it is. */
function nameOf(/** @type {string} */ key) {
  const bytes = [...crypto.getRandomValues(new Uint8Array(6))];
  const fresh = bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
  try {
    const known = sessionStorage.getItem(key);
    if (known) return known;
    sessionStorage.setItem(key, fresh);
  } catch {
    // The browser keeps nothing for pages: each load is a visit.
  }
  return fresh;
}

function stored(/** @type {string} */ key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function store(/** @type {string} */ key, /** @type {string} */ value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // It holds until the page is closed.
  }
}

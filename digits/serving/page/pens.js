/**
 * Pointers on the paper: which of them writes, erases or scrolls, and which is a palm.
 *
 * A stroke follows one pointer. While a pen is near, touch is a palm and writes nothing. Of
 * fingers the newest writes, if the one before is a palm: broad, or at rest for a while. Two
 * fingertips scroll, because a single one writes.
 *
 * @typedef {"write" | "erase"} Deed
 * @typedef {{
 *   begin: (deed: Deed, event: PointerEvent) => void,
 *   move: (events: PointerEvent[], event: PointerEvent) => void,
 *   end: () => void,
 *   drop: () => void,
 * }} Hand `drop` takes back what was written since `begin`
 */

const PEN_STAYS = 700; // milliseconds after its last sign that a pen still counts as near
const BROAD = 40; // CSS pixels: what touches more broadly is no fingertip
const REST = 250; // milliseconds: a touch that rested so long before the next one is a palm
const STILL = 8; // CSS pixels that a resting hand may slide
const BARREL = 2; // bits of `PointerEvent.buttons`
const ERASER = 32;
// Browsers keep moves back until the next frame is to be painted. Chromium tells of them at once,
// too, on https and localhost: what is read meanwhile is painted a frame earlier.
const MOVE = "onpointerrawupdate" in window ? "pointerrawupdate" : "pointermove";

export class Pens {
  /** @type {PointerEvent | null} */ #active = null; // as it was set down
  /** @type {Map<number, {x: number, y: number, broad: boolean}>} */ #fingers = new Map();
  #isScrolling = false;
  #travel = 0; // CSS pixels that the active pointer has moved at most from where it began
  #penSeen = -Infinity; // when, in milliseconds as of `timeStamp`
  #isPenNear = false;

  /** @param {HTMLElement} paper  @param {() => boolean} isErasing  @param {Hand} hand */
  constructor(paper, isErasing, hand) {
    Object.assign(this, { paper, isErasing, hand });
    paper.addEventListener("pointerdown", (event) => this.#down(event));
    paper.addEventListener(MOVE, (event) => this.#move(event));
    paper.addEventListener("pointerup", (event) => this.#up(event));
    paper.addEventListener("pointercancel", (event) => this.#cancel(event));
    paper.addEventListener("lostpointercapture", (event) => this.#up(event));
    paper.addEventListener("pointerenter", (event) => this.#notePen(event));
    paper.addEventListener("pointerleave", (event) => this.#notePen(event, false));
    // A barrel button or a long press would open a menu over the paper.
    paper.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  get isWriting() {
    return this.#active !== null;
  }

  /** Forget the pointer that is down: it has to be set down anew. */
  lift() {
    this.#active = null;
  }

  #notePen(/** @type {PointerEvent} */ event, isNear = true) {
    if (event.pointerType !== "pen") return;
    this.#penSeen = event.timeStamp;
    this.#isPenNear = isNear;
  }

  #down(/** @type {PointerEvent} */ event) {
    this.#notePen(event);
    if (event.pointerType === "touch" && !this.#touch(event)) return;
    if (event.pointerType === "mouse" && event.button !== 0) return;
    if (this.#active) {
      if (event.pointerType !== "pen" || this.#active.pointerType === "pen") return;
      this.#dropActive(); // the hand came before its pen
    }
    this.#active = event;
    this.#travel = 0;
    this.paper.setPointerCapture(event.pointerId);
    const isErasing = this.isErasing() || (event.buttons & (ERASER | BARREL)) !== 0;
    this.hand.begin(isErasing ? "erase" : "write", event);
  }

  /** A finger comes down: whether it may write. */
  #touch(/** @type {PointerEvent} */ event) {
    const { pointerId, clientX: x, clientY: y, timeStamp } = event;
    const broad = isBroad(event);
    this.#fingers.set(pointerId, { x, y, broad });
    if (broad || this.#isPenNear || timeStamp - this.#penSeen < PEN_STAYS) return false;
    if (this.#isScrolling) return false;
    if (!this.#active) return true;
    if (this.#active.pointerType !== "touch") return false;
    const rested = timeStamp - this.#active.timeStamp > REST && this.#travel < STILL;
    if (rested || this.#fingers.get(this.#active.pointerId)?.broad) {
      this.#dropActive();
      return true;
    }
    // The second of two fingertips: what the first has begun by accident is taken back.
    if (timeStamp - this.#active.timeStamp > REST) this.#endActive();
    else this.#dropActive();
    this.#isScrolling = true;
    return false;
  }

  #move(/** @type {PointerEvent} */ event) {
    this.#notePen(event);
    const finger = this.#fingers.get(event.pointerId);
    if (finger && this.#isScrolling && !finger.broad) {
      const tips = [...this.#fingers.values()].filter(({ broad }) => !broad).length;
      scrollBy((finger.x - event.clientX) / tips, (finger.y - event.clientY) / tips);
    }
    if (finger) {
      [finger.x, finger.y] = [event.clientX, event.clientY];
      finger.broad = finger.broad || isBroad(event);
    }
    if (event.pointerId !== this.#active?.pointerId) return;
    if (finger?.broad) {
      this.#dropActive(); // a palm that came down by its edge
      return;
    }
    const { clientX, clientY } = this.#active;
    this.#travel = Math.max(
      this.#travel,
      Math.hypot(event.clientX - clientX, event.clientY - clientY),
    );
    // Only https and localhost have the moves between two frames; elsewhere the last has to do.
    const several = event.getCoalescedEvents?.() ?? [];
    this.hand.move(several.length ? several : [event], event);
  }

  #up(/** @type {PointerEvent} */ event) {
    if (event.type === "pointerup") this.#forget(event);
    if (event.pointerId === this.#active?.pointerId) this.#endActive();
  }

  /** The system took the pointer: for a touch, because it is a palm. */
  #cancel(/** @type {PointerEvent} */ event) {
    this.#forget(event);
    if (event.pointerId !== this.#active?.pointerId) return;
    if (event.pointerType === "touch") this.#dropActive();
    else this.#endActive();
  }

  #forget(/** @type {PointerEvent} */ event) {
    this.#fingers.delete(event.pointerId);
    if (!this.#fingers.size) this.#isScrolling = false;
  }

  #endActive() {
    this.#active = null;
    this.hand.end();
  }

  #dropActive() {
    this.#active = null;
    this.hand.drop();
  }
}

const isBroad = (/** @type {PointerEvent} */ { pointerType, width, height }) =>
  pointerType === "touch" && Math.max(width, height) >= BROAD;

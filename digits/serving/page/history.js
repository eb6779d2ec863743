/**
 * What was done to the sheet, to be undone and redone: each deed knows both ways, so that a
 * thousand strokes cost no more than ten.
 *
 * @typedef {{redo: () => void, undo: () => void}} Deed
 */

export class History {
  /** @type {Deed[]} */ #done = [];
  /** @type {Deed[]} */ #undone = [];

  get canUndo() {
    return this.#done.length > 0;
  }

  get canRedo() {
    return this.#undone.length > 0;
  }

  do(/** @type {Deed} */ deed) {
    deed.redo();
    this.#done.push(deed);
    this.#undone = [];
  }

  undo() {
    const deed = this.#done.pop();
    if (!deed) return;
    deed.undo();
    this.#undone.push(deed);
  }

  redo() {
    const deed = this.#undone.pop();
    if (!deed) return;
    deed.redo();
    this.#done.push(deed);
  }

  /** Undo what was done last, as if it had never been. */
  drop() {
    this.#done.pop()?.undo();
  }
}

/** Which images a model had better leave unanswered, as digits/base/selection.py has it. */

/** The confidence at twice the temperature. */
export function sureness(/** @type {number[]} */ probabilities) {
  const tempered = probabilities.map(Math.sqrt);
  return Math.max(...tempered) / tempered.reduce((sum, each) => sum + each, 0);
}

/** What leaves the page: the drawing as a picture, the reading as text. */

/** Save a drawing as PNG, as the browser saves files. */
export function saveDrawing(/** @type {HTMLCanvasElement} */ canvas) {
  canvas.toBlob((blob) => {
    const href = URL.createObjectURL(blob);
    const link = Object.assign(document.createElement("a"), { href, download: "digits.png" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(href), 10_000);
  });
}

/** Put a text on the clipboard: whether the browser lets the page. */
export async function copyText(/** @type {string} */ text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copySelected(text);
  }
}

/** The older way, which plain http still has. */
function copySelected(/** @type {string} */ text) {
  const before = document.activeElement;
  const field = Object.assign(document.createElement("textarea"), { value: text });
  document.body.append(field);
  field.select();
  try {
    return document.execCommand("copy");
  } finally {
    field.remove();
    before?.focus();
  }
}

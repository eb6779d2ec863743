/** Elements of the page: made, counted, and written to only where something changed. */

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Let an element have so many children: the last ones go, new ones are made. */
export function resize(parent, count, make) {
  while (parent.childElementCount > count) parent.lastElementChild.remove();
  while (parent.childElementCount < count) parent.append(make());
}

/** Set a text; a screen reader is told of it only if it is another. */
export function say(where, text) {
  if (where.textContent !== text) where.textContent = text;
}

// Elements made of plain text: nothing here or elsewhere parses a string as HTML.

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element with attributes and children; a string child becomes a text node.
 *
 * An attribute that is `null`, `undefined` or `false` is left out, and `true` stands without a value. A function is
 * the listener of the event of that name. Absent children are skipped.
 */
export function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** The same for an element of SVG. */
export function vector(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(made, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(key, String(value));
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** Sets a custom property of CSS by CSSOM, which the page's content security policy allows. */
export function setting(styled, name, value) {
  styled.style.setProperty(name, value);
  return styled;
}

/** The element of the page with this id. */
export function byId(id) {
  return document.getElementById(id);
}

// The few ways in which the page is changed. Text is only ever set as text, and only where it differs.

export const by = (id) => document.getElementById(id);

export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element && name !== 'list') element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export function text(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

export function show(element, shown) {
  if (element.hidden === shown) element.hidden = !shown;
}

/** A message that is there while it says something. */
export function banner(element, value) {
  show(element, Boolean(value));
  text(element, value || '');
}

export function data(element, name, value) {
  if (element.dataset[name] !== value) element.dataset[name] = value;
}

/** Keep one child for each item: made once, told of changes, moved or removed as the items are. */
export function keyed(parent, items, key, create, update) {
  const there = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const name = String(key(item));
    let child = there.get(name);
    if (child) {
      there.delete(name);
    } else {
      child = create(item);
      child.dataset.key = name;
    }
    update(child, item);
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
  }
  for (const child of there.values()) child.remove();
}

/** A table's rows, each a list of [text, class] or text. */
export function rows(body, items, key, cells, heading = true) {
  keyed(
    body, items, key,
    (item) => make('tr', {}, ...cells(item).map((_, place) => (heading && !place ? make('th', { scope: 'row' }) : make('td')))),
    (row, item) => cells(item).forEach((cell, place) => {
      const [value, kind] = Array.isArray(cell) ? cell : [cell, ''];
      text(row.children[place], value);
      if (row.children[place].className !== kind) row.children[place].className = kind;
    }),
  );
}

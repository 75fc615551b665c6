// The same views outside Airflow's UI, where there is no React: elements are made at once, texts never as HTML.

const PROPERTIES = {className: "className", defaultValue: "value", htmlFor: "htmlFor"};

export function h(tag, properties, ...children) {
  const element = document.createElement(tag);
  // Children first: the value of a select is that of one of its options.
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null || value === false || name === "key") continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2).toLowerCase(), value);
    else if (name in PROPERTIES) element[PROPERTIES[name]] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  return element;
}

// Replace what is shown, and keep what a person has opened or is typing.
export function render(root, view) {
  const open = [...root.querySelectorAll("details[open]")].map((each) => each.dataset.id);
  const typing = root.contains(document.activeElement) ? document.activeElement : null;
  root.replaceChildren(view);
  for (const each of root.querySelectorAll("details")) if (open.includes(each.dataset.id)) each.open = true;
  const again = typing?.id && document.getElementById(typing.id);
  if (!again) return;
  again.focus();
  if (again.setSelectionRange) again.setSelectionRange(typing.selectionStart, typing.selectionEnd);
}

// Elements, times and messages. Text is always set as text, never as markup.

export const $ = (id) => document.getElementById(id);

// Create an element: h("button", { type: "button", onclick }, "Text", child, …).
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && typeof value !== "string") element[name] = value;
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const button = (text, onclick, more = {}) => h("button", { type: "button", onclick, ...more }, text);

// Replace the content of a section, except its heading.
export function fill(section, ...children) {
  const heading = section.querySelector("h2");
  section.replaceChildren(heading, ...children.flat().filter(Boolean));
}

// 75.34 as 1:15.3, as the reports write it.
export function clock(seconds) {
  const tenths = Math.floor(seconds * 10 + 1e-6);
  return `${Math.floor(tenths / 600)}:${String(Math.floor((tenths % 600) / 10)).padStart(2, "0")}.${tenths % 10}`;
}

export const date = (text) => new Date(text).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });

// A step that others wait for; a screen reader announces it when it has time.
export function tell(text) { $("status").textContent = text; }

// Something is wrong; announced at once.
export function alert(text) { $("trouble").textContent = text; }

export function calm() { alert(""); }

// Ask before a call that may be charged, or before something is removed.
export function confirm(title, text, yes) {
  const dialog = $("confirm");
  $("confirm-title").textContent = title;
  $("confirm-text").textContent = text;
  $("confirm-yes").textContent = yes;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

// Run an action of a button: it is disabled meanwhile, and a failure is shown as an alert.
export function action(work, busy) {
  return async (event) => {
    const pressed = event?.currentTarget;
    calm();
    if (busy) tell(busy);
    if (pressed) pressed.disabled = true;
    try {
      await work(event);
      if (busy) tell("");
    } catch (error) {
      tell("");
      alert(error.message);
    } finally {
      if (pressed) pressed.disabled = false;
    }
  };
}

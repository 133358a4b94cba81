// What the parts of the script share: elements, problems. The parts are put together into one module.
//
// What comes from the server reaches the page as text, but for rows and pages that it has made itself; nothing is loaded
// from elsewhere.

const seconds = (count) => new Promise((resolve) => setTimeout(resolve, count * 1000));

// What is done when a page is there, and what while it is still coming, again and again; once for each place.
const atStart = [];
const whileComing = [];
const equipped = new WeakSet();

function once(place, equip) {
  if (!place || equipped.has(place)) return;
  equipped.add(place);
  equip(place);
}

// Elements

function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

function button(label, act, attributes = {}) {
  const made = make("button", { type: "button", ...attributes }, label);
  made.addEventListener("click", act);
  return made;
}

class Problem extends Error {
  constructor(error, status = 0) {
    super(error.message);
    this.status = status;
    this.wait = error.retry_after_seconds ?? 0;
  }
}

async function problemOf(response) {
  try {
    return new Problem((await response.json()).error, response.status);
  } catch {
    const message = response.status === 401 ? "your session has ended" : `the server answers ${response.status} ${response.statusText}`;
    return new Problem({ message }, response.status);
  }
}

// What a browser keeps for a page; where nothing may be kept it holds for the page alone.
const kept = {
  get(key) {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  },
  set(key, value) {
    try {
      localStorage.setItem(key, value);
    } catch { /* see above */ }
  },
};

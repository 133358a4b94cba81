// What the scripts of pages share: elements, event streams, output.
//
// What comes from the server reaches the page as text, never as markup; nothing is loaded from elsewhere.

const TOKEN_HEADER = "X-Cmdserver-Token";
const KEPT_CHARACTERS = 1 << 24; // of output, to be copied and downloaded
const SHOWN_CHARACTERS = 1 << 18; // of it: some thousand lines
const NODE_CHARACTERS = 1 << 16; // of one node, so that the oldest can be dropped

export const seconds = (count) => new Promise((resolve) => setTimeout(resolve, count * 1000));

// Elements

export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

export function button(label, act, attributes = {}) {
  const made = make("button", { type: "button", ...attributes }, label);
  made.addEventListener("click", act);
  return made;
}

// Event streams (HTML standard, "Server-sent events"), by fetch: EventSource cannot POST, and does not tell of errors

export async function* eventsOf(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + decoder.decode(value, { stream: true })).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const event = eventOf(block);
      if (event.data !== undefined) yield event;
    }
  }
}

function eventOf(block) {
  const event = {};
  for (const line of block.split("\n")) {
    const [, field, value] = /^([a-z]+): ?(.*)$/.exec(line) ?? [];
    if (field !== undefined) event[field] = value;
  }
  return event;
}

export class Problem extends Error {
  constructor(error, status = 0) {
    super(error.message);
    this.status = status;
    this.wait = error.retry_after_seconds ?? 0;
  }
}

export async function problemOf(response) {
  try {
    return new Problem((await response.json()).error, response.status);
  } catch {
    return new Problem({ message: `the server answers ${response.status} ${response.statusText}` });
  }
}

export function headersOf(method) {
  const token = document.querySelector("input[name=csrf-token]")?.value;
  return { Accept: "text/event-stream", ...(token && method === "POST" && { [TOKEN_HEADER]: token }) };
}

// Output: as text, with control characters made visible as the server does on its own pages

function visible(text) {
  return text.replace(/[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|\r(?!\n)/g, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x80 ? `^${String.fromCharCode(code ^ 0x40)}` : `M-^${String.fromCharCode(code ^ 0xc0)}`;
  });
}

export class Output {
  constructor(pre) {
    this.pre = pre;
    this.kept = pre.textContent ? [pre.textContent] : [];
    this.keptLength = this.shownLength = pre.textContent.length;
    this.waiting = [];
    this.timer = 0;
    this.isCut = this.isHidden = false;
  }

  // Forgets all; what is shown goes with the next flush, so that nothing flickers.
  clear() {
    Object.assign(this, { kept: [], waiting: [], keptLength: 0, shownLength: 0, isCut: false, isHidden: false, isOld: true });
  }

  get text() {
    return this.kept.join("");
  }

  // Much may come at once, and to show it takes longer than to get it: so it is shown a few times a second.
  add(raw, isError) {
    const text = visible(raw);
    this.kept.push(text);
    this.keptLength += text.length;
    while (this.keptLength > KEPT_CHARACTERS) {
      this.keptLength -= this.kept.shift().length;
      this.isCut = true;
    }
    this.waiting.push([text, isError]);
    this.timer ||= setTimeout(() => this.flush(), 50);
  }

  flush() {
    clearTimeout(this.timer);
    this.timer = 0;
    if (this.isOld) this.pre.replaceChildren();
    this.isOld = false;
    const isAtEnd = this.pre.scrollTop + this.pre.clientHeight >= this.pre.scrollHeight - 24;
    for (const [text, isError] of this.waiting) this.show(text, isError);
    this.waiting = [];
    if (isAtEnd) this.pre.scrollTop = this.pre.scrollHeight;
  }

  show(text, isError) {
    const last = this.pre.lastChild;
    const isSame = last && (last.nodeType === Node.ELEMENT_NODE) === isError && last.textContent.length < NODE_CHARACTERS;
    if (!isSame) this.pre.append(isError ? make("span", { class: "err" }, text) : text);
    else if (isError) last.append(text);
    else last.appendData(text);
    this.shownLength += text.length;
    while (this.shownLength > SHOWN_CHARACTERS && this.pre.childNodes.length > 1) {
      this.shownLength -= this.pre.firstChild.textContent.length;
      this.pre.firstChild.remove();
      this.isHidden = true;
    }
  }
}

// Somebody who reads what was said before is left there.
export function followEnd(pre) {
  let isFollowing = true;
  let last = 0;
  pre.addEventListener("scroll", () => {
    if (pre.scrollTop + pre.clientHeight >= pre.scrollHeight - 24) isFollowing = true;
    else if (pre.scrollTop < last) isFollowing = false;
    last = pre.scrollTop;
  });
  const move = () => { if (isFollowing) pre.scrollTop = pre.scrollHeight; };
  const observer = new MutationObserver(move);
  observer.observe(pre, { childList: true, subtree: true, characterData: true });
  move();
  return () => observer.disconnect();
}

// The card with what a run says: its tools, its views, and what is done while more comes. All that is in it is drawn by
// the server; here lines are only counted, found and left out.

const cards = new WeakMap();

class OutputCard {
  constructor(card) {
    Object.assign(this, { card, pre: card.querySelector(".output"), tools: card.querySelector(".tools"), isAtEnd: true, top: 0 });
    const { pre, tools } = this;
    this.filter = tools.querySelector("input");
    for (const tool of tools.querySelectorAll("[hidden]")) tool.hidden = false;
    tools.addEventListener("click", (event) => {
      const tool = event.target.closest("[data-tool]");
      if (tool) this[tool.dataset.tool](tool, event);
    });
    this.filter.addEventListener("input", () => this.changed());
    pre.addEventListener("scroll", () => this.look());
    this.setWrap(kept.get("wrap") !== "no");
    this.observer = new MutationObserver(() => {
      this.keepUp();
      this.timer ||= setTimeout(() => this.changed(), 100);
    });
    this.observer.observe(pre, { childList: true, subtree: true, characterData: true });
    this.changed();
  }

  // Nothing more comes.
  finish() {
    this.observer.disconnect();
    const follow = this.tool("follow");
    if (follow === document.activeElement) this.pre.focus();
    follow?.remove();
    this.changed();
    this.equipViews();
    this.stay();
  }

  tool(name) {
    return this.tools.querySelector(`[data-tool=${name}]`);
  }

  // Whoever has scrolled up reads; back at the end, that is followed again. What was not moved since it was last looked
  // at was moved by nobody else: the browser tells of our own scrolling, too, and late.
  look() {
    const { scrollTop, clientHeight, scrollHeight } = this.pre;
    if (!clientHeight) return;
    const isThere = scrollTop + clientHeight >= scrollHeight - 24;
    if (isThere && scrollTop > this.top) this.setAtEnd(true);
    else if (!isThere && scrollTop < this.top) this.setAtEnd(false);
    this.top = scrollTop;
  }

  // To stay at the end costs a layout of all that has come: of many pieces in one frame it is done for the first and
  // the last.
  keepUp() {
    if (this.frame) {
      this.isBehind = true;
      return;
    }
    this.stay();
    this.isBehind = false;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      if (this.isBehind) this.keepUp();
    });
  }

  stay() {
    this.look(); // more may have come before the event that tells
    if (!this.isAtEnd) return;
    this.pre.scrollTop = this.pre.scrollHeight;
    this.top = this.pre.scrollTop;
  }

  setAtEnd(isAtEnd) {
    this.isAtEnd = isAtEnd;
    this.tool("follow")?.setAttribute("aria-pressed", isAtEnd);
  }

  setWrap(isWrapped) {
    this.card.classList.toggle("long", !isWrapped);
    this.tool("wrap").setAttribute("aria-pressed", isWrapped);
    this.stay();
  }

  changed() {
    clearTimeout(this.timer);
    this.timer = 0;
    // What was written over is hidden by the style sheet; here it goes.
    for (const again of this.pre.querySelectorAll(".again")) {
      while (again.previousSibling) again.previousSibling.remove();
    }
    const text = this.pre.textContent;
    let count = text.split("\n").length - (text.endsWith("\n") || !text);
    const noun = count === 1 ? "line" : "lines";
    const words = this.filter.value.toLowerCase();
    if (words) {
      const lines = linesOf(this.pre).filter((line) => line.map((node) => node.textContent).join("").toLowerCase().includes(words));
      this.found ??= make("pre", { class: "output", tabindex: 0, role: "region", "aria-label": "Lines that match" });
      this.found.replaceChildren(...lines.flatMap((line) => [...line.map((node) => node.cloneNode(true)), "\n"]));
      this.pre.after(this.found);
      count = `${lines.length.toLocaleString("en")} of ${count.toLocaleString("en")}`;
    } else this.found?.remove();
    this.pre.hidden = Boolean(words);
    this.tools.querySelector(".lines").textContent = `${count.toLocaleString("en")} ${noun}`;
  }

  equipViews() {
    const views = this.card.querySelector(".views");
    if (!views) return;
    this.tools.prepend(views);
    const tabs = [...views.children];
    const show = (chosen) => {
      this.card.dataset.view = chosen.hash.slice(1);
      for (const tab of tabs) {
        tab.setAttribute("aria-selected", tab === chosen);
        tab.tabIndex = tab === chosen ? 0 : -1;
      }
      this.stay();
    };
    views.setAttribute("role", "tablist");
    tabs.forEach((tab, index) => {
      tab.setAttribute("role", "tab");
      tab.addEventListener("click", (event) => {
        event.preventDefault();
        show(tab);
        kept.set("view", tab.hash);
      });
      tab.addEventListener("keydown", ({ key }) => {
        if (key !== "ArrowLeft" && key !== "ArrowRight") return;
        const next = tabs.at((index + (key === "ArrowLeft" ? -1 : 1)) % tabs.length);
        next.focus();
        next.click();
      });
    });
    show(tabs.find((tab) => tab.hash === (location.hash || kept.get("view"))) ?? tabs[0]);
  }

  // The tools

  wrap(tool) {
    const isWrapped = tool.getAttribute("aria-pressed") !== "true";
    kept.set("wrap", isWrapped ? "yes" : "no");
    this.setWrap(isWrapped);
  }

  follow() {
    this.look(); // a scroll that nobody was told of yet came before the click
    this.setAtEnd(!this.isAtEnd);
    this.stay();
  }

  end(tool, event) {
    event.preventDefault();
    this.look();
    this.setAtEnd(true);
    this.stay();
    this.pre.scrollIntoView({ block: "end" });
    this.pre.focus({ preventScroll: true });
  }

  more(tool) {
    tool.setAttribute("aria-expanded", this.tools.classList.toggle("open"));
  }

  async copy(tool) {
    try {
      await navigator.clipboard.writeText(this.pre.textContent);
    } catch { // no permission, or no TLS
      getSelection().selectAllChildren(this.pre);
      document.execCommand("copy");
    }
    tool.textContent = "Copied";
    await seconds(1.5);
    tool.textContent = "Copy";
  }

  save() {
    const file = new Blob([this.pre.textContent], { type: "text/plain" });
    const time = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
    const link = make("a", { href: URL.createObjectURL(file), download: `${this.card.dataset.said}-${time}.txt` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }
}

// Lines as lists of nodes: no element holds a line break.
function linesOf(pre) {
  const lines = [[]];
  for (const node of pre.childNodes) {
    if (node.nodeType !== Node.TEXT_NODE) lines.at(-1).push(node);
    else {
      node.data.split("\n").forEach((text, index) => {
        if (index) lines.push([]);
        if (text) lines.at(-1).push(new Text(text));
      });
    }
  }
  return lines;
}

function equipOutput(root) {
  for (const card of root.querySelectorAll(".said")) {
    if (!cards.has(card) && card.querySelector(".output")) cards.set(card, new OutputCard(card));
  }
}

function finishOutput(root) {
  equipOutput(root);
  for (const card of root.querySelectorAll(".said")) cards.get(card)?.finish();
}

// Whoever reads is not moved when the server has drawn the same anew.
function takeOverOutput(old, fresh, top) {
  const was = cards.get(old.querySelector(".said"));
  const is = cards.get(fresh.querySelector(".said"));
  if (!was || !is) return;
  is.filter.value = was.filter.value;
  is.isAtEnd = was.isAtEnd;
  is.changed();
  if (!was.isAtEnd) is.pre.scrollTop = top;
}

// Returns what takes output in pieces, as a page comes: a line may end in a later one. An unfinished line is not forgotten
// if the page goes on; else it begins anew.
function writer(pre, goesOn) {
  const page = document.implementation.createHTMLDocument();
  const last = pre.lastChild;
  page.write("<pre>");
  const made = page.querySelector("pre");
  if (!goesOn) pre.replaceChildren();
  else if (last?.className) {
    page.write(`<span class="${last.className}">`);
    made.firstChild.append(...last.childNodes);
    last.replaceWith(made.firstChild);
  }
  return (text) => {
    page.write(text);
    pre.append(...made.childNodes);
  };
}

whileComing.push(() => equipOutput(document));

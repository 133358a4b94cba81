// What pages do beside being read: commands run in place, their output comes as it is made, data is drawn and kept up
// to date, cards are searched, what runs follows a form while somebody types. Every page works without.

import { Output, Problem, button, eventsOf, followEnd, headersOf, make, problemOf, seconds } from "./base.js";

const STOP_HEADER = "Cmdserver-Stop";
const POINTS = 60; // of a plot
const PERIOD_SECONDS = 5; // between runs of a command that is watched
const RETRIES = 5; // when a connection breaks
const LOW = 80, HIGH = 90; // as in drawing.py
const LONG_FACT = 24;
const LEAVING = { end: "Ends if you leave this page", continue: "Goes on if you leave this page" };

// Ends a run at once: the server would wait for a reader who is only gone to come back.
function stopRun(path, method, id) {
  const headers = { ...headersOf(method), "Last-Event-ID": id, [STOP_HEADER]: "yes" };
  fetch(path, { method, headers }).catch(() => {}); // it ends by itself a little later
}

// Runs a command; yields its events. Goes on where it was when the connection breaks, as long as the server knows of it.
async function* runOf(path, method, signal) {
  const headers = headersOf(method);
  let isOver = false;
  for (let tries = 0; tries <= RETRIES; tries += 1) {
    try {
      const response = await fetch(path, { method, headers, signal, cache: "no-store" });
      if (response.status === 204) break;
      if (!response.ok) throw await problemOf(response);
      for await (const event of eventsOf(response.body)) {
        headers["Last-Event-ID"] = event.id;
        yield { id: event.id, kind: event.event, data: JSON.parse(event.data) };
        isOver ||= event.event === "outcome" || event.event === "failure";
        tries = 0;
      }
      if (isOver) return;
    } catch (error) {
      if (isOver) return;
      if (error.name === "AbortError" || error instanceof Problem) throw error;
    }
    if (!headers["Last-Event-ID"]) break; // to ask again would be to run it again
    await seconds(1);
  }
  throw new Problem({ message: "the server cannot be reached" });
}

// What data looks like: as drawing.py draws it, with plots of what it was before

function draw(parts, history) {
  return parts.map((part, index) => (part.facts ? drawFacts(part, index, history) : drawTable(part, index, history)));
}

function drawFacts({ facts }, index, history) {
  return make("dl", { class: "facts" }, ...facts.map(([name, kind, text, number]) => {
    const plotted = number === null ? null : plot(name, noted(history, `${index} ${name}`, number), kind);
    const value = make("dd", {}, valueOf(name, kind, text, number, null));
    return make("div", { class: text.length > LONG_FACT ? "long" : null }, make("dt", {}, name), value, plotted);
  }));
}

function drawTable({ caption, columns, rows, omitted }, index, history) {
  const head = columns.map(([name, kind]) => make("th", { scope: "col", class: classOf(kind) }, name));
  const body = rows.map((row) => drawRow(columns, row, index, history));
  const table = make("table", {}, caption === null ? null : make("caption", {}, caption),
    make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...body));
  const frame = make("div", { class: "table", tabindex: 0, role: "region", "aria-label": caption ?? "Table" }, table);
  return omitted === null ? frame : make("div", {}, frame, make("p", { class: "more" }, omitted));
}

function drawRow(columns, row, index, history) {
  const id = row.filter(([, number]) => number === null).map(([text]) => text).join("\0");
  return make("tr", {}, ...row.map(([text, number], column) => {
    const [name, kind] = columns[column];
    const content = valueOf(name, kind, text, number, column ? row[0][0] : null);
    if (classOf(kind) === "bar" && number !== null) {
      const plotted = plot(name, noted(history, `${index} ${id} ${name}`, number), kind);
      if (plotted) content.append(plotted);
    }
    return make(column ? "td" : "th", { scope: column ? null : "row", class: classOf(kind) }, content);
  }));
}

function classOf(kind) {
  return { number: "number", long: "long", percent: "bar", full: "bar" }[kind] ?? null;
}

function valueOf(name, kind, text, number, rowName) {
  if (classOf(kind) !== "bar" || number === null) return text;
  const limits = kind === "full" ? { low: LOW, high: HIGH, optimum: 0 } : {};
  const label = rowName === null ? name : `${name} of ${rowName}`;
  const value = Math.min(100, Math.max(0, number));
  const meter = make("meter", { min: 0, max: 100, ...limits, value, "aria-label": label }, text);
  return make("span", {}, meter, make("span", {}, text));
}

function noted(history, key, number) {
  const points = history.get(key) ?? [];
  points.push(number);
  if (points.length > POINTS) points.shift();
  history.set(key, points);
  return points;
}

function plot(name, points, kind) {
  if (points.length < 2) return null;
  const [low, high] = classOf(kind) === "bar" ? [0, Math.max(100, ...points)] : scaleOf(points);
  const at = (point, index) => `${index},${(19 - (18 * (point - low)) / (high - low)).toFixed(2)}`;
  const line = points.map(at).join(" ");
  const shape = (tag, attributes) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };
  const label = `${name}: ${points.length} values, from ${Math.min(...points)} to ${Math.max(...points)}`;
  const svg = shape("svg", {
    class: "plot", viewBox: `0 0 ${points.length - 1} 20`, preserveAspectRatio: "none", role: "img", "aria-label": label,
  });
  svg.append(shape("polygon", {
    points: `0,20 ${line} ${points.length - 1},20`, fill: "currentColor", "fill-opacity": 0.14,
  }), shape("polyline", {
    points: line, fill: "none", stroke: "currentColor", "stroke-width": 1.75,
    "stroke-linejoin": "round", "vector-effect": "non-scaling-stroke",
  }));
  return svg;
}

// From the lowest to the highest; but what hardly changes is to look so.
function scaleOf(points) {
  const low = Math.min(...points);
  const high = Math.max(...points);
  const margin = Math.max(0, (Math.max(Math.abs(low), Math.abs(high)) * 0.2 || 1) - (high - low)) / 2;
  return [low - margin, high + margin];
}

// A panel: one command, how its last run ended, what can be done. What is asked for values, or for a yes, has no path
// here: its form is sent by the browser.

class Panel {
  constructor(section) {
    const { name, path, method, leaving, kept } = section.dataset;
    Object.assign(this, { section, name, path, method, kept, history: new Map(), controller: null, timer: 0 });
    this.whenLeft = LEAVING[leaving] ?? null;
    for (const part of section.querySelectorAll(":scope > :is(.running, .stops)")) part.remove();
    this.outcome = this.part("p", "outcome") ?? make("p", { class: "outcome" });
    this.outcome.setAttribute("role", "status");
    this.actions = this.part("form", "actions") ?? (path === undefined ? make("div", { class: "actions" })
      : make("form", { class: "actions" }, make("button", { class: "primary" }, "Run")));
    this.picture = this.part("div", "picture") ?? make("div", { class: "picture", hidden: true });
    this.pre = this.part("pre", "output")
      ?? make("pre", { class: "output", tabindex: 0, role: "region", "aria-label": `Output of ${name}`, hidden: true });
    this.output = new Output(this.pre);
    section.append(this.outcome, this.actions, this.picture, this.pre);
    this.equip();
  }

  part(tag, name) {
    return this.section.querySelector(`:scope > ${tag}.${name}`);
  }

  equip() {
    this.runner = this.path === undefined ? null : this.actions.querySelector("button");
    this.colour = this.runner?.className;
    this.actions.addEventListener("submit", (event) => {
      if (!this.runner) return;
      event.preventDefault();
      if (this.controller) this.stop();
      else this.run();
    });
    this.copier = button("Copy", () => this.copy());
    this.saver = button("Download", () => this.save());
    this.tools = [this.copier, this.saver];
    this.watch = make("input", { type: "checkbox" });
    this.watch.addEventListener("change", () => this.watched());
    if (this.runner && this.method === "GET") this.tools.unshift(make("label", {}, this.watch, `Every ${PERIOD_SECONDS} s`));
    this.actions.prepend(...this.tools);
    for (const tool of this.tools) tool.hidden = this.pre.hidden;
    this.leaving = new AbortController();
    document.addEventListener("visibilitychange", () => this.watched(), { signal: this.leaving.signal });
  }

  async run() {
    clearTimeout(this.timer);
    const controller = new AbortController();
    this.controller = controller;
    this.began();
    let wait = 0;
    try {
      for await (const { id, kind, data } of runOf(this.path, this.method, controller.signal)) {
        if (!this.lastId && this.runLink(id)) this.outcome.append(this.runLink(id));
        this.lastId = id;
        this.take(kind, data);
      }
    } catch (error) {
      wait = error.wait ?? 0;
      if ([401, 403, 404].includes(error.status)) this.watch.checked = false;
      if (this.controller === controller) this.failed(error);
    }
    if (this.controller !== controller) return;
    this.controller = null;
    this.lastId = null;
    this.ended(wait);
  }

  stop() {
    this.watch.checked = false;
    this.controller?.abort();
    if (this.lastId) stopRun(this.path, this.method, this.lastId);
  }

  close() {
    this.stop();
    this.leaving.abort();
    this.controller = null;
    clearTimeout(this.timer);
  }

  began() {
    this.isFresh = false;
    this.drawn = [];
    this.section.classList.add("busy");
    if (this.watch.checked) { // what was there stays until there is something new
      this.offering = setTimeout(() => this.offer("Stop", "stop"), 1000);
      return;
    }
    this.offer("Stop", "stop");
    this.tell("busy", "Running…");
    const elapsed = make("span", { "aria-hidden": true });
    this.outcome.append(elapsed, make("span", {}, this.whenLeft));
    const since = performance.now(); // Date.now() jumps when somebody sets the clock
    this.ticking = setInterval(() => { elapsed.textContent = `${Math.round((performance.now() - since) / 1000)} s`; }, 1000);
    this.refresh();
    this.output.flush();
  }

  offer(text, kind) {
    clearTimeout(this.offering);
    if (!this.runner) return;
    this.runner.textContent = text;
    this.runner.className = kind;
  }

  refresh() {
    if (this.isFresh) return;
    this.isFresh = true;
    this.output.clear();
    this.pre.hidden = false;
    for (const tool of this.tools) tool.hidden = false;
  }

  take(kind, data) {
    if (kind === "stdout" || kind === "stderr") {
      this.refresh();
      this.output.add(data, kind === "stderr");
    } else if (kind === "gap") {
      this.output.add("\n[some output was lost on the way]\n", true);
    } else if (kind === "picture") {
      this.drawn = data;
    } else if (kind === "failure") {
      throw new Problem(data.error);
    } else if (kind === "outcome") {
      this.refresh();
      this.output.flush();
      this.show(data);
    }
  }

  show(answer) {
    const facts = [`took ${duration(answer.duration_seconds)}`, `at ${new Date().toLocaleTimeString()}`];
    if (answer.shared) facts.splice(1, 0, "shared with other callers");
    if (this.output.isCut) facts.push("the beginning of the output is not kept here");
    else if (this.output.isHidden) facts.push("the beginning of the output is not shown, but in the download");
    const problem = problemIn(answer);
    this.tell(problem ? "bad" : "good", problem ?? "exit status 0", ...facts);
    const link = this.runLink(this.lastId);
    if (link && (this.kept === "all" || (this.kept === "failed" && problem))) this.outcome.append(link);
    this.picture.replaceChildren(...draw(this.drawn, this.history));
    this.picture.hidden = !this.picture.hasChildNodes();
  }

  // To the run's page, if its reader may see it.
  runLink(id) {
    const runs = document.querySelector(".pages a:last-child");
    return this.kept && runs ? make("a", { href: `${runs.href}/${id.split(".")[0]}` }, "This run") : null;
  }

  failed(error) {
    if (error.name === "AbortError") {
      this.tell("", "Stopped");
    } else {
      this.tell("bad", error.message);
      if (error.status === 401) {
        const root = document.querySelector("a.brand"); // wherever a proxy has put it
        const here = encodeURIComponent(`/${location.pathname.slice(root.pathname.length)}`);
        this.outcome.append(make("a", { href: `${root.href}-/login?next=${here}` }, "Log in"));
      }
    }
  }

  ended(wait) {
    this.output.flush();
    clearInterval(this.ticking);
    this.section.classList.remove("busy");
    this.offer("Run again", this.colour);
    this.watched(wait);
  }

  tell(kind, text, ...facts) {
    this.outcome.className = `outcome ${kind}`;
    const spans = facts.map((fact) => make("span", {}, fact));
    this.outcome.replaceChildren(make("span", { class: "badge" }, text), ...spans);
  }

  // Runs it again after a while, if that is wanted and somebody may be looking. Nobody is told of each time aloud.
  watched(wait = 0) {
    clearTimeout(this.timer);
    this.outcome.setAttribute("aria-live", this.watch.checked ? "off" : "polite");
    if (this.watch.checked && !this.controller && !document.hidden) {
      this.timer = setTimeout(() => this.run(), Math.max(PERIOD_SECONDS, wait) * 1000);
    }
  }

  async copy() {
    try {
      await navigator.clipboard.writeText(this.output.text);
    } catch { // no permission, or no TLS
      getSelection().selectAllChildren(this.pre);
      document.execCommand("copy");
    }
    this.copier.textContent = "Copied";
    await seconds(1.5);
    this.copier.textContent = "Copy";
  }

  save() {
    const file = new Blob(this.output.kept, { type: "text/plain" });
    const time = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
    const link = make("a", { href: URL.createObjectURL(file), download: `${this.name}-${time}.txt` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }
}

function problemIn(answer) {
  if (answer.truncated) return `output truncated at ${(answer.stdout_bytes + answer.stderr_bytes).toLocaleString("en")} bytes`;
  if (answer.error) return answer.error.message;
  if (answer.signal) return `ended by ${answer.signal}`;
  return answer.exit_status ? `exit status ${answer.exit_status}` : null;
}

function duration(count) {
  if (count < 1) return `${Math.round(count * 1000)} ms`;
  return count < 60 ? `${count.toFixed(1)} s` : `${Math.floor(count / 60)} min ${Math.round(count % 60)} s`;
}

// The list of commands

function openHere(card, link) {
  const { name, leaving, kept = null } = card.dataset;
  const section = make("section", {
    class: "panel", "aria-label": name, "data-name": name, "data-path": link.getAttribute("href"), "data-method": "GET",
    "data-leaving": leaving, "data-kept": kept,
  });
  const panel = new Panel(section);
  panel.actions.append(button("Close", () => {
    panel.close();
    section.remove();
    card.classList.remove("open");
    link.focus();
  }));
  card.append(section);
  card.classList.add("open");
  panel.runner.focus();
  panel.run();
}

function search(cards, field, nothing) {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const card of cards) {
    const texts = [...card.querySelectorAll(".names, .help")].map((each) => each.textContent);
    const text = [card.dataset.name, ...texts].join(" ").toLowerCase();
    card.hidden = !words.every((word) => text.includes(word));
  }
  for (const section of document.querySelectorAll("[data-section]")) {
    section.hidden = !section.querySelector(".card:not([hidden])");
    section.open ||= words.length > 0;
  }
  nothing.hidden = cards.some((card) => !card.hidden);
}

function equipList() {
  const cards = [...document.querySelectorAll(".card")];
  for (const card of cards) {
    const link = card.querySelector("a[data-here]");
    link?.addEventListener("click", (event) => {
      if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
      event.preventDefault();
      openHere(card, link);
    });
  }
  const field = document.getElementById("search");
  if (!field) return;
  const nothing = document.querySelector("[data-nothing]");
  field.closest(".search").hidden = false;
  field.addEventListener("input", () => search(cards, field, nothing));
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") field.value = "";
    if (event.key === "Enter") cards.find((card) => !card.hidden)?.querySelector("a").focus();
    search(cards, field, nothing);
  });
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.closest("input, textarea, select");
    if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    field.focus();
  });
}

// Forms: what runs follows what is typed, as what_runs.py draws it

const LONGEST_ADDRESS = 4000;
const NEEDS_QUOTES = /[^\w@%+=:,./-]/;

// A field's values as they are given to the command, as far as the script can tell; null: it cannot.
function valuesIn(form, field) {
  const { name, kind, default: preset } = field.dataset;
  const typed = new FormData(form).getAll(name).filter(Boolean);
  const values = typed.length || preset === undefined ? typed : [preset];
  if (kind === "later") return null;
  return kind === "duration" ? values.map(inSeconds) : values;
}

function inSeconds(text) {
  const [whole, days, hours, minutes, count] = /^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?$/.exec(text) ?? [];
  if (!whole) return text;
  return String((days ?? 0) * 86400 + (hours ?? 0) * 3600 + (minutes ?? 0) * 60 + Number(count ?? 0));
}

function wordOf(text, isSet) {
  return make("span", { class: NEEDS_QUOTES.test(text) && isSet ? "word quoted" : "word" }, make("b", { class: isSet ? null : "unset" }, text));
}

function followForm(form, beside) {
  const fields = [...form.querySelectorAll("[data-name]")];
  const known = new Map(fields.map((field) => [field.dataset.name, valuesIn(form, field)]));
  const labels = new Map(fields.map((field) => [field.dataset.name, field.dataset.label]));
  for (const place of beside.querySelectorAll("[data-each]")) {
    const name = place.dataset.each;
    const values = known.get(name) ?? [];
    const words = values.length ? values.map((value) => wordOf(value, true)) : [wordOf(labels.get(name), false)];
    place.replaceChildren(...words.flatMap((word, index) => (index ? [" ", word] : [word])));
  }
  for (const place of beside.querySelectorAll("[data-value]")) {
    const values = known.get(place.dataset.value) ?? [];
    place.textContent = values.length ? values.join(" ") : labels.get(place.dataset.value);
    place.classList.toggle("unset", !values.length);
    place.closest(".word")?.classList.toggle("quoted", values.length > 0 && NEEDS_QUOTES.test(place.closest(".word").textContent));
  }
  for (const place of beside.querySelectorAll("[data-flag]")) {
    place.hidden = known.get(place.dataset.flag)?.[0] !== "true";
  }
  for (const place of beside.querySelectorAll("[data-needs]")) {
    const needed = place.dataset.needs.split(" ").map((name) => known.get(name));
    place.hidden = needed.some((values) => values !== null && (!values?.length || values[0] === "false"));
  }
  const address = beside.querySelector("[data-address]");
  if (!address) return;
  const given = fields.flatMap(({ dataset: { name } }) => new FormData(form).getAll(name).filter(Boolean).map((value) => [name, value]));
  address.href = `${form.getAttribute("action")}?${new URLSearchParams(given)}`;
  address.parentElement.hidden = !given.length || address.href.length > LONGEST_ADDRESS;
}

function equipForms() {
  for (const form of document.querySelectorAll("form[data-form]")) {
    const beside = form.closest(".columns").querySelector(".beside-form");
    form.addEventListener("input", () => followForm(form, beside));
    form.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    });
  }
  const cancel = document.querySelector("[data-cancel]");
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") cancel?.click();
  });
  for (const keys of document.querySelectorAll("[data-keys]")) keys.hidden = false;
}

// Every page

const THEMES = ["auto", "light", "dark"];

function keptTheme() {
  try {
    return THEMES.find((theme) => theme === localStorage.getItem("theme")) ?? "auto";
  } catch {
    return "auto"; // nothing may be kept here
  }
}

function applyTheme(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

function themeSwitcher() {
  let theme = keptTheme();
  const switcher = button("", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    try {
      localStorage.setItem("theme", theme);
    } catch { /* it holds for this page, then */ }
    show();
  }, { class: "theme" });
  const show = () => {
    applyTheme(theme);
    switcher.dataset.theme = theme;
    switcher.title = `Colours: ${theme}`;
    switcher.setAttribute("aria-label", switcher.title);
  };
  show();
  return switcher;
}

function equipTop() {
  if (document.querySelector(".theme")) return;
  document.title = document.title.replace(/cmdserver$/, location.host);
  document.querySelector(".brand").after(make("span", { class: "host" }, location.host));
  document.querySelector(".who").prepend(themeSwitcher());
}

// A page that is still coming is a run that is under way. Where there is no button of the page's own to end it, to stop
// loading may be to stop it: that is what its command says.
function equipComing(section, pre) {
  if (section.querySelector(".stops") || section.dataset.leaving !== "end") return;
  const stopper = button("Stop", () => {
    window.stop();
    stopper.parentElement.remove();
    equip();
    const panel = panels.get(section);
    panel.offer("Run again", panel.colour);
    panel.tell("", "Stopped");
  }, { class: "stop" });
  section.append(make("div", { class: "actions" }, stopper));
  document.addEventListener("DOMContentLoaded", () => stopper.parentElement?.remove());
}

const panels = new Map();
const watcher = new MutationObserver(() => coming());

function coming() {
  if (document.querySelector("main")) equipTop();
  const section = document.querySelector("section.panel");
  const pre = section?.querySelector("pre.output");
  if (!pre) return;
  watcher.disconnect();
  if (section.matches(".run")) return;
  equipComing(section, pre);
  const unfollow = followEnd(pre);
  document.addEventListener("DOMContentLoaded", unfollow);
}

// Once: a page that was stopped may or may not tell that it is there.
let isEquipped = false;

function equip() {
  if (isEquipped) return;
  isEquipped = true;
  watcher.disconnect();
  equipTop();
  equipList();
  equipForms();
  for (const section of document.querySelectorAll("section.panel:not(.run)")) panels.set(section, new Panel(section));
}

applyTheme(keptTheme());
if (document.readyState === "loading") {
  watcher.observe(document.documentElement, { childList: true, subtree: true });
  coming();
  document.addEventListener("DOMContentLoaded", equip);
} else {
  equip();
}

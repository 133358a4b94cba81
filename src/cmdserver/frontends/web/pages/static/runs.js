// Runs that change: their list, and what their pages share. Nothing is asked for again and again: the server tells.
//
// Its rows and pages are the one markup that a script takes from it: there, texts are escaped.

import { Problem, button, eventsOf, make, problemOf, seconds } from "./base.js";

const LONGEST_PAUSE = 30; // seconds between attempts to reach the server
const AWAY_SECONDS = 15; // a page that nobody sees for so long follows nothing
const MOST_ROWS = 1000;

// Seconds that are counted on

const since = new WeakMap();
const ticking = document.getElementsByClassName("ticks"); // alive itself, so that nobody looks through all rows

export function tick() {
  const now = performance.now() / 1000; // Date.now() jumps when somebody sets the clock
  for (const place of ticking) {
    if (!since.has(place)) since.set(place, now - Number(place.dataset.seconds));
    const text = whole(now - since.get(place));
    if (place.textContent !== text) place.textContent = text;
  }
}

// As run_marks.py says it.
function whole(count) {
  for (const [size, unit, smaller, part] of [[86400, "d", 3600, "h"], [3600, "h", 60, "min"], [60, "min", 1, "s"]]) {
    const rest = Math.floor((count % size) / smaller);
    if (count >= size) return `${Math.floor(count / size)} ${unit}${rest ? ` ${rest} ${part}` : ""}`;
  }
  return `${Math.floor(count)} s`;
}

// Following

const shown = () => new Promise((resolve) => {
  if (!document.hidden) resolve();
  else document.addEventListener("visibilitychange", resolve, { once: true });
});

// Tells what an event stream tells, until `take` returns true; goes on where it was when the connection breaks.
export async function follow(address, headers, take, stale = () => {}) {
  for (let pause = 1; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
    while (document.hidden) await shown();
    const leaving = new AbortController();
    const { signal } = leaving;
    let away = 0;
    document.addEventListener("visibilitychange", () => {
      clearTimeout(away);
      if (document.hidden) away = setTimeout(() => leaving.abort(), AWAY_SECONDS * 1000);
    }, { signal });
    try {
      const response = await fetch(address, { headers: { Accept: "text/event-stream", ...headers }, cache: "no-store", signal });
      if (!response.ok) throw await problemOf(response);
      for await (const { id, event, data } of eventsOf(response.body)) {
        pause = 1;
        if (id) headers["Last-Event-ID"] = id;
        if (await take(event, JSON.parse(data))) return;
      }
    } catch (error) {
      if (error instanceof Problem && [401, 403, 404].includes(error.status)) {
        stale(error.message);
        return;
      }
    } finally {
      clearTimeout(away);
      leaving.abort();
    }
    if (document.hidden) continue;
    if (pause > 1) stale("the server cannot be reached");
    await seconds(pause * (0.5 + Math.random()));
  }
}

// Of a page or rows that the server has made.
export const parsed = (text) => new DOMParser().parseFromString(text, "text/html");

export async function pageAt(address) {
  const response = await fetch(address, { headers: { Accept: "text/html" }, cache: "no-store" });
  if (!response.ok) throw await problemOf(response);
  return parsed(await response.text());
}

// What counts are of is alive: it runs, or waits.
export function count({ running, queued }) {
  const all = document.querySelector("[data-running]");
  all.textContent = `${running + queued} running`;
  all.hidden = !(running + queued);
  for (const place of document.querySelectorAll("[data-count]")) {
    const number = { running, queued }[place.dataset.count];
    place.textContent = number ? ` ${number}` : "";
  }
}

// The list: what is read does not move. Rows come in above only where somebody looks at the beginning.

class RunList {
  constructor(table) {
    this.table = table;
    this.only = table.dataset.only;
    this.address = new URL(table.dataset.runs, location.href);
    this.isOlder = this.address.searchParams.has("before");
    this.waiting = new Map(); // by id: rows that are not where they belong, and the groups where they do
    this.chip = button("", () => {
      scrollTo({ top: 0 });
      this.flush();
    }, { class: "new-runs" });
    this.note = make("p", { class: "note", role: "status" });
    this.learn();
    this.looked();
    addEventListener("scroll", () => this.looked(), { passive: true });
    follow(this.address, { "Cmdserver-Rows": "yes" }, (kind, data) => this.take(kind, data), (why) => {
      this.note.textContent = `This list is not up to date: ${why}.`;
      table.parentElement.before(this.note);
    });
  }

  learn() {
    this.rows = new Map([...this.table.querySelectorAll("[data-run]")].map((row) => [row.dataset.run, row]));
  }

  looked() {
    this.isAtTop = this.table.getBoundingClientRect().top >= 0;
    if (this.isAtTop) this.flush().catch(() => {}); // the next event tries it again
  }

  async take(kind, data) {
    if (kind === "alive") await this.began(new Set(data.ids));
    else if (kind === "gap") await this.catchUp();
    else if (kind === "count") count(data);
    else if (kind === "run") await this.change(data);
  }

  async began(ids) {
    this.note.remove();
    const known = [...this.group("now")?.rows ?? []].filter((row) => row.dataset.run);
    const isSame = this.isOlder || (known.length === ids.size && known.every((row) => ids.has(row.dataset.run)));
    if (this.hasBegun || !isSame) await this.catchUp();
    this.hasBegun = true;
  }

  // Shows the list as it is now; the first row that is read stays where it is.
  async catchUp() {
    const fresh = (await pageAt(location.href)).querySelector("table[data-runs]");
    const read = this.isAtTop ? null : [...this.rows.values()].find((row) => row.getBoundingClientRect().top >= 0);
    const top = read?.getBoundingClientRect().top;
    this.waiting.clear();
    this.table.replaceChildren(...fresh.children);
    this.learn();
    this.tell();
    tick();
    const again = this.rows.get(read?.dataset.run);
    if (again) scrollBy(0, again.getBoundingClientRect().top - top);
  }

  group(key) {
    return [...this.table.tBodies].find((body) => body.dataset.group === key);
  }

  async change({ id, matches, group, row }) {
    const old = this.rows.get(id);
    if (!matches) {
      old?.remove();
      this.rows.delete(id);
      this.waiting.delete(id);
    } else if (old || !(this.isOlder || (this.only && group !== this.only))) {
      const made = this.rowOf(row);
      this.rows.set(id, made);
      if (old) exchange(old, made);
      if (!old || (!this.only && made.parentElement?.dataset.group !== group)) this.waiting.set(id, [made, group]);
      if (this.isAtTop) await this.flush();
      tick();
    }
    this.tell();
  }

  // Its links are of the address of the stream.
  rowOf(text) {
    const body = parsed(`<table>${text}</table>`).querySelector("tbody");
    for (const link of body.querySelectorAll("a")) link.href = new URL(link.getAttribute("href"), this.address);
    for (const form of body.querySelectorAll("form")) form.action = new URL(form.getAttribute("action"), this.address);
    return document.adoptNode(body.firstElementChild); // out of the other document, where it is connected
  }

  async flush() {
    for (const [id, [made, group]] of this.waiting) {
      this.waiting.delete(id);
      const body = this.group(group);
      if (body) place(made, body);
      else if (!this.isOlder) await this.catchUp(); // a new day
    }
    this.trim();
    this.tell();
  }

  trim() {
    const most = Math.max(MOST_ROWS, Number(this.table.dataset.most));
    if (this.rows.size <= most || this.only) return;
    const rows = [...this.table.querySelectorAll("[data-run]")];
    for (const row of rows.splice(most)) {
      row.remove();
      this.rows.delete(row.dataset.run);
    }
    const older = document.querySelector("[data-older]");
    const link = older.querySelector("a");
    const address = new URL(link.href);
    address.searchParams.set("before", rows.pop().dataset.run);
    link.href = address;
    older.hidden = false;
  }

  tell() {
    for (const body of this.table.tBodies) body.hidden = !body.querySelector("[data-run]");
    const frame = this.table.parentElement;
    frame.hidden = !this.rows.size;
    (document.querySelector(".empty[data-empty]") ?? frame.closest(".running-now")).hidden = this.only ? frame.hidden : !frame.hidden;
    const fresh = [...this.waiting.values()].filter(([made]) => !made.isConnected).length;
    this.chip.textContent = fresh === 1 ? "1 new run" : `${fresh} new runs`;
    if (!fresh) this.chip.remove();
    else if (!this.chip.isConnected) frame.before(this.chip);
  }
}

// The newest comes first.
function place(made, body) {
  const number = Number(made.dataset.number);
  const next = [...body.rows].find((row) => row !== made && row.dataset.run && Number(row.dataset.number) < number);
  body.insertBefore(made, next ?? null);
}

function exchange(old, made) {
  const hadFocus = old.contains(document.activeElement);
  if (old.isConnected) old.replaceWith(made);
  if (hadFocus) made.querySelector("a").focus();
}

// What ends a run, without leaving the page

async function stop(form) {
  const stopper = form.querySelector("button");
  if (stopper.ariaDisabled) return;
  stopper.ariaDisabled = "true";
  const label = stopper.firstChild;
  label.data = "Stopping…";
  try {
    const response = await fetch(form.action, {
      method: "POST", body: new URLSearchParams(new FormData(form)), headers: { Accept: "application/json" },
    });
    if (!response.ok) throw await problemOf(response);
  } catch (error) {
    label.data = "Stop";
    stopper.ariaDisabled = null;
    document.querySelector("h1").after(make("p", { class: "complaint", role: "alert" }, `It was not stopped: ${error.message}`));
  }
}

document.addEventListener("submit", (event) => {
  if (!event.target.matches("form.stops")) return;
  event.preventDefault();
  stop(event.target);
});

// A page of one run may still be coming.
const watcher = new MutationObserver(() => equip());

function equip() {
  const section = document.querySelector("section[data-watch]");
  if (document.readyState === "loading" && !section?.querySelector("pre")) return;
  watcher.disconnect();
  document.removeEventListener("DOMContentLoaded", equip);
  const table = document.querySelector("table[data-runs]");
  if (table) new RunList(table);
  const narrow = document.querySelector("form.narrow");
  narrow?.addEventListener("change", (event) => { if (event.target.matches("select")) narrow.requestSubmit(); });
  if (section) import("./run.js").then(({ watchRun }) => watchRun(section));
  tick();
  setInterval(tick, 1000);
}

watcher.observe(document, { childList: true, subtree: true });
document.addEventListener("DOMContentLoaded", equip);
equip();

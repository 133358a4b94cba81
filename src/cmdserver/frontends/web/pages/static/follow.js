// Runs that change, on every page: their seconds, what the server tells of them, how many there are, how one is ended.
//
// Its rows and pages are the one markup that a script takes from it: there, texts are escaped.

const RETRY_SECONDS = 3;
const AWAY_SECONDS = 15; // a page that nobody sees for so long follows nothing

// Seconds that are counted on

const since = new WeakMap();
const ticking = document.getElementsByClassName("ticks"); // alive itself, so that nobody looks through all rows

function tick() {
  const now = performance.now() / 1000; // Date.now() jumps when somebody sets the clock
  for (const place of ticking) {
    if (!since.has(place)) since.set(place, now - Number(place.dataset.seconds));
    const passed = now - since.get(place);
    const text = whole(passed);
    if (place.textContent !== text) place.textContent = text;
    const bar = place.closest(".state")?.querySelector("progress");
    if (!bar) continue;
    bar.value = passed;
    const usual = place.closest(".why").lastElementChild;
    if (passed > bar.max) usual.textContent = usual.textContent.replace(/^ of usually (.*)/, " longer than usual ($1)");
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

// Following, by the one connection of all pages; see hub.js

const followed = new Map(); // by number
let port = null;
let away = 0;
let isAway = false;

// Tells what an event stream tells, until `take` returns true. `want` is a part of /-/events, and follows how far it is;
// of `kinds` of events, if only these are wanted, all pages hear alike.
function follow(want, take, stale = () => {}, kinds = undefined) {
  const one = { n: followed.size + Math.random(), want, take, stale, kinds, told: Promise.resolve() };
  followed.set(one.n, one);
  if (port) ask(one);
  else connect();
}

// What is asked for by its page ends without it, and is never let go.
const isLent = ({ want }) => !want.startsWith("asked=");

function ask(one) {
  if (!isAway || !isLent(one)) port.postMessage({ n: one.n, want: one.want, kinds: one.kinds, user: document.body.dataset.user });
}

function unfollow(one) {
  followed.delete(one.n);
  port.postMessage({ n: one.n });
}

function hear({ data: { n, id, event, data, why } }) {
  const one = followed.get(n);
  if (!one) return;
  if (why) {
    one.stale(why);
    return;
  }
  if (id) one.want = one.want.replace(/=.*/, `=${id}`);
  one.told = one.told.then(async () => {
    if (followed.has(n) && await one.take(event, JSON.parse(data))) unfollow(one);
  }).catch(async () => { // the page could not be fetched, say: from the beginning, then
    if (!isLent(one)) return;
    port.postMessage({ n });
    await seconds(RETRY_SECONDS);
    if (followed.has(n)) ask(one);
  });
}

function use(given) {
  port = given;
  port.onmessage = hear;
  for (const one of followed.values()) ask(one);
  const lock = `cmdserver ${Math.random()}`;
  navigator.locks?.request(lock, () => {
    given.postMessage({ lock });
    return new Promise(() => {});
  });
}

function connect() {
  const address = new URL(document.body.dataset.hub, location.href);
  const alone = async () => {
    await import(address);
    const { port1, port2 } = new MessageChannel();
    onconnect({ ports: [port2] });
    use(port1);
  };
  try {
    const worker = new SharedWorker(address, { type: "module" });
    worker.onerror = alone;
    use(worker.port);
  } catch {
    alone();
  }
  addEventListener("pagehide", () => port.postMessage({}));
  addEventListener("pageshow", ({ persisted }) => { if (persisted) followed.forEach(ask); });
  document.addEventListener("visibilitychange", () => {
    clearTimeout(away);
    const lent = [...followed.values()].filter(isLent);
    if (document.hidden) {
      away = setTimeout(() => {
        isAway = true;
        for (const { n } of lent) port.postMessage({ n });
      }, AWAY_SECONDS * 1000);
    } else if (isAway) {
      isAway = false;
      lent.forEach(ask);
    }
  });
}

// Of a page or rows that the server has made.
const parsed = (text) => new DOMParser().parseFromString(text, "text/html");

async function pageAt(address) {
  const response = await fetch(address, { headers: { Accept: "text/html" }, cache: "no-store" });
  if (!response.ok) throw await problemOf(response);
  return parsed(await response.text());
}

// Its links are as from the address of the event stream.
function drawn(text, root = document.querySelector("a.brand").href) {
  const { body } = parsed(text);
  const address = new URL("-/events", root);
  for (const link of body.querySelectorAll("a")) link.href = new URL(link.getAttribute("href"), address);
  for (const form of body.querySelectorAll("form")) form.action = new URL(form.getAttribute("action"), address);
  return document.adoptNode(body); // out of the other document, where it is connected
}

// On every page of somebody who may see runs; on the list of commands also what was last.
function followCount() {
  if (!document.querySelector("[data-running]") || document.querySelector("table[data-runs]")) return;
  const newest = new Map();
  follow("runs=", (kind, data) => {
    if (kind === "count") count(data);
    if (kind !== "run" || newest.get(data.command) > data.number) return;
    newest.set(data.command, data.number);
    document.querySelector(`[data-last="${CSS.escape(data.command)}"]`)?.replaceWith(drawn(data.last).firstChild);
  }, undefined, document.querySelector("[data-last]") ? undefined : ["count"]);
}

// In the header what runs now, as the server draws it there; what waits stands in the list.
function count({ running, queued }) {
  const all = document.querySelector("[data-running]");
  all.textContent = `${running} running`;
  all.hidden = !running;
  for (const place of document.querySelectorAll("[data-count]")) {
    const number = { running, queued }[place.dataset.count];
    place.textContent = number ? ` ${number}` : "";
  }
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

atStart.push(followCount);

// The page of a run, which comes as long as the run is alive; and runs that are asked for again and again.

const PERIODS = [["off", 0], ["every 5 s", 5], ["every 30 s", 30], ["every 5 min", 300]];

function watchRun(section) {
  askBeforeLeaving(section);
  const end = () => {
    if (isOver(section)) over(section);
    else if (section.dataset.follow ?? section.dataset.watch) resume(section);
    else {
      lost(section, "the connection broke off");
      finishOutput(section);
    }
  };
  if (document.readyState === "loading") document.addEventListener("readystatechange", end, { once: true });
  else end();
}

const isOver = (section) => section.querySelector(":scope > .complaint")
  || !section.querySelector(":scope > .state:not(:has(~ .state)) .mark:is(.running, .queued)");

// Where nobody else may end a run, whoever has asked for it does so by its id.
function askBeforeLeaving(section) {
  const { ends, follow: want } = section.dataset;
  if (!ends || isOver(section)) return;
  if (want && !section.querySelector(".stops")) {
    const stopper = button("Stop", () => {
      const headers = { Accept: "text/event-stream", "Last-Event-ID": `${want.split(/[=.]/)[1]}.0`, "Cmdserver-Stop": "yes" };
      fetch(location.pathname, { headers });
    }, { class: "stop" });
    section.querySelector(".what").after(make("div", { class: "acts" }, stopper));
  }
  if (ends !== "changes") return;
  addEventListener("beforeunload", (event) => { if (!isOver(section)) event.preventDefault(); });
}

let titled = null; // what stands in the title: at first the sign that the page began with

function signTitle(section) {
  const marks = section.querySelectorAll(".what .mark");
  if (!marks.length) return;
  titled ??= marks[0].dataset.sign;
  const { sign } = marks[marks.length - 1].dataset;
  document.title = document.title.replace(titled, sign);
  titled = sign;
}

function over(section) {
  signTitle(section);
  const hidden = section.querySelector(".state:has(~ .state)");
  const state = [...section.querySelectorAll(":scope > .state")].pop();
  if (hidden?.contains(document.activeElement)) state.querySelector(".acts :is(a, button)")?.focus();
  finishOutput(section);
  equipRefresh(section);
}

function lost(section, why) {
  section.querySelector(":scope > .complaint")?.remove();
  section.prepend(make("p", { class: "complaint", role: "alert" }, `The rest cannot be shown: ${why}.`));
}

// The page is complete before its run is over, or has broken off; then its output comes again.
function resume(section) {
  const { follow: want, watch } = section.dataset;
  let write = null;
  const hasOutput = section.querySelector(".output");
  follow(want ?? `run=${watch}${hasOutput ? ".0" : ""}`, (kind, data) => {
    section.querySelector(":scope > .complaint")?.remove();
    if (kind === "drawn") draw(section, data);
    if (kind === "html") {
      write ??= writer(section.querySelector(".output"), want);
      write(data);
    }
    if (kind !== "outcome" && kind !== "failure") return false;
    if (kind === "failure") lost(section, data.error.message);
    over(section);
    return true;
  }, (why) => lost(section, why));
}

// Adds what the server has drawn: of several states the last one is shown.
function draw(section, text) {
  for (const each of [...drawn(text).children]) {
    const said = section.querySelector(".said");
    if (!each.className) said?.append(...each.childNodes);
    else if (!said || !each.matches(".said")) section.append(each);
  }
  equipOutput(section);
  signTitle(section);
}

// Puts what the server has drawn in the place of what was; whoever reads is not moved.
function exchangeRun(section, page) {
  const fresh = page.querySelector("section.run-page");
  if (!fresh) throw new Error("there is another page now");
  const had = section.contains(document.activeElement) ? document.activeElement.dataset.keep : null;
  const top = section.querySelector(".output")?.scrollTop;
  section.replaceWith(document.adoptNode(fresh));
  over(fresh);
  takeOverOutput(section, fresh, top);
  if (had) fresh.querySelector(`[data-keep="${had}"]`)?.focus();
  return fresh;
}

// What only reads can be asked for again and again: the page is fetched anew, as its reader would.

let period = 0;
let turn = 0;

function equipRefresh(section) {
  const again = section.querySelector(".acts form[data-again]");
  if (!again || section.querySelector("[data-keep=refresh]")) return;
  const options = PERIODS.map(([name, seconds]) => make("option", { value: seconds, selected: seconds === period }, `Refresh: ${name}`));
  const select = make("select", { "aria-label": "Refresh", "data-keep": "refresh" }, ...options);
  select.addEventListener("change", () => {
    period = Number(select.value);
    plan(section);
  });
  again.before(select);
  plan(section);
}

function plan(section) {
  clearTimeout(turn);
  if (period) turn = setTimeout(() => refresh(section), period * 1000);
}

async function refresh(section) {
  if (document.hidden) {
    document.addEventListener("visibilitychange", () => plan(section), { once: true });
    return;
  }
  try {
    exchangeRun(section, await pageAt(location.href));
  } catch (error) {
    section.classList.add("stale");
    section.querySelector(":scope > .complaint")?.remove();
    const said = make("p", { class: "complaint", role: "alert" }, `What is shown here is old: ${error.message}. `);
    if (error.status === 401) {
      const root = document.querySelector("a.brand").href;
      const here = location.href.slice(root.length - 1);
      said.append(make("a", { href: `${root}-/login?next=${encodeURIComponent(here)}` }, "Log in again"));
      period = 0;
    }
    section.before(said);
    document.querySelectorAll("main > .complaint").forEach((each) => each !== said && each.remove());
    if (period) turn = setTimeout(() => refresh(section), Math.max(period, error.wait ?? 0) * 1000);
  }
}

whileComing.push(() => {
  const section = document.querySelector("section.run-page");
  if (section?.querySelector(":scope > .state")) once(section, watchRun);
});

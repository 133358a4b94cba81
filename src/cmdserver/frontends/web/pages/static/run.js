// The page of one run, which comes as long as the run is alive.

import { Output, followEnd, make } from "./base.js";
import { count, follow, pageAt, parsed, tick } from "./runs.js";

export function watchRun(section) {
  const pre = section.querySelector("pre.output");
  const unfollow = followEnd(pre);
  follow(new URL(section.dataset.runs, location.href), { "Cmdserver-Rows": "yes" }, (kind, data) => {
    if (kind === "count") count(data);
    if (kind !== "run" || data.id !== section.dataset.watch || section.querySelector(".ended")) return;
    const holder = parsed(`<table>${data.row}</table>`);
    if (holder.querySelector(".ticks")) { // what comes at the end is in the page
      const [mark, took] = section.querySelectorAll(".state .mark, .state .ticks");
      mark.replaceWith(holder.querySelector(".mark"));
      took.replaceWith(holder.querySelector(".ticks"));
      signTitle(section);
      tick();
    }
  });
  const end = () => {
    unfollow();
    if (section.querySelector(".ended, .complaint")) over(section);
    else resume(section, pre).catch((error) => lost(section, error.message));
  };
  // A page that was stopped is complete, and does not tell that it is there.
  if (document.readyState === "loading") document.addEventListener("readystatechange", end, { once: true });
  else end();
}

function signTitle(section) {
  const { sign } = [...section.querySelectorAll(".mark")].pop().dataset;
  document.title = document.title.replace(/^\S+/, sign);
}

function over(section) {
  signTitle(section);
  const stopper = section.querySelector(".stops .stop");
  if (stopper && stopper === document.activeElement) section.querySelector(".actions :is(a, button)")?.focus();
}

function lost(section, why) {
  section.querySelector(".complaint")?.remove();
  section.append(make("p", { class: "complaint", role: "alert" }, `The rest cannot be shown: ${why}.`));
}

// The page has broken off: its output comes again, by a stream that can be resumed, and at last its end.
async function resume(section, pre) {
  const output = new Output(pre);
  output.clear();
  await follow(location.href, {}, async (kind, data) => {
    if (kind === "stdout" || kind === "stderr") output.add(data, kind === "stderr");
    else if (kind === "gap") output.add(`\n[${data.toLocaleString("en")} bytes are missing here]\n`, true);
    return kind === "outcome" || kind === "failure";
  }, (why) => lost(section, why));
  output.flush();
  const fresh = (await pageAt(location.href)).querySelector("section.run");
  for (const child of [...section.children]) if (child !== pre) child.remove();
  const children = [...fresh.children];
  const at = children.findIndex((child) => child.matches("pre.output"));
  pre.before(...children.slice(0, at));
  pre.after(...children.slice(at + 1));
  over(section);
}

// The list of commands: what is typed into the search narrows it, and stays in the address; folded sections stay folded.

function equipCommands() {
  const field = document.getElementById("search");
  if (!field) return;
  const items = [...document.querySelectorAll("[data-find]")];
  const nothing = document.querySelector("[data-nothing]");
  // A list that the server has narrowed lacks what does not match.
  const isWhole = !field.defaultValue;
  const search = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const item of items) {
      const text = `${item.dataset.find} ${item.querySelector("a, .names").textContent} ${item.querySelector(".help")?.textContent ?? ""}`;
      item.hidden = !words.every((word) => text.toLowerCase().includes(word));
    }
    for (const section of document.querySelectorAll(".section")) {
      section.hidden = !section.querySelector("[data-find]:not([hidden])");
      if (words.length) section.open = true;
      else if (section.dataset.section) section.open = !folded().includes(section.dataset.section);
    }
    nothing.hidden = items.some((item) => !item.hidden);
    const address = new URL(location.href);
    if (field.value) address.searchParams.set("q", field.value);
    else address.searchParams.delete("q");
    history.replaceState(history.state, "", address);
  };
  field.addEventListener("input", () => {
    if (isWhole) search();
    else if (!field.value) location.assign(location.pathname);
  });
  if (isWhole && field.value) search();
  field.addEventListener("keydown", (event) => walk(event, field, items));
  document.addEventListener("keydown", (event) => {
    const item = event.target.closest?.("[data-find]");
    if (item) walk(event, field, items, item);
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, textarea, select")) return;
    event.preventDefault();
    field.select();
  });
  document.querySelector(".search form").addEventListener("submit", (event) => {
    const found = items.filter((item) => !item.hidden);
    if (!isWhole) return;
    event.preventDefault();
    if (found.length === 1) open(found[0]);
  });
  equipFolds();
}

// To its page, where what changes something is asked about.
function open(item) {
  location.assign(item.querySelector("a").href);
}

function walk(event, field, items, item = null) {
  const shown = items.filter((each) => each.offsetParent);
  const at = shown.indexOf(item);
  if (event.key === "Escape" && !item) {
    field.value = "";
    field.dispatchEvent(new Event("input"));
  } else if (event.key === "ArrowDown" && at < shown.length - 1) {
    event.preventDefault();
    shown[at + 1].querySelector("a").focus();
  } else if (event.key === "ArrowUp" && item) {
    event.preventDefault();
    if (at > 0) shown[at - 1].querySelector("a").focus();
    else field.focus();
  }
}

const folded = () => JSON.parse(kept.get("folded") ?? "[]");

function equipFolds() {
  const sections = [...document.querySelectorAll("details[data-section]")];
  for (const section of sections) {
    if (folded().includes(section.dataset.section) && !document.getElementById("search").value) section.open = false;
    section.querySelector("summary").addEventListener("click", () => {
      const others = folded().filter((name) => name !== section.dataset.section);
      kept.set("folded", JSON.stringify(section.open ? [...others, section.dataset.section].slice(-100) : others));
    });
  }
}

atStart.push(equipCommands);

// What every page has: the theme, and how a wait is counted down.

const THEMES = ["auto", "light", "dark"];

function applyTheme() {
  const theme = THEMES.find((each) => each === kept.get("theme")) ?? "auto";
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  return theme;
}

function themeSwitcher() {
  const switcher = button("", () => {
    kept.set("theme", THEMES[(THEMES.indexOf(switcher.dataset.theme) + 1) % THEMES.length]);
    show();
  }, { class: "theme" });
  const show = () => {
    switcher.dataset.theme = applyTheme();
    switcher.title = `Colours: ${switcher.dataset.theme}`;
    switcher.setAttribute("aria-label", switcher.title);
  };
  show();
  return switcher;
}

function equipFrame() {
  const who = document.querySelector("header .who");
  if (!who || who.querySelector(".theme")) return;
  who.prepend(themeSwitcher());
  // Says that there is a script: pages of runs are complete then, and it asks for the rest.
  document.cookie = `cmdserver-script=yes; SameSite=Strict; Path=${new URL(document.querySelector("a.brand").href).pathname}`;
}

function equipWait() {
  const place = document.querySelector("[data-wait]");
  if (!place) return;
  const bar = document.querySelector(".wait progress");
  const end = performance.now() / 1000 + Number(place.dataset.wait);
  const timer = setInterval(() => {
    const left = Math.max(0, Math.ceil(end - performance.now() / 1000));
    place.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    bar.value = left;
    if (!left) clearInterval(timer);
  }, 250);
}

function equipLogin() {
  const field = document.querySelector("[data-login] [type=password]");
  if (!field) return;
  const frame = make("span", { class: "password" });
  const shower = button("Show", () => {
    field.type = field.type === "password" ? "text" : "password";
    shower.textContent = field.type === "password" ? "Show" : "Hide";
    field.focus();
  }, { "aria-label": "Show the password" });
  field.replaceWith(frame);
  frame.append(field, shower);
  if (field.autofocus) field.focus();
}

whileComing.push(equipFrame);
atStart.push(equipWait, equipLogin);

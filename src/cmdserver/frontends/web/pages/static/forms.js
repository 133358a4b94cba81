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

atStart.push(equipForms);

// The list of runs, which is alive.

const MOST_ROWS = 1000;

// A pointer that is never lifted keeps the list from changing for so long, in milliseconds.
const LONGEST_PRESS = 2000;

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
    this.pressed = Promise.resolve(); // settled when no pointer presses here
    table.addEventListener("pointerdown", () => { this.pressed = released(); });
    this.learn();
    this.looked();
    addEventListener("scroll", () => this.looked(), { passive: true });
    const query = encodeURIComponent(this.address.search.slice(1));
    follow(`runs=${query}`, (kind, data) => this.take(kind, data), (why) => {
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

  // A row that is exchanged between press and release takes the click with it.
  async take(kind, data) {
    await this.pressed;
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
    await this.pressed;
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
      const made = drawn(`<table>${row}</table>`).querySelector("tr");
      this.rows.set(id, made);
      if (old) exchange(old, made);
      if (!old || (!this.only && made.parentElement?.dataset.group !== group)) this.waiting.set(id, [made, group]);
      if (this.isAtTop) await this.flush();
      tick();
    }
    this.tell();
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

// Waits until a pointer is lifted, and its click is dealt with.
function released() {
  return new Promise((resolve) => {
    const end = () => setTimeout(resolve);
    for (const kind of ["pointerup", "pointercancel"]) addEventListener(kind, end, { once: true });
    setTimeout(resolve, LONGEST_PRESS);
  });
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

atStart.push(() => {
  once(document.querySelector("table[data-runs]"), (table) => new RunList(table));
  const narrow = document.querySelector("form.narrow");
  narrow?.addEventListener("change", (event) => { if (event.target.matches("select")) narrow.requestSubmit(); });
});

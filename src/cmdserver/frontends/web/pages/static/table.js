// Sorts and filters the tables that the server has drawn (tables/drawing.py); those that come later, too.
(() => {
  const value = (cell, numbers) =>
    numbers ? (cell.dataset.v === undefined ? null : +cell.dataset.v) : cell.textContent.toLowerCase() || null;

  const sort = (box, key) => {
    const heads = [...box.querySelectorAll("thead th")];
    const at = heads.findIndex((head) => head.firstElementChild.dataset.sort === key);
    const numbers = "numbers" in heads[at].dataset;
    const was = heads[at].getAttribute("aria-sort");
    const down = was ? was === "ascending" : numbers;
    const body = box.querySelector("tbody");
    const rows = [...body.rows].map((row) => [value(row.cells[at], numbers), row]);
    rows.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return (a < b ? -1 : a > b ? 1 : 0) * (down ? -1 : 1);
    });
    body.append(...rows.map(([, row]) => row));
    for (const head of heads) head.removeAttribute("aria-sort");
    heads[at].setAttribute("aria-sort", down ? "descending" : "ascending");
    box.querySelector(".sort b").textContent = heads[at].textContent;
    if (numbers && at) for (const [, row] of rows) {
      for (const cell of row.cells) cell.classList.toggle("key", cell.cellIndex === at);
    }
    return (down ? "-" : "") + key;
  };

  document.addEventListener("click", (event) => {
    const by = event.target.closest?.(".data-table [data-sort]");
    if (!by || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const order = sort(by.closest(".data-table"), by.dataset.sort);
    by.closest("details")?.removeAttribute("open");
    if (!by.href) return;
    const address = new URL(by.href);
    address.searchParams.set("sort-by", order);
    history.replaceState(history.state, "", address);
  });

  document.addEventListener("input", (event) => {
    if (!event.target.matches?.(".data-table .filter")) return;
    const box = event.target.closest(".data-table");
    const count = box.querySelector(".counted");
    const words = event.target.value.toLowerCase().split(/\s+/);
    let shown = 0;
    for (const row of box.querySelectorAll("tbody tr")) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += !row.hidden;
    }
    count.dataset.all ??= count.textContent;
    count.textContent = words.join("") ? `${shown} of ${count.dataset.all}` : count.dataset.all;
  });
})();

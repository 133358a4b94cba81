// What a page begins with. A page that is still coming is a run that is under way: what is there is equipped at once.

const watcher = new MutationObserver(() => coming());

function coming() {
  for (const equip of whileComing) equip();
}

function ready() {
  document.removeEventListener("DOMContentLoaded", ready);
  watcher.disconnect();
  coming();
  for (const equip of atStart) equip();
  tick();
}

applyTheme();
setInterval(tick, 1000);
if (document.readyState === "loading") {
  watcher.observe(document, { childList: true, subtree: true });
  document.addEventListener("DOMContentLoaded", ready);
  coming();
} else {
  ready();
}

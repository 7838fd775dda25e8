// Keys: single letters act on the chosen case; typing in a field is never taken for a command.
const typing = (target) => target.closest("input, textarea, select, [contenteditable]") !== null;

/** Press the visible control that carries `data-key`, within `scope`. Returns whether there was one. */
export function pressKey(key, scope = document) {
  // What is open is meant before what lies below it.
  const open = scope === document ? document.querySelector("details.menu[open] .pop") : null;
  if (open && pressKey(key, open)) return true;
  const control = [...scope.querySelectorAll(`[data-key="${CSS.escape(key)}"]`)].find((node) => node.checkVisibility() && !node.disabled);
  if (!control) return false;
  if (control.matches("textarea, input:not([type=submit])")) { control.scrollIntoView({ block: "center" }); control.focus(); } else control.click();
  return true;
}

// In a list that is no queue j and k walk from row to row: to what each row leads to first.
function walk(by) {
  const rows = [...document.querySelectorAll("main tbody tr, main .lines-list li, main .versions > section")].filter((row) => row.checkVisibility());
  const stops = rows.map((row) => row.querySelector("a[href], summary, button:not([disabled]), input:not([type=hidden])")).filter(Boolean);
  const at = stops.findIndex((stop) => stop.closest("tr, li, section").contains(document.activeElement));
  const next = stops[at < 0 ? (by > 0 ? 0 : stops.length - 1) : Math.max(0, Math.min(stops.length - 1, at + by))];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
  return Boolean(next);
}

export function startKeys() {
  const help = document.querySelector("[data-keys]");
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      document.activeElement?.blur?.();
      document.querySelectorAll("details.menu[open]").forEach((menu) => { menu.open = false; });
      return;
    }
    if (event.defaultPrevented || event.metaKey || event.ctrlKey || event.altKey || typing(event.target) || document.querySelector("dialog[open]")) return;
    const search = document.querySelector("[data-search]");
    if (event.key === "?") { event.preventDefault(); help.showModal(); return; }
    if (event.key === "/" && search) { event.preventDefault(); search.focus(); search.select(); return; }
    if (event.key === "u" && !document.querySelector("[data-queue]")) { event.preventDefault(); location.href = "/"; return; }
    if (/^[a-z1-9]$/.test(event.key) && !document.querySelector("[data-queue]")) {
      if ((event.key === "j" || event.key === "k") && walk(event.key === "j" ? 1 : -1)) { event.preventDefault(); return; }
      if (event.key === "n") showComposer("note");
      if (event.key === "r") showComposer("reply");
      if (pressKey(event.key)) event.preventDefault();
    }
  });
}

export function showComposer(name) {
  const tab = document.querySelector(`[data-composer="${name}"]`);
  if (tab && !tab.disabled) tab.click();
}

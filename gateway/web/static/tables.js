// On a phone a row of a table stands as lines, each with its column's name; wider, and without this script, it is a table.
const ROLES = { TABLE: "table", THEAD: "rowgroup", TBODY: "rowgroup", TR: "row", TH: "columnheader", TD: "cell" };

function name(table) {
  const columns = [...table.querySelectorAll("thead th")];
  const heads = columns.map((head) => (head.querySelector(".visually-hidden") ? "" : head.textContent.trim()));
  if (!heads.length) return;
  table.classList.add("stacks");
  // Laid out as lines it would lose to a screen reader what it is.
  for (const part of [table, ...table.querySelectorAll("thead, tbody, tr, th, td")]) part.setAttribute("role", ROLES[part.tagName]);
  for (const row of table.querySelectorAll("tbody tr")) {
    [...row.cells].forEach((cell, index) => {
      cell.hidden = !cell.textContent.trim() && !cell.querySelector("input, select, button, svg");
      // The first column says itself whose line it is, unless it is a number.
      if ((!index && !columns[0].matches(".num")) || !heads[index] || cell.colSpan > 1) return;
      const said = document.createElement("div");
      said.append(...cell.childNodes);
      cell.append(said);
      cell.dataset.column = heads[index];
    });
  }
}

function all() {
  document.querySelectorAll("main table:not(.stacks):not(.matrix):not(.plain)").forEach(name);
}

export function startTables() {
  if (!matchMedia("(max-width: 720px)").matches) return;
  all();
  // The live feed replaces parts of the page.
  new MutationObserver(all).observe(document.getElementById("main"), { childList: true, subtree: true });
  document.querySelectorAll(".chart-box.wide").forEach((box) => { box.scrollLeft = box.scrollWidth; });
}

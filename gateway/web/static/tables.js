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
  document.querySelectorAll(".chart-box.wide").forEach(showNow);
}

// A chart wider than the phone begins at its newest end; what its lines stand for stays in sight.
function showNow(box) {
  const svg = box.querySelector("svg");
  const labels = svg?.querySelectorAll("text.axis");
  if (!labels?.length) return;
  const { width, height } = svg.viewBox.baseVal;
  const room = Math.max(...[...labels].map((label) => label.getBBox().x + label.getBBox().width)) + 4;
  const axis = document.createElementNS(svg.namespaceURI, "svg");
  axis.setAttribute("class", "chart axis-kept");
  axis.setAttribute("viewBox", `0 0 ${room} ${height}`);
  axis.setAttribute("aria-hidden", "true");
  axis.style.setProperty("--room", `${(room * svg.clientWidth) / width}px`);
  for (const name of ["font-family", "font-size"]) if (svg.hasAttribute(name)) axis.setAttribute(name, svg.getAttribute(name));
  axis.append(...[...labels].map((label) => label.cloneNode(true)));
  box.prepend(axis);
  box.scrollLeft = box.scrollWidth;
}

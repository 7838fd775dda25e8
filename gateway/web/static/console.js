// The console's script: enhances server-rendered pages; every page also works without it.
import { startCase } from "./case.js";
import { startForms } from "./forms.js";
import { startKeys } from "./keys.js";
import { startLive } from "./live.js";
import { startMap } from "./map.js";
import { startPalette } from "./palette.js";
import { startQueue } from "./queue.js";
import { startRefresh } from "./refresh.js";
import { startTables } from "./tables.js";

// On a phone the navigation folds into a button; without this script it is a strip.
const nav = document.querySelector(".nav"), sections = nav?.querySelector("[data-sections]");
if (sections) {
  sections.hidden = false;
  nav.classList.add("folds");
  sections.addEventListener("click", () => sections.setAttribute("aria-expanded", String(nav.classList.toggle("open"))));
}

startTables();
startForms();
startPalette();
startKeys();
startQueue();
startCase();
startMap();
startRefresh();
startLive();

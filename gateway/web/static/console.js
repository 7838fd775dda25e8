// The console's script: enhances server-rendered pages; every page also works without it.
import { startCase } from "./case.js";
import { startForms } from "./forms.js";
import { startKeys } from "./keys.js";
import { startLive } from "./live.js";
import { startMap } from "./map.js";
import { startPalette } from "./palette.js";
import { startQueue } from "./queue.js";
import { startRefresh } from "./refresh.js";

// On a phone the navigation is a strip: show where one is.
document.querySelector(".nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

startForms();
startPalette();
startKeys();
startQueue();
startCase();
startMap();
startRefresh();
startLive();

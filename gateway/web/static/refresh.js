// Lists that follow what happens, as long as nobody has something open in them.
import { concerns, paced } from "./live.js";
import { ours } from "./ours.js";

export function startRefresh() {
  const lists = [...document.querySelectorAll("[data-refresh]")];
  const stories = [...document.querySelectorAll("[data-story]")];
  const renew = paced(async () => {
    const answer = await ours(location.href);
    if (!answer) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    lists.forEach((list, index) => {
      if (list.querySelector("details[open], [data-editor]:not([hidden]), [data-draft][hidden]") || (list.contains(document.activeElement) && document.activeElement.matches("input, textarea, select"))) return;
      const fresh = page.querySelectorAll("[data-refresh]")[index];
      if (fresh?.dataset.refresh === list.dataset.refresh && fresh.innerHTML !== list.innerHTML) list.innerHTML = fresh.innerHTML;
    });
  }, 2000);
  const retell = paced(async () => {
    for (const story of stories) {
      const answer = await ours(story.dataset.story);
      if (answer) story.innerHTML = await answer.text();
    }
  }, 1000);
  document.addEventListener("live", (event) => {
    if (lists.some((list) => event.detail.own || concerns(event.detail, [...list.dataset.refresh.split(" "), "hold"]))) renew();
    if (stories.length) retell();
    if (event.detail.hold) holdChanged();
    else if (event.detail.reload) bannersMissed();
  });
  if (stories.length) setInterval(retell, 2000);
}

// After a while without a connection nobody knows whether a banner came or went.
async function bannersMissed() {
  const answer = await ours(location.href);
  if (!answer) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const words = (root) => [...root.querySelectorAll(".main > .banner:not([data-offline])")].map((banner) => banner.textContent.trim()).join();
  if (words(page) !== words(document)) holdChanged();
}

// The hold banner is on every page, so a change of it is worth a reload where nothing is being written.
function holdChanged() {
  const writing = [...document.querySelectorAll("textarea")].some((area) => area.value !== area.defaultValue);
  if (!writing) location.reload();
}

// One case: its parts are replaced when something happens, never under the hands of whoever is writing.
import { post } from "./forms.js";
import { concerns, paced } from "./live.js";
import { startMacros } from "./macros.js";
import { ours } from "./ours.js";
import { startPresence } from "./presence.js";

export function startCase() {
  const page = document.querySelector(".case[data-case]");
  if (!page) return;
  const busy = (part) => part.contains(document.activeElement) && document.activeElement.matches("input, textarea, select") || part.querySelector("[data-editor]:not([hidden]), details.menu[open], .chart-cursor .at.shown");

  const refresh = paced(async () => {
    const url = new URL(location.href);
    url.searchParams.set("fragment", "live");
    const answer = await ours(url);
    if (!answer) return;
    const fresh = document.createElement("template");
    fresh.innerHTML = await answer.text();
    for (const part of fresh.content.querySelectorAll("[data-part]")) {
      const old = page.querySelector(`[data-part="${part.dataset.part}"]`);
      if (!old || busy(old)) continue;
      const opened = [...old.querySelectorAll("details")].map((box) => box.open);
      part.querySelectorAll("details").forEach((box, index) => { box.open = Boolean(opened[index]) && !box.matches(".menu"); });
      if (old.innerHTML !== part.innerHTML) old.replaceWith(part);
    }
  }, 1000);

  document.addEventListener("live", (event) => {
    if (event.detail.own || concerns(event.detail, ["case"], page.dataset.case) || concerns(event.detail, ["notification", "device"])) refresh();
  });

  page.addEventListener("click", async (event) => {
    const range = event.target.closest("[data-ranges] a");
    if (range) {
      event.preventDefault();
      const answer = await fetch(`/cases/${page.dataset.case}/chart${range.getAttribute("href")}`).catch(() => null);
      if (!answer?.ok) return;
      page.querySelector("[data-evidence]").innerHTML = await answer.text();
      page.querySelectorAll("[data-ranges] a").forEach((link) => (link === range ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current")));
      history.replaceState(null, "", range.getAttribute("href"));
      document.dispatchEvent(new CustomEvent("charts"));
    }
    const ask = event.target.closest("[data-translate]");
    if (ask) await translate(ask);
    const tab = event.target.closest("[data-composer]");
    if (tab) {
      page.querySelectorAll("[data-composer]").forEach((other) => other.setAttribute("aria-selected", String(other === tab)));
      page.querySelectorAll("[data-composer-form]").forEach((form) => { form.hidden = form.dataset.composerForm !== tab.dataset.composer; });
      page.querySelector(`[data-composer-form="${tab.dataset.composer}"] textarea`)?.focus();
    }
  });
  startMacros(page);
  startPresence(page);
  if (location.hash === "#reply") page.querySelector("#reply-text")?.focus();
}

// What would go out in the customer's language, to be read and edited before it is sent.
async function translate(button) {
  const form = button.closest("form");
  const error = form.querySelector(".error");
  button.disabled = true;
  const result = await post(button.dataset.translate, new URLSearchParams({ text: form.elements.text.value }));
  button.disabled = false;
  error.textContent = result.ok ? "" : result.data?.error || result.detail;
  if (!result.ok) return;
  form.querySelector("[data-translation]").hidden = false;
  form.elements.translation.value = result.data.translation;
  form.elements.translation.focus();
}

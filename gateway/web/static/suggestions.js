// Better settings: begun without leaving the page, and followed until the search ends.
import { post } from "./forms.js";

const outcome = document.querySelector("[data-suggestions]");
const form = document.querySelector("[data-suggest]");

async function watch() {
  const answer = await fetch("/suggestions?fragment=1").catch(() => null);
  if (answer?.ok) outcome.innerHTML = await answer.text();
  if (!answer || outcome.querySelector("[data-going]")) setTimeout(watch, 700);
}

if (outcome.querySelector("[data-going]")) watch();
form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const result = await post(form.action, new URLSearchParams(new FormData(form)));
  form.querySelector(".error").textContent = result.ok ? "" : result.detail;
  watch();
});

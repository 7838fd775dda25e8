// Texts: the preview follows what is written; nothing is in force before it is saved. Without this script it follows a saving.
import { post } from "./forms.js";

const AFTER_MS = 300;
const seen = document.querySelector("[data-preview-text]");
const mail = document.querySelector("[data-mail]");
const about = document.querySelector("#rule");
let asked = 0;
let timer = 0;

const bodyOf = (form) => {
  const body = new URLSearchParams(new FormData(form));
  if (seen.dataset.channel) body.set("channel", seen.dataset.channel);
  if (about) body.set("rule", about.value);
  return body;
};
async function follow(form) {
  const mine = (asked += 1);
  const result = await post("/texts/preview", bodyOf(form));
  if (mine !== asked) return;
  if (result.ok) seen.innerHTML = result.data.fragment;
  else seen.replaceChildren(Object.assign(document.createElement("p"), { className: "pad error", textContent: result.detail }));
  if (result.ok && !result.data.error && mail) showMail(form);
}
// The frame asks for the mail itself, so that it comes with a policy of its own: its styles are written into it.
function showMail(form) {
  mail.querySelectorAll("[data-of]").forEach((field) => field.remove());
  if (form) {
    for (const [name, value] of bodyOf(form)) {
      if (name === "_csrf") continue;
      mail.querySelectorAll(`input[name="${CSS.escape(name)}"]`).forEach((field) => field.remove());
      const field = Object.assign(document.createElement("input"), { type: "hidden", name, value });
      field.dataset.of = "form";
      mail.append(field);
    }
  }
  mail.submit();
}
document.querySelectorAll("[data-wording]").forEach((form) => form.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(follow, AFTER_MS, form);
}));
if (mail) showMail(null);

const narrow = document.querySelector("[data-narrow]");
narrow?.addEventListener("input", () => {
  const words = narrow.value.toLowerCase().split(/\s+/).filter(Boolean);
  document.querySelectorAll("[data-words]").forEach((row) => { row.hidden = !words.every((word) => row.dataset.words.includes(word)); });
});

// A short word at the lower edge, with a way back where there is one.
import { t } from "./words.js";
const KEPT = "toast";

/** Keep what is to be said on the page that is loaded next: this one is about to go, and its words with it. */
export function keepToast(said) {
  sessionStorage.setItem(KEPT, JSON.stringify(said));
}

/** Take what the page before kept: {text, undo, body}, or null. */
export function keptToast() {
  const said = sessionStorage.getItem(KEPT);
  sessionStorage.removeItem(KEPT);
  return JSON.parse(said);
}

export function toast(text, undo = null, life = 6000) {
  const box = document.createElement("div");
  box.className = "toast";
  box.append(Object.assign(document.createElement("span"), { textContent: text }));
  const close = () => { clearTimeout(timer); box.remove(); };
  const timer = setTimeout(close, life);
  if (undo) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: t("Undo") });
    button.addEventListener("click", () => { close(); undo(); });
    box.append(button);
  }
  document.querySelector(".toasts").append(box);
  return close;
}

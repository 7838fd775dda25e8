// Says every ten seconds that somebody reads or writes here, and shows who else does.
import { post } from "./forms.js";
import { t } from "./words.js";

const EVERY_MS = 10_000;

export function startPresence(page) {
  const line = page.querySelector("[data-presence]");
  if (!line) return;
  const url = `/cases/${page.dataset.case}/here`;
  const writing = () => [...page.querySelectorAll(".composer textarea")].some((area) => area.value.trim() !== "");
  const say = async () => {
    if (document.hidden) return;
    const answer = await post(url, new URLSearchParams({ writing: writing() ? "1" : "" }));
    if (!answer.ok) return;
    const others = answer.data.others.map((one) => (one.writing ? t("{1} is writing an answer", one.name) : t("{1} is reading this too", one.name)));
    const words = others.length ? `${others.join(", ")}.` : "";
    if (line.textContent !== words) line.textContent = words;
    line.hidden = !words;
    line.classList.toggle("soon", answer.data.others.some((one) => one.writing));
  };
  say();
  setInterval(say, EVERY_MS);
  document.addEventListener("visibilitychange", say);
  page.addEventListener("focusin", (event) => { if (event.target.matches(".composer textarea")) say(); });
  addEventListener("pagehide", () => post(url, new URLSearchParams({ gone: "1" }), true));
}

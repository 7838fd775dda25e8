// ⌘K: go to a page, do what this page offers by a key, or find a case, a device or a rule.
import { pressKey } from "./keys.js";
import { ours } from "./ours.js";
import { t } from "./words.js";

export function startPalette() {
  const dialog = document.querySelector("[data-palette]");
  if (!dialog) return;
  const input = dialog.querySelector("input");
  const list = dialog.querySelector("ul");
  const pages = [...document.querySelectorAll(".nav a.item")].map((link) => ({ href: link.getAttribute("href"), label: link.firstChild.textContent.trim(), hint: t("page") }));
  // What a key does here can be found by its name; the queue's keys are meant for the chosen case.
  const deeds = () => [...document.querySelectorAll("main [data-key]")].filter((control) => control.checkVisibility() && !control.disabled && /^[a-z]$/.test(control.dataset.key)).map((control) => {
    const named = control.cloneNode(true);
    named.querySelectorAll("kbd").forEach((key) => key.remove());
    const label = control.getAttribute("aria-label") || control.labels?.[0]?.textContent || named.textContent;
    return { key: control.dataset.key, label: label.trim(), hint: control.dataset.key };
  }).filter((deed) => deed.label);
  const take = (item) => {
    if (item.href) { location.href = item.href; return; }
    dialog.close();
    pressKey(item.key);
  };
  let items = [];
  let chosen = 0;
  let asked = 0;

  const draw = () => {
    list.replaceChildren(...items.map((item, index) => {
      const row = document.createElement("li");
      row.role = "option";
      row.id = `palette-${index}`;
      row.setAttribute("aria-selected", String(index === chosen));
      row.append(Object.assign(document.createElement("b"), { textContent: item.label }), Object.assign(document.createElement("span"), { textContent: item.hint }));
      row.addEventListener("click", () => take(item));
      return row;
    }));
    input.setAttribute("aria-activedescendant", items.length ? `palette-${chosen}` : "");
    list.children[chosen]?.scrollIntoView({ block: "nearest" });
  };
  const find = async () => {
    const words = input.value.trim();
    const mine = (asked += 1);
    const fits = (item) => item.label.toLowerCase().includes(words.toLowerCase());
    const fitting = [...pages.filter(fits), ...deeds().filter(fits)];
    items = words ? fitting : [...deeds(), ...pages];
    chosen = 0;
    draw();
    if (!words) return;
    const answer = await ours(`/suggest?q=${encodeURIComponent(words)}`);
    if (!answer || mine !== asked) return;
    items = [...fitting, ...(await answer.json()).items];
    draw();
  };
  input.addEventListener("input", find);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") chosen = Math.min(chosen + 1, items.length - 1);
    else if (event.key === "ArrowUp") chosen = Math.max(chosen - 1, 0);
    else if (event.key === "Enter" && items[chosen]) take(items[chosen]);
    else return;
    event.preventDefault();
    draw();
  });
  document.addEventListener("keydown", (event) => {
    if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      input.value = "";
      dialog.showModal();
      find();
    }
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
}

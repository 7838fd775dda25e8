// ⌘K: go to a page, or find a case.
export function startPalette() {
  const dialog = document.querySelector("[data-palette]");
  if (!dialog) return;
  const input = dialog.querySelector("input");
  const list = dialog.querySelector("ul");
  const pages = [...document.querySelectorAll(".nav a.item")].map((link) => ({ href: link.getAttribute("href"), label: link.firstChild.textContent.trim(), hint: "page" }));
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
      row.addEventListener("click", () => { location.href = item.href; });
      return row;
    }));
    input.setAttribute("aria-activedescendant", items.length ? `palette-${chosen}` : "");
    list.children[chosen]?.scrollIntoView({ block: "nearest" });
  };
  const find = async () => {
    const words = input.value.trim();
    const mine = (asked += 1);
    const fitting = pages.filter((page) => page.label.toLowerCase().includes(words.toLowerCase()));
    items = words ? fitting : pages;
    chosen = 0;
    draw();
    if (!words) return;
    const answer = await fetch(`/suggest?q=${encodeURIComponent(words)}`).catch(() => null);
    if (!answer?.ok || mine !== asked) return;
    items = [...fitting, ...(await answer.json()).items];
    draw();
  };
  input.addEventListener("input", find);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") chosen = Math.min(chosen + 1, items.length - 1);
    else if (event.key === "ArrowUp") chosen = Math.max(chosen - 1, 0);
    else if (event.key === "Enter" && items[chosen]) location.href = items[chosen].href;
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

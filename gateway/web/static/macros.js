// "/" at the beginning of an answer lists answers given often; some are sent as they are chosen, with a way back.

export function startMacros(page) {
  const area = page.querySelector("#reply-text");
  const list = page.querySelector("[data-macros]");
  if (!area || !list) return;
  const form = area.form;
  const all = [...list.querySelectorAll("[data-macro]")];
  let chosen = 0;
  const fitting = () => all.filter((item) => !item.hidden);
  const draw = () => {
    const words = area.value;
    const open = words.startsWith("/") && !words.includes("\n");
    all.forEach((item) => { item.hidden = !open || !item.dataset.macro.includes(words.slice(1).trim().toLowerCase()); });
    list.hidden = !open || fitting().length === 0;
    chosen = Math.min(chosen, Math.max(0, fitting().length - 1));
    all.forEach((item) => item.setAttribute("aria-selected", String(item === fitting()[chosen])));
  };
  const take = (item) => {
    const said = item.querySelector("template").content.textContent;
    area.value = said.replaceAll("{name}", form.dataset.name).replaceAll("{device}", form.dataset.device);
    draw();
    area.focus();
    if (item.dataset.sends) form.requestSubmit();
  };
  area.addEventListener("input", draw);
  area.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    if (event.key === "ArrowDown") chosen = Math.min(chosen + 1, fitting().length - 1);
    else if (event.key === "ArrowUp") chosen = Math.max(chosen - 1, 0);
    else if (event.key === "Enter" || event.key === "Tab") take(fitting()[chosen]);
    else if (event.key === "Escape") { list.hidden = true; event.stopPropagation(); return; }
    else return;
    event.preventDefault();
    if (!list.hidden) draw();
  });
  list.addEventListener("click", (event) => { const item = event.target.closest("[data-macro]"); if (item) take(item); });
}

// The queue: choose with j and k, see it beside, act with one key. New rows gather until they are asked for.
import { changed, post } from "./forms.js";
import { pressKey } from "./keys.js";
import { concerns, paced } from "./live.js";
import { ours } from "./ours.js";
import { toast } from "./toast.js";
import { t } from "./words.js";

export function startQueue() {
  const queue = document.querySelector("[data-queue]");
  if (!queue) return;
  const rows = queue.querySelector("[data-rows]");
  const preview = document.querySelector("[data-preview]");
  const gathered = queue.querySelector("[data-gathered]");
  const bulk = queue.querySelector("[data-bulk]");
  let chosen = null;
  let wanted = 0;

  const all = () => [...rows.querySelectorAll(".case-row")];
  const rowOf = (id) => rows.querySelector(`.case-row[data-id="${id}"]`);
  const previewing = () => preview.checkVisibility();

  async function look(id, quietly = false) {
    if (!previewing()) return;
    const mine = (wanted += 1);
    const skeleton = setTimeout(() => { if (mine === wanted && !quietly) preview.innerHTML = '<div class="in loading"><div class="skeleton"></div><div class="skeleton"></div><div class="skeleton"></div></div>'; }, 200);
    const answer = await ours(`/preview/${id}`);
    clearTimeout(skeleton);
    if (mine !== wanted || !answer) return;
    // Somebody who is writing in the preview keeps what they wrote.
    if (quietly && (preview.querySelector("[data-editor]:not([hidden])") || preview.contains(document.activeElement))) return;
    preview.innerHTML = await answer.text();
  }

  function choose(row, focus = true) {
    if (!row) return;
    all().forEach((other) => other.setAttribute("aria-selected", String(other === row)));
    rows.setAttribute("aria-activedescendant", row.id);
    if (focus) row.scrollIntoView({ block: "nearest" });
    const id = row.dataset.id;
    if (id === chosen) return;
    chosen = id;
    look(id);
  }

  const step = (by) => {
    const list = all();
    const at = list.findIndex((row) => row.dataset.id === chosen);
    choose(list[Math.max(0, Math.min(list.length - 1, at + by))]);
  };

  function countSelected() {
    const ids = [...rows.querySelectorAll("input:checked")].map((box) => box.value);
    bulk.hidden = ids.length === 0;
    queue.classList.toggle("selecting", ids.length > 0);
    bulk.querySelector("[data-bulk-count]").textContent = t("{1} selected", ids.length);
    return ids;
  }

  function adopt(fresh) {
    const selected = new Set(countSelected());
    rows.replaceChildren(...fresh.childNodes);
    // A grid has rows; what says that there are none is no row.
    if (all().length) rows.setAttribute("role", "grid");
    else rows.removeAttribute("role");
    rows.querySelectorAll("input").forEach((box) => { box.checked = selected.has(box.value); });
    countSelected();
    gathered.hidden = true;
    const row = chosen && rowOf(chosen);
    if (row) row.setAttribute("aria-selected", "true");
    else { chosen = null; if (previewing()) choose(all()[0], false); }
  }

  async function fetchRows() {
    const url = new URL(queue.dataset.url, location.href);
    url.searchParams.set("fragment", "rows");
    const answer = await ours(url);
    if (!answer) return null;
    const box = document.createElement("template");
    box.innerHTML = await answer.text();
    return box.content;
  }

  let own = false;
  const refresh = paced(async () => {
    const fresh = await fetchRows();
    if (!fresh) return;
    const asked = own;
    own = false;
    const incoming = [...fresh.querySelectorAll(".case-row")];
    const added = incoming.filter((row) => !rowOf(row.dataset.id));
    // What one did oneself is shown at once, and so is the first row of an empty list; nothing else may move.
    if (asked || all().length === 0) { adopt(fresh); return; }
    for (const row of incoming) {
      const old = rowOf(row.dataset.id);
      if (!old || old.innerHTML === row.innerHTML) continue;
      row.setAttribute("aria-selected", old.getAttribute("aria-selected"));
      row.querySelector("input").checked = old.querySelector("input").checked;
      old.replaceWith(row);
    }
    const stay = new Set(incoming.map((row) => row.dataset.id));
    const gone = all().filter((row) => !stay.has(row.dataset.id) && !incoming.includes(row));
    gone.forEach((row) => row.classList.add("gone"));
    const ids = (list) => list.map((row) => row.dataset.id).join();
    const moved = ids(incoming.filter((row) => rowOf(row.dataset.id))) !== ids(all().filter((row) => stay.has(row.dataset.id)));
    gathered.hidden = added.length + gone.length === 0 && !moved;
    gathered.textContent = added.length ? t("{1} new ↑", added.length) : gone.length ? t("{1} done, tidy up", gone.length) : t("Urgency changed, sort again");
  }, 1000);

  document.addEventListener("live", (event) => {
    if (event.detail.own) own = true;
    if (concerns(event.detail, ["case", "notification", "inbound"])) {
      refresh();
      if (chosen && concerns(event.detail, ["case", "notification"])) look(chosen, !event.detail.own);
    }
  });
  gathered.addEventListener("click", () => { own = true; refresh(); rows.parentElement.scrollTo({ top: 0 }); });

  rows.addEventListener("click", (event) => {
    const row = event.target.closest(".case-row");
    if (!row || event.target.matches("input")) return;
    if (previewing() && !event.metaKey && !event.ctrlKey && event.detail < 2) { event.preventDefault(); choose(row); }
    else if (event.detail >= 2) location.href = `/cases/${row.dataset.id}`;
  });
  rows.addEventListener("change", countSelected);
  bulk.querySelector("[data-bulk-clear]").addEventListener("click", () => { rows.querySelectorAll("input").forEach((box) => { box.checked = false; }); countSelected(); });
  const DONE = { acknowledge: t("claimed"), assign: t("handed over"), snooze: t("resting"), verdict: t("marked as false alarms"), resolve: t("resolved") };
  async function actOnAll(action, more) {
    const ids = countSelected();
    const body = new URLSearchParams(more);
    body.set("action", action);
    body.set("ids", ids.join(","));
    const result = await post("/bulk", body);
    if (!result.ok) { toast(result.detail); return; }
    const refused = Object.values(result.data.refused);
    const back = Object.entries(result.data.undo);
    const undo = async () => {
      const undone = await Promise.all(back.map(([id, deed]) => post(`/cases/${id}/${deed.command}`, new URLSearchParams(deed.fields))));
      const failed = undone.filter((one) => !one.ok);
      if (failed.length) toast(failed[0].detail);
      changed();
    };
    toast(`${result.data.done} ${DONE[action]}${refused.length ? t("; {1} not: {2}", refused.length, refused[0]) : ""}.`, back.length ? undo : null);
    rows.querySelectorAll("input").forEach((box) => { box.checked = false; });
    changed();
  }
  bulk.addEventListener("click", (event) => {
    const button = event.target.closest("[data-bulk-action]");
    if (!button) return;
    const words = button.closest(".pop")?.querySelector("textarea");
    actOnAll(button.dataset.bulkAction, words ? { resolution: words.value } : button.dataset.bulkField || "");
    if (words) { words.value = ""; button.closest("details").open = false; }
  });
  bulk.addEventListener("change", (event) => {
    if (!event.target.matches("[data-bulk-assign]") || !event.target.value) return;
    actOnAll("assign", new URLSearchParams({ assignee: event.target.value }));
    event.target.value = "";
  });

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.metaKey || event.ctrlKey || event.altKey || event.target.closest("input:not([type=checkbox]), textarea, select") || document.querySelector("dialog[open]")) return;
    const menu = /^[1-9]$/.test(event.key) && document.querySelector("details.menu[open] .pop");
    if (menu && pressKey(event.key, menu)) { event.preventDefault(); return; }
    const act = {
      j: () => step(1), k: () => step(-1), ArrowDown: () => step(1), ArrowUp: () => step(-1),
      o: () => { if (chosen) location.href = `/cases/${chosen}`; },
      Enter: () => { if (chosen && !event.target.closest("a, button, summary")) location.href = `/cases/${chosen}`; else return false; },
      x: () => { const box = chosen && rowOf(chosen)?.querySelector("input"); if (box) { box.checked = !box.checked; countSelected(); } },
      c: () => pressKey("c", preview), a: () => pressKey("a", preview), e: () => pressKey("e", preview), r: () => pressKey("r", preview), d: () => pressKey("d", preview),
    }[event.key];
    if (act && act() !== false) event.preventDefault();
  });
  if (previewing()) choose(all()[0], false);
}

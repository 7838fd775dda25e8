// Forms that are sent without leaving the page; what is refused is said beside the control.
import { keepToast, keptToast, toast } from "./toast.js";
import { t } from "./words.js";

const csrf = () => document.querySelector('meta[name="csrf"]').content;
const DELAY_MS = 6000;
const ADDS = /\/(note|reply|here|translate|step|command)$/;

/** POST to one of our own addresses. Returns {ok, detail}; never throws for a refusal or a lost connection. */
export async function post(action, body = new URLSearchParams(), keepalive = false) {
  try {
    const headers = { Accept: "application/json", "X-CSRF-Token": csrf() };
    // What is changed must still be as this page shows it; a colleague's deed meanwhile refuses ours, and says whose it was.
    const path = new URL(action, location.href).pathname;
    const thing = [...document.querySelectorAll("[data-thing]")].find((one) => path.startsWith(one.dataset.thing) && !ADDS.test(path));
    if (thing) headers["If-Match"] = thing.dataset.etag;
    const answer = await fetch(action, { method: "POST", body, keepalive, headers, redirect: "manual" });
    const data = await answer.json().catch(() => ({}));
    if (answer.status === 401) return { ok: false, detail: t("You were logged out. Log in again in another tab, then retry.") };
    return { ok: answer.ok, stale: answer.status === 412, detail: data.detail || t("That did not work."), data };
  } catch {
    return { ok: false, detail: t("No connection. Nothing was changed.") };
  }
}

export function changed(kind = "case") {
  document.dispatchEvent(new CustomEvent("live", { detail: { [kind]: ["*"], own: true } }));
}

/** What a form holds; as multipart only where a file was chosen. */
function bodyOf(form, submitter = null) {
  const data = new FormData(form, submitter);
  return [...form.querySelectorAll("[data-attach]")].some((input) => input.files.length) ? data : new URLSearchParams([...data].filter(([, value]) => typeof value === "string"));
}

function showChosen(input) {
  const list = input.form.querySelector("[data-chosen]");
  list.replaceChildren(...[...input.files].map((file) => Object.assign(document.createElement("li"), { textContent: file.name, dir: "auto" })));
  list.hidden = !input.files.length;
}

function tell({ text, undo, body }) {
  toast(text, undo ? async () => { const undone = await post(undo, new URLSearchParams(body)); if (!undone.ok) toast(undone.detail); changed(); } : null);
}

function clear(form) {
  form.querySelectorAll("textarea").forEach((area) => { area.value = ""; });
  form.querySelectorAll("[data-attach]").forEach((input) => { input.value = ""; showChosen(input); });
  form.querySelectorAll("input[type=checkbox]").forEach((box) => { box.checked = box.defaultChecked; });
}

async function send(form, submitter) {
  const body = bodyOf(form, submitter);
  // A second button of a form may do another deed with the same field under another name.
  if (submitter?.dataset.as) for (const [name, value] of [...body]) if (name === "into") { body.delete(name); body.set(submitter.dataset.as, value); }
  const error = form.querySelector(".error");
  const buttons = [...form.querySelectorAll("button")];
  if (error) error.textContent = "";
  // What is pressed looks pressed at once; it is taken back, with the reason, where the gateway says no.
  const pressed = submitter?.getAttribute("aria-pressed");
  if (pressed) submitter.setAttribute("aria-pressed", String(pressed !== "true"));
  buttons.forEach((button) => { button.disabled = true; });
  // An answer goes out before what is done to its case after it.
  const about = (action) => new URL(action, location.href).pathname.split("/").slice(0, 3).join("/");
  await Promise.all([...waiting].filter(([action]) => about(action) === about(form.action)).map(([, flush]) => flush(false)));
  const result = await post(submitter?.hasAttribute("formaction") ? submitter.formAction : form.action, body);
  buttons.forEach((button) => { button.disabled = false; });
  if (result.stale) {
    // The page is drawn anew, which an open menu would keep from happening.
    form.closest("details.menu")?.removeAttribute("open");
    if (form.contains(document.activeElement)) document.activeElement.blur();
    toast(result.detail);
    changed();
    return;
  }
  if (!result.ok) {
    if (pressed) submitter.setAttribute("aria-pressed", pressed);
    if (error) error.textContent = result.detail; else toast(result.detail);
    return;
  }
  if (form.hasAttribute("data-clear")) clear(form);
  // What was open for this form is done with, so that the answer may be drawn over it.
  form.closest("details.menu")?.removeAttribute("open");
  const card = form.closest("[data-draft]");
  if (card) edit(card, false);
  else if (!form.hasAttribute("data-clear") && form.contains(document.activeElement)) document.activeElement.blur();
  const back = submitter?.hasAttribute("formaction") ? null : form.dataset.undo;
  const said = { text: submitter?.dataset.done || form.dataset.done, undo: back, body: form.dataset.undoBody };
  if (said.text && (form.dataset.goto || form.hasAttribute("data-reload"))) keepToast(said);
  else if (said.text) tell(said);
  if (form.dataset.goto) location.href = form.dataset.goto;
  else if (form.hasAttribute("data-reload")) location.reload(); else changed();
}

// Messages about which something waits for the time of Undo: drawn anew meanwhile, they stay out of sight.
const pending = new Set();
const waiting = new Map();
const hidePending = () => document.querySelectorAll("[data-draft]").forEach((card) => { if (pending.has(card.dataset.draft)) card.hidden = true; });
const redrawn = new MutationObserver(hidePending);

// What cannot be taken back afterwards waits a moment first: the form goes out when the time for Undo is over, or the page is left.
export function sendLater(form) {
  const card = form.closest("[data-draft]");
  const body = bodyOf(form);
  // What is written stands where it was until it is gone, so that nothing jumps.
  const wait = (on) => {
    if (!card) { if (form.hasAttribute("data-clear")) form.inert = on; else form.hidden = on; return; }
    if (on) { pending.add(card.dataset.draft); redrawn.observe(document.body, { childList: true, subtree: true }); hidePending(); return; }
    pending.delete(card.dataset.draft);
    if (!pending.size) redrawn.disconnect();
    document.querySelectorAll(`[data-draft="${card.dataset.draft}"]`).forEach((one) => { one.hidden = false; });
  };
  wait(true);
  let open = true;
  const end = () => { open = false; waiting.delete(form.action); clearTimeout(timer); removeEventListener("pagehide", onLeave); };
  const flush = async (leaving) => {
    if (!open) return;
    end();
    close();
    const result = await post(form.action, body, leaving);
    if (!result.ok || form.hasAttribute("data-clear")) wait(false);
    if (!result.ok) { toast(result.detail); return; }
    if (form.hasAttribute("data-clear")) clear(form);
    // An open editor keeps its part from being drawn anew.
    if (card) edit(card, false);
    if (form.hasAttribute("data-reload")) location.reload(); else changed();
  };
  const onLeave = () => flush(true);
  waiting.set(form.action, flush);
  addEventListener("pagehide", onLeave);
  const timer = setTimeout(() => flush(false), DELAY_MS);
  const close = toast(form.dataset.done, () => { end(); wait(false); }, DELAY_MS);
}

// A browser lets what is sent in leaving be small only: what has files goes out at once.
const canWait = (form) => ![...form.querySelectorAll("[data-attach]")].some((input) => input.files.length);

function words(text) { return text.split(/(\s+)/); }

/** Show what changes between two texts, word by word (longest common subsequence). */
export function showDiff(target, before, after) {
  const a = words(before), b = words(after);
  const best = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i -= 1) for (let j = b.length - 1; j >= 0; j -= 1) best[i][j] = a[i] === b[j] ? best[i + 1][j + 1] + 1 : Math.max(best[i + 1][j], best[i][j + 1]);
  target.replaceChildren();
  const add = (tag, text) => { const node = tag ? document.createElement(tag) : document.createTextNode(""); node.textContent = text; target.append(node); };
  let i = 0, j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) { add("", a[i]); i += 1; j += 1; }
    else if (j < b.length && (i === a.length || best[i][j + 1] >= best[i + 1][j])) { add("ins", b[j]); j += 1; }
    else { add("del", a[i]); i += 1; }
  }
  target.hidden = before === after;
}

function edit(card, open) {
  const editor = card.querySelector("[data-editor]");
  editor.hidden = !open;
  card.querySelector("[data-text]").hidden = open;
  card.querySelector("[data-draft-actions]").hidden = open;
  if (open) editor.querySelector("textarea").focus();
}

export function startForms() {
  const kept = keptToast();
  if (kept) tell(kept);
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("[data-async]")) return;
    event.preventDefault();
    if (form.hasAttribute("data-delay") && canWait(form)) sendLater(form); else send(form, event.submitter);
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submit-on-change]")) event.target.form.requestSubmit();
    if (event.target.matches("[data-attach]")) showChosen(event.target);
  });
  document.addEventListener("paste", (event) => {
    // A picture of the screen, pasted while writing, goes with what is written.
    const input = event.target.closest?.("textarea")?.form?.querySelector("[data-attach]");
    if (!input || !event.clipboardData?.files.length) return;
    event.preventDefault();
    const all = new DataTransfer();
    for (const file of [...input.files, ...event.clipboardData.files]) all.items.add(file);
    input.files = all.files;
    showChosen(input);
  });
  document.addEventListener("click", (event) => {
    const card = event.target.closest("[data-draft]");
    if (card && event.target.closest("[data-edit]")) edit(card, true);
    if (card && event.target.closest("[data-edit-cancel]")) edit(card, false);
    const insert = event.target.closest("[data-insert]");
    if (insert) {
      const area = insert.form.querySelector("textarea");
      area.setRangeText(insert.dataset.insert, area.selectionStart, area.selectionEnd, "end");
      area.focus();
    }
    // A menu closes when one clicks elsewhere.
    document.querySelectorAll("details.menu[open]").forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; });
  });
  document.addEventListener("toggle", (event) => {
    if (event.target.matches("details.menu[open]")) (event.target.querySelector("[data-first]") || event.target.querySelector(".pop textarea, .pop input:not([type=hidden]), .pop button"))?.focus();
  }, true);
  document.addEventListener("input", (event) => {
    const editor = event.target.closest("[data-editor]");
    if (editor) showDiff(editor.querySelector("[data-diff]"), editor.elements.original.value, event.target.value);
  });
  document.addEventListener("keydown", (event) => {
    if ((event.metaKey || event.ctrlKey) && event.key === "Enter" && event.target.matches("textarea")) event.target.form.requestSubmit();
  });
}

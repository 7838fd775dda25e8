// Rules as text: coloured, checked and kept as they are written; tried on the past. Without this script the form does it.
import { startCompletion } from "./complete.js";
import { post } from "./forms.js";
import { toast } from "./toast.js";
import { t } from "./words.js";

const CHECK_MS = 350;
const SAVE_MS = 1200;
const AGAIN_MS = 5000;
const form = document.querySelector("[data-editor-form]");
const area = form.querySelector("#text");
const shown = form.querySelector(".shown");
const gutter = form.querySelector(".gutter");
const saved = document.querySelector("[data-saved]");
const look = document.querySelector("[data-look]");
const conflict = document.querySelector("[data-conflict]");
let id = form.dataset.id;
let version = form.dataset.version;
let kept = area.value;
let marks = new Map();
let saving = false;
let asked = 0;
let saveTimer = 0;
let checkTimer = 0;

/* Colours */
const escaped = (text) => text.replace(/[&<>]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c]);
function coloured(line) {
  const comment = line.search(/(^|\s)#/);
  const code = comment < 0 ? line : line.slice(0, comment);
  const rest = comment < 0 ? "" : `<span class="comment">${escaped(line.slice(comment))}</span>`;
  const key = code.match(/^(\s*(?:- )?\s*)([\w.'"-]+)(:)(?=\s|$)/);
  // A quote within a word, as in l'eau, begins no text.
  const after = escaped(key ? code.slice(key[0].length) : code).replace(/(^|[\s[{(,:])("[^"]*"|'[^']*')/g, '$1<span class="text">$2</span>');
  return (key ? `${key[1]}<span class="key">${escaped(key[2])}</span>:` : "") + after + rest;
}
function draw() {
  const lines = area.value.split("\n");
  shown.innerHTML = lines.map((line, index) => {
    const mark = marks.get(index + 1);
    if (!mark) return coloured(line);
    return `<span class="${mark.mild ? "odd" : "wrong"}">${coloured(line)}</span><span class="said${mark.mild ? " mild" : ""}">   ${mark.mild ? "◆" : "▲"} ${escaped(mark.message)}</span>`;
  }).join("\n") + "\n";
  gutter.innerHTML = lines.map((_, index) => { const mark = marks.get(index + 1); return mark ? (mark.mild ? `<i>${index + 1}</i>` : `<b>${index + 1}</b>`) : index + 1; }).join("\n") + "\n";
  follow();
}
function follow() {
  shown.scrollTop = area.scrollTop;
  shown.scrollLeft = area.scrollLeft;
  gutter.scrollTop = area.scrollTop;
}
function goTo(line, column) {
  const before = area.value.split("\n").slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0);
  area.focus();
  area.setSelectionRange(before + column - 1, before + column - 1);
  area.scrollTop = Math.max(0, (line - 6) * 20);
  return before + column - 1;
}

/* What it would do */
async function check() {
  const mine = (asked += 1);
  const text = area.value;
  const body = new URLSearchParams({ text, replaces: form.elements.replaces.value, began_as: form.elements.began_as.value });
  const result = await post("/drafts/look", body);
  if (mine !== asked || !result.ok) return;
  const open = [...look.querySelectorAll("details")].map((box) => box.open);
  look.innerHTML = result.data.html;
  look.querySelectorAll("details").forEach((box, index) => { box.open = Boolean(open[index]); });
  take(result.data);
}
function take(told) {
  marks = new Map();
  const put = (problem, mild) => { if (!marks.has(problem.line)) marks.set(problem.line, { message: problem.message, mild }); };
  told.errors.forEach((problem) => put(problem, false));
  told.tests.filter((test) => test.failures.length).forEach((test) => put({ line: test.line, message: test.failures.join("; ") }, false));
  told.warnings.forEach((problem) => put(problem, true));
  const rows = look.querySelectorAll(".problems li[data-line]");
  [...told.errors, ...told.warnings].forEach((problem) => {
    if (!problem.suggestion) return;
    const row = [...rows].find((each) => each.dataset.line === String(problem.line) && each.dataset.column === String(problem.column) && !each.querySelector("button"));
    if (!row || area.readOnly) return;
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: t("Use {1}", problem.suggestion) });
    button.addEventListener("click", () => mend(problem));
    row.append(button);
  });
  draw();
}
function mend(problem) {
  const at = goTo(problem.line, problem.column);
  const end = area.value.indexOf("\n", at);
  const line = area.value.slice(at, end < 0 ? undefined : end);
  const offset = line.indexOf(problem.instead_of);
  if (offset < 0) { toast(t("It stands elsewhere by now.")); return; }
  area.setRangeText(problem.suggestion, at + offset, at + offset + problem.instead_of.length, "end");
  area.dispatchEvent(new Event("input"));
}
look.addEventListener("click", (event) => {
  const link = event.target.closest("li[data-line] a");
  if (!link) return;
  event.preventDefault();
  const row = link.closest("li");
  goTo(Number(row.dataset.line), Number(row.dataset.column));
});

/* Keeping it */
const clock = (at) => new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
async function save(seen = version) {
  clearTimeout(saveTimer);
  if (area.readOnly || area.value === kept) return true;
  if (saving) { saveTimer = setTimeout(save, SAVE_MS); return false; }
  saving = true;
  const text = area.value;
  const body = new URLSearchParams({ text, replaces: form.elements.replaces.value });
  if (id) body.set("seen", seen);
  const result = await post(id ? `/drafts/${id}` : "/drafts", body);
  saving = false;
  if (!result.ok) {
    if (result.data?.status === 409) { collide(result.detail); return false; }
    saved.textContent = t("Not kept: {1} It is here still, and is tried again.", result.detail);
    saveTimer = setTimeout(save, AGAIN_MS);
    return false;
  }
  kept = text;
  version = String(result.data.version);
  if (!id) settle(String(result.data.id));
  form.elements.seen.value = version;
  conflict.hidden = true;
  saved.textContent = t("Saved by you, {1}", clock(result.data.saved_at));
  if (area.value !== kept) saveTimer = setTimeout(save, SAVE_MS);
  return true;
}
// From the first saving on it has an address of its own.
function settle(given) {
  id = given;
  history.replaceState(null, "", `/drafts/${id}`);
  form.action = `/drafts/${id}`;
  const live = document.querySelector("[data-live-link]");
  live.href = `/drafts/${id}/live`;
  live.hidden = false;
  const trial = document.querySelector("[data-backtest-form]");
  trial.action = `/drafts/${id}/backtest`;
  trial.hidden = false;
  document.querySelector("[data-backtest]").dataset.url = `/drafts/${id}/backtest`;
  document.querySelector("[data-why-form]").hidden = false;
}
function collide(words) {
  clearTimeout(saveTimer);
  conflict.hidden = false;
  conflict.querySelector("[data-conflict-text]").textContent = `${words.replace(/[.;].*$/, "")}. ${t("What you wrote is not kept until you choose.")}`;
  saved.textContent = t("Not kept");
}
const latest = async () => { const answer = await fetch(`/api/drafts/${id}`).catch(() => null); return answer?.ok ? answer.json() : null; };
async function takeTheirs(theirs) {
  const at = area.selectionStart;
  area.value = kept = theirs.text;
  area.setSelectionRange(at, at);
  version = String(theirs.version);
  form.elements.seen.value = version;
  conflict.hidden = true;
  saved.textContent = t("Saved by {1}, {2}", theirs.saved_by, clock(theirs.saved_at));
  draw();
  check();
}
conflict.querySelector("[data-theirs]").addEventListener("click", async () => {
  if (!id) { location.reload(); return; }
  const mine = area.value;
  const theirs = await latest();
  if (!theirs) { toast(t("No connection. Nothing was changed.")); return; }
  await takeTheirs(theirs);
  toast(t("Theirs is shown."), () => { area.value = mine; area.dispatchEvent(new Event("input")); });
});
conflict.querySelector("[data-mine]").addEventListener("click", () => save(""));
document.addEventListener("live", async (event) => {
  const concerned = event.detail.reload || event.detail.draft?.includes(id);
  if (!id || !concerned || saving) return;
  const theirs = await latest();
  if (!theirs || String(theirs.version) === version || saving) return;
  if (theirs.state !== "open") { location.reload(); return; }
  if (area.value === kept) takeTheirs(theirs); else collide(t("{1} changed this draft just now", theirs.saved_by));
});

area.addEventListener("input", () => {
  draw();
  clearTimeout(checkTimer);
  checkTimer = setTimeout(check, CHECK_MS);
  clearTimeout(saveTimer);
  if (conflict.hidden) { saved.textContent = t("Writing…"); saveTimer = setTimeout(save, SAVE_MS); }
});
startCompletion(area, form.querySelector("#offers"), () => area.dispatchEvent(new Event("input")));
area.addEventListener("scroll", follow);
area.addEventListener("keydown", (event) => {
  // The next line begins where this one does; Tab goes on to the next control, as everywhere.
  if (event.key !== "Enter" || event.metaKey || event.ctrlKey || event.isComposing) return;
  const line = area.value.slice(0, area.selectionStart).split("\n").pop();
  const indent = line.match(/^\s*(?:- )?/)[0].replace("-", " ");
  if (!indent) return;
  event.preventDefault();
  area.setRangeText(`\n${indent}`, area.selectionStart, area.selectionEnd, "end");
  area.dispatchEvent(new Event("input"));
});
form.addEventListener("submit", async (event) => { event.preventDefault(); clearTimeout(checkTimer); await Promise.all([save(), check()]); });
document.querySelector("[data-live-link]")?.addEventListener("click", async (event) => {
  if (area.value === kept) return;
  event.preventDefault();
  if (await save()) location.href = event.target.closest("a").href;
});
addEventListener("beforeunload", (event) => { if (area.value !== kept && !area.readOnly) event.preventDefault(); });
addEventListener("online", () => save());

/* Trying it on the past */
const trial = document.querySelector("[data-backtest-form]");
const outcome = document.querySelector("[data-backtest]");
async function watch() {
  const answer = await fetch(outcome.dataset.url).catch(() => null);
  if (answer?.ok) outcome.innerHTML = await answer.text();
  if (!answer || outcome.querySelector("[data-going]")) setTimeout(watch, 500);
}
async function sent(file) {
  if (!file) return post(trial.action, new URLSearchParams({ span: trial.elements.span.value }));
  const url = new URL(trial.action);
  url.searchParams.set("name", file.name);
  if (trial.elements.profile.value) url.searchParams.set("profile", trial.elements.profile.value);
  const head = { Accept: "application/json", "Content-Type": "text/csv", "X-CSRF-Token": document.querySelector('meta[name="csrf"]').content };
  const answer = await fetch(url, { method: "POST", body: file, headers: head }).catch(() => null);
  if (!answer) return { ok: false, detail: t("No connection. Nothing was changed.") };
  return { ok: answer.ok, detail: (await answer.json().catch(() => ({}))).detail || t("That did not work.") };
}
trial?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const error = trial.querySelector(".error");
  const file = trial.elements.span.value ? null : trial.elements.file.files[0];
  error.textContent = "";
  if (!trial.elements.span.value && !file) { error.textContent = t("Choose a file first."); trial.querySelector("[data-file]").open = true; trial.elements.file.focus(); return; }
  if (!(await save())) { error.textContent = t("The draft is not kept yet."); return; }
  const result = await sent(file);
  if (!result.ok) error.textContent = result.detail;
  watch();
});
trial?.elements.span.addEventListener("change", () => { if (!trial.elements.span.value) { trial.querySelector("[data-file]").open = true; trial.elements.file.focus(); } });
trial?.elements.file.addEventListener("change", () => { trial.elements.span.value = trial.elements.file.files.length ? "" : "7d"; });
outcome.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-stop]");
  if (button) { await post(button.dataset.stop); watch(); }
});
if (outcome.querySelector("[data-going]")) watch();

/* Why and why not, on one device */
const asking = document.querySelector("[data-why-form]");
async function why() {
  if (!id || !asking.elements.device_id.value) return;
  const answer = await fetch(`/drafts/${id}/why?device_id=${encodeURIComponent(asking.elements.device_id.value)}`).catch(() => null);
  if (answer?.ok) document.querySelector("[data-why]").innerHTML = await answer.text();
}
asking.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (await save()) why();
});

form.classList.add("lit");
draw();
check();

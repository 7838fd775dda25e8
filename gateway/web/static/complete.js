// What may stand where the caret is: settings of the kind, their values, fields and functions in conditions.
const CONDITIONS = /^\s*(?:- )?(when|clear_when|moved_while|unless|first|then|then_not|without)\s*:\s/;
const MOST = 40;

/** Offer words in `area` (a monospaced text area of 20 px lines) in `list`; `again` runs after one was taken. */
export function startCompletion(area, list, again) {
  let known = null;
  let offers = [];
  let chosen = 0;
  let asked = false;

  const learn = async () => {
    if (known || asked) return;
    asked = true;
    const answer = await fetch("/drafts/completions.json").catch(() => null);
    if (answer?.ok) known = await answer.json(); else asked = false;
  };
  const lineAt = () => area.value.slice(area.value.lastIndexOf("\n", area.selectionStart - 1) + 1, area.selectionStart);
  // The rule that the caret stands in: what its lines above and below say of kind and profile.
  const said = (name) => {
    const lines = area.value.split("\n");
    const at = area.value.slice(0, area.selectionStart).split("\n").length - 1;
    const begins = (line) => /^\s*- id:/.test(line);
    let first = at;
    while (first > 0 && !begins(lines[first])) first -= 1;
    let last = at + 1;
    while (last < lines.length && !begins(lines[last])) last += 1;
    const found = lines.slice(first, last).map((line) => line.match(new RegExp(`(?:^|[\\s{,])${name}:\\s*\\[?([\\w.-]+)`))).find(Boolean);
    return found?.[1];
  };
  const fieldsOf = () => {
    const profile = said("profile");
    const sets = profile && known.fields[profile] ? [known.fields[profile]] : Object.values(known.fields);
    return [...new Map(sets.flat().map((field) => [field.name, field])).values()];
  };
  function fitting() {
    const line = lineAt();
    const word = line.match(/[\w.-]*$/)[0];
    const before = line.slice(0, line.length - word.length);
    const settings = known.settings[said("kind")] || [];
    let all = [];
    if (CONDITIONS.test(before) || CONDITIONS.test(`${before} `)) {
      all = [...fieldsOf().map((field) => ({ word: field.name, hint: [field.title, field.unit].filter(Boolean).join(", ") })), ...known.functions.map((each) => ({ word: each.example, hint: each.says }))];
    } else if (/^\s*(?:- )?$/.test(before)) {
      all = settings.map((setting) => ({ word: `${setting.name}: `, hint: setting.values.join(" | ") }));
    } else {
      const key = before.match(/([\w]+):\s*\[?(?:[\w.-]+,\s*)*$/)?.[1];
      const values = { kind: known.kinds, profile: known.profiles, inhibited_by: known.rules, of: known.rules, rule: known.rules }[key] || settings.find((setting) => setting.name === key)?.values || [];
      all = values.map((value) => ({ word: String(value), hint: "" }));
    }
    const lower = word.toLowerCase();
    return { word, all: all.filter((offer) => offer.word.toLowerCase().startsWith(lower) && offer.word.trim() !== `${word}:` && offer.word !== word).slice(0, MOST) };
  }
  function close() {
    list.hidden = true;
    area.removeAttribute("aria-activedescendant");
  }
  function draw() {
    list.replaceChildren(...offers.map((offer, index) => {
      const row = document.createElement("li");
      row.id = `offer-${index}`;
      row.role = "option";
      row.setAttribute("aria-selected", String(index === chosen));
      row.append(Object.assign(document.createElement("b"), { textContent: offer.word.trim() }), Object.assign(document.createElement("span"), { textContent: offer.hint }));
      row.addEventListener("mousedown", (event) => { event.preventDefault(); chosen = index; take(); });
      return row;
    }));
    area.setAttribute("aria-activedescendant", `offer-${chosen}`);
    list.children[chosen]?.scrollIntoView({ block: "nearest" });
  }
  async function offer(bidden) {
    await learn();
    if (!known || area.readOnly || area.selectionStart !== area.selectionEnd) { close(); return; }
    const found = fitting();
    if (!found.all.length || (!bidden && found.word.length < 2)) { close(); return; }
    offers = found.all;
    chosen = 0;
    list.hidden = false;
    const style = getComputedStyle(area);
    const column = lineAt().length - found.word.length;
    const line = area.value.slice(0, area.selectionStart).split("\n").length;
    const pen = document.createElement("canvas").getContext("2d");
    pen.font = style.font;
    list.style.insetInlineStart = `${Math.max(0, parseFloat(style.paddingLeft) + column * pen.measureText("m").width - area.scrollLeft)}px`;
    list.style.insetBlockStart = `${parseFloat(style.paddingTop) + line * 20 - area.scrollTop + 2}px`;
    draw();
  }
  function take() {
    const word = lineAt().match(/[\w.-]*$/)[0];
    area.setRangeText(offers[chosen].word, area.selectionStart - word.length, area.selectionStart, "end");
    close();
    again();
  }
  area.addEventListener("keydown", (event) => {
    if (event.key === " " && event.ctrlKey) { event.preventDefault(); offer(true); return; }
    if (list.hidden) return;
    if (event.key === "ArrowDown") chosen = Math.min(chosen + 1, offers.length - 1);
    else if (event.key === "ArrowUp") chosen = Math.max(chosen - 1, 0);
    else if (event.key === "Enter" || event.key === "Tab") { event.preventDefault(); event.stopImmediatePropagation(); take(); return; }
    else if (event.key === "Escape") { event.stopPropagation(); close(); return; }
    else return;
    event.preventDefault();
    draw();
  });
  area.addEventListener("input", (event) => { if (event.inputType?.startsWith("insertText") || !list.hidden) offer(false); });
  area.addEventListener("blur", close);
  area.addEventListener("scroll", close);
}

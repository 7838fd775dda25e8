// The phones: a snapshot first, then every change as it comes (server-sent events). Nothing here is drawn from strings
// of markup: messages are text, and a mail's HTML stays in a sandboxed frame of its own.

import { CHANNELS, directionOf, languageOf, placeOf, wordsFor } from "./words.js";

const ICONS = {
  sms: "M4 4h16a2 2 0 0 1 2 2v9a2 2 0 0 1-2 2H9l-5 4v-4a2 2 0 0 1-2-2V6a2 2 0 0 1 2-2Z",
  whatsapp: "M12 2a10 10 0 0 0-8.6 15.1L2 22l5-1.3A10 10 0 1 0 12 2Zm-3.2 5c.3 0 .6 0 .8.5l.8 1.9c.1.3 0 .5-.2.8l-.6.7a7 7 0 0 0 3.6 3.2l.9-1c.2-.3.5-.3.8-.2l1.9.9c.4.2.5.4.4.8-.1 1.3-1.3 2.3-2.5 2.2C11 16.600 7.500 13.200 7.100 9.600 7 8.300 7.800 7.100 8.800 7Z",
  email: "M3 5h18a1 1 0 0 1 1 1v12a1 1 0 0 1-1 1H3a1 1 0 0 1-1-1V6a1 1 0 0 1 1-1Zm1.500 2 7.500 6 7.500-6",
  home: "M6 2h12a2 2 0 0 1 2 2v16a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2V4a2 2 0 0 1 2-2Zm5 16h2",
  flight: "M21 15v-2l-8-5V3.500a1.500 1.500 0 0 0-3 0V8l-8 5v2l8-2.500V18l-2 1.500V21l3.500-1 3.500 1v-1.500L13 18v-5.500Z",
  moon: "M20 14.500A8.500 8.500 0 0 1 9.500 4a8.500 8.500 0 1 0 10.500 10.500Z",
  back: "M15 5l-7 7 7 7",
  send: "M3 11.500 21 3l-6 18-3.500-7.500Z",
};
const URL_IN_TEXT = /https?:\/\/[^\s<>"]+[^\s<>".,;:!?)\]]/g;
const STAY_MS = 20_000; // A visitor who chose an app on a phone keeps it for so long when another message comes.

/** Make an element: h("p", { class: "x", onclick }, child, "text"). */
function h(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", `icon icon-${name}`);
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** Text with its links made clickable. */
function linked(text) {
  const parts = [];
  let from = 0;
  for (const match of text.matchAll(URL_IN_TEXT)) {
    if (!URL.canParse(match[0])) continue;
    parts.push(text.slice(from, match.index));
    parts.push(h("a", { href: match[0], target: "_blank", rel: "noopener noreferrer", title: match[0], dir: "ltr" }, match[0].replace(/^https?:\/\//, "")));
    from = match.index + match[0].length;
  }
  return [...parts, text.slice(from)];
}

const time = {
  base: Date.now(), at: performance.now(), speed: 1,
  set({ now, speed }) { this.base = Date.parse(now); this.at = performance.now(); this.speed = speed; },
  now() { return new Date(this.base + (performance.now() - this.at) * this.speed); },
};

class Phone {
  constructor(data, company, number) {
    this.id = data.id;
    this.number = number;
    this.name = data.name;
    this.company = company;
    this.locale = data.locale;
    this.words = wordsFor(data.locale);
    this.quietHours = data.quiet_hours;
    this.messages = new Map();
    this.unread = { sms: 0, whatsapp: 0, email: 0 };
    this.app = "home";
    this.choseAt = -Infinity;
    const zone = { timeZone: data.timezone };
    this.clock = new Intl.DateTimeFormat(data.locale, { hour: "2-digit", minute: "2-digit", ...zone });
    this.date = new Intl.DateTimeFormat(data.locale, { weekday: "long", day: "numeric", month: "long", ...zone });
    this.day = new Intl.DateTimeFormat("en-CA", { ...zone });
    this.wall = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", ...zone });
    this.shortDay = new Intl.DateTimeFormat(data.locale, { day: "numeric", month: "short", ...zone });
    this.build(data);
    this.setReachable(data.reachable);
    this.tick();
  }

  build(data) {
    const words = this.words;
    const heading = `name-${this.number}`;
    this.bar = h("time", { class: "bar-time" });
    this.quiet = h("span", { class: "quiet", hidden: true }, icon("moon"), h("span", { class: "sr" }, words.quiet));
    this.plane = h("span", { class: "plane", hidden: true }, icon("flight"));
    this.lockTime = h("p", { class: "lock-time", "aria-hidden": "true" });
    this.lockDate = h("p", { class: "lock-date" });
    this.lockNote = h("p", { class: "lock-note" }, words.none);
    this.views = {
      home: h("section", { class: "view lock", "aria-label": placeOf(data.timezone) }, this.lockDate, this.lockTime, this.lockNote),
      sms: this.thread("sms"),
      whatsapp: this.thread("whatsapp"),
      email: this.mailbox(),
    };
    this.tabs = Object.fromEntries(["home", "sms", "whatsapp", "email"].map((app) => [app, this.tab(app)]));
    this.screen = h("div", { class: "screen", lang: data.locale, dir: directionOf(data.locale) },
      h("div", { class: "bar" }, this.bar, h("span", { class: "bar-signs" }, this.quiet, this.plane, h("span", { class: "battery", "aria-hidden": "true" }))),
      ...Object.values(this.views),
      h("nav", { class: "dock", "aria-label": `${this.name}: apps` }, ...Object.values(this.tabs)));
    this.receipt = h("p", { class: "receipt" });
    this.flight = h("button", {
      type: "button", class: "flight", title: "Flight mode: messages wait at the provider, and no receipt comes",
      onclick: () => this.post("reachable", { reachable: !this.reachable }),
    }, icon("flight"), h("span", {}, "Flight mode"));
    this.error = h("p", { class: "error", role: "alert" });
    this.element = h("li", { class: "phone", id: `phone-${encodeURIComponent(this.id)}`, tabindex: "-1", "aria-labelledby": heading },
      h("div", { class: "case" }, h("span", { class: "speaker", "aria-hidden": "true" }), this.screen),
      h("div", { class: "caption" },
        h("div", {}, h("h2", { id: heading }, h("bdi", {}, this.name)), h("p", { class: "who" }, `${languageOf(data.locale)} · ${placeOf(data.timezone)}`)),
        this.flight),
      this.receipt, this.error);
    this.open("home");
  }

  tab(app) {
    const label = app === "home" ? "Home" : CHANNELS[app];
    const badge = h("span", { class: "badge", hidden: true });
    const tab = h("button", {
      type: "button", class: `tab tab-${app}`, "aria-label": label, title: label, hidden: app !== "home",
      onclick: () => { this.choseAt = performance.now(); this.open(app); },
    }, icon(app), badge);
    return Object.assign(tab, { badge });
  }

  thread(channel) {
    const words = this.words;
    const peer = h("span", { class: "peer", dir: "auto" });
    const log = h("ol", { class: "log", "aria-label": `${this.name}: ${CHANNELS[channel]}`, tabindex: "0" });
    const field = h("textarea", { rows: "1", maxlength: "1600", placeholder: words.write, "aria-label": `${words.write}: ${this.name}, ${CHANNELS[channel]}`, dir: "auto", enterkeyhint: "send" });
    const send = async () => {
      const text = field.value.trim();
      if (text && await this.post("replies", { channel, text })) {
        field.value = "";
        field.style.height = "";
      }
    };
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        send();
      }
    });
    field.addEventListener("input", () => {
      field.style.height = "auto";
      field.style.height = `${Math.min(field.scrollHeight, 88)}px`;
    });
    const form = h("form", { class: "compose", onsubmit: (event) => { event.preventDefault(); send(); } },
      field, h("button", { type: "submit", "aria-label": words.send, title: words.send }, icon("send")));
    const view = h("section", { class: `view thread thread-${channel}`, "aria-label": CHANNELS[channel], hidden: true },
      h("header", { class: "contact" }, h("span", { class: "avatar", "aria-hidden": "true" }, this.company.slice(0, 1)), h("span", { class: "who-is" }, h("b", { dir: "auto" }, this.company), peer)), log, form);
    return Object.assign(view, { log, peer, last: null });
  }

  mailbox() {
    const list = h("ol", { class: "mails" });
    const reading = h("div", { class: "reading", hidden: true });
    const heading = h("header", { class: "contact mail-head" }, h("b", {}, this.words.inbox));
    const view = h("section", { class: "view mailbox", "aria-label": CHANNELS.email, hidden: true }, heading, list, reading);
    return Object.assign(view, { list, reading, heading });
  }

  open(app) {
    this.app = app;
    if (app in this.unread) this.unread[app] = 0;
    for (const [name, view] of Object.entries(this.views)) view.hidden = name !== app;
    for (const [name, tab] of Object.entries(this.tabs)) {
      tab.setAttribute("aria-pressed", name === app);
      tab.badge.hidden = !this.unread[name];
      tab.badge.textContent = this.unread[name] || "";
    }
    this.scroll();
  }

  scroll() {
    const log = this.views[this.app].log;
    if (log) log.scrollTop = log.scrollHeight;
  }

  setReachable(reachable) {
    this.reachable = reachable;
    this.plane.hidden = reachable;
    this.flight.setAttribute("aria-pressed", !reachable);
    this.element.classList.toggle("away", !reachable);
  }

  tick() {
    const now = time.now();
    const shown = this.clock.format(now);
    if (shown === this.shown) return;
    this.shown = shown;
    this.bar.textContent = this.lockTime.textContent = shown;
    this.bar.dateTime = now.toISOString();
    this.lockDate.textContent = this.date.format(now);
    const wall = this.wall.format(now);
    const hour = Number(wall.slice(0, 2));
    this.screen.dataset.sky = hour < 5 || hour >= 21 ? "night" : hour < 8 ? "dawn" : hour < 18 ? "day" : "dusk";
    const [begins, ends] = this.quietHours?.split("-") ?? [];
    const quiet = begins && (begins < ends ? wall >= begins && wall < ends : wall >= begins || wall < ends);
    this.quiet.hidden = !quiet;
    this.quiet.title = quiet ? `${this.words.quiet} ${this.quietHours.replace("-", "–")}` : "";
  }

  /** Take a message that is new or has changed; `live` unless it is from the snapshot. Tells whether it just appeared. */
  take(message, live) {
    const before = this.messages.get(message.id);
    this.messages.set(message.id, message);
    if (message.direction === "in") this.showReceipt(message);
    if (!message.on_phone) return false;
    const appeared = !before?.on_phone;
    if (appeared) this.appear(message, live);
    else if (message.direction === "out") this.showTicks(message);
    return appeared;
  }

  appear(message, live) {
    const { channel } = message;
    const view = this.views[channel];
    this.tabs[channel].hidden = false;
    this.lockNote.textContent = "";
    if (channel === "email") view.list.prepend(this.mailRow(message));
    else {
      view.peer.textContent = message.peer === this.company ? "" : message.peer;
      const shownAt = new Date(message.changed_at ?? message.at);
      const day = this.day.format(shownAt);
      if (day !== view.last) view.log.append(h("li", { class: "day" }, day === this.day.format(time.now()) ? this.words.today : this.shortDay.format(shownAt)));
      view.last = day;
      view.log.append(this.bubble(message, shownAt, live));
    }
    const busy = this.screen.contains(document.activeElement) || performance.now() - this.choseAt < STAY_MS;
    if (message.direction === "in" && this.app !== channel && live && busy) {
      this.unread[channel] += 1;
      this.open(this.app);
    } else if (message.direction === "in" || this.app === channel) this.open(channel);
    if (live && message.direction === "in") {
      this.element.classList.remove("rings");
      void this.element.offsetWidth; // The animation begins anew only after a layout in between.
      this.element.classList.add("rings");
    }
  }

  bubble(message, shownAt, live) {
    const outgoing = message.direction === "out";
    const at = h("time", { datetime: shownAt.toISOString() }, this.clock.format(shownAt));
    const ticks = outgoing ? h("span", { class: "ticks", id: `ticks-${message.id}` }) : null;
    const bubble = h("li", { class: `bubble ${outgoing ? "mine" : "theirs"}${live ? " pops" : ""}` },
      h("p", { dir: "auto" }, ...linked(message.text)), h("span", { class: "meta" }, at, ticks));
    if (outgoing) this.showTicks(message, ticks);
    return bubble;
  }

  showTicks(message, ticks = this.element.querySelector(`#ticks-${message.id}`)) {
    const words = { sent: this.words.sent, received: this.words.received, failed: this.words.failed };
    const sign = message.channel === "whatsapp" ? { sent: "✓", received: "✓✓", failed: "!" }[message.status] : words[message.status];
    ticks.textContent = sign;
    ticks.title = words[message.status];
    ticks.dataset.status = message.status;
    ticks.setAttribute("aria-label", words[message.status]);
  }

  mailRow(message) {
    const at = new Date(message.at);
    const snippet = message.text.replace(/\s+/g, " ").slice(0, 90);
    const row = h("li", {}, h("button", { type: "button", class: "mail unread", onclick: () => { row.firstChild.classList.remove("unread"); this.read(message); } },
      h("b", { dir: "auto" }, message.peer), h("time", { datetime: at.toISOString() }, this.clock.format(at)),
      h("span", { class: "subject", dir: "auto" }, message.subject), h("span", { class: "snippet", dir: "auto" }, snippet)));
    return row;
  }

  read(message) {
    const { list, reading, heading } = this.views.email;
    const body = message.has_html
      ? h("iframe", { src: `/mails/${message.id}`, title: message.subject, sandbox: "allow-popups allow-popups-to-escape-sandbox" })
      : h("p", { class: "plain", dir: "auto" }, ...linked(message.text));
    const back = h("button", { type: "button", class: "back", "aria-label": this.words.back, onclick: () => {
      list.hidden = heading.hidden = false;
      reading.hidden = true;
      list.querySelector("button").focus();
    } }, icon("back"));
    reading.replaceChildren(h("div", { class: "reading-head" }, back, h("div", {}, h("h3", { dir: "auto" }, message.subject), h("p", { dir: "auto" }, message.peer))), body);
    list.hidden = heading.hidden = true;
    reading.hidden = false;
    back.focus();
  }

  showReceipt(message) {
    const when = message.changed_at ? ` ${this.wall.format(new Date(message.changed_at))}` : "";
    const code = message.error_code ? ` (${message.error_code})` : "";
    this.receipt.textContent = `${CHANNELS[message.channel]} · ${message.status}${when}${code}`;
    this.receipt.dataset.status = message.status;
  }

  async post(what, body) {
    this.error.textContent = "";
    try {
      const answer = await fetch(`/phones/${encodeURIComponent(this.id)}/${what}`, {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
      });
      if (answer.ok) return true;
      this.error.textContent = `Not sent: ${await answer.text()}.`;
    } catch {
      this.error.textContent = "Not sent: the phones’ server does not answer.";
    }
    return false;
  }
}

const page = {
  phones: new Map(),
  list: document.getElementById("phones"),
  latest: document.getElementById("latest"),
  said: document.getElementById("said"),
  show: "all",

  snapshot({ clock, phones, messages, company }) {
    time.set(clock);
    const only = new URLSearchParams(location.search).get("customer");
    const shown = phones.filter((phone) => !only || phone.id === only);
    const chosen = new Map([...this.phones].map(([id, phone]) => [id, phone.app]));
    this.phones = new Map(shown.map((phone, number) => [phone.id, new Phone(phone, company, number)]));
    this.list.replaceChildren(...[...this.phones.values()].map((phone) => phone.element));
    document.body.classList.toggle("single", Boolean(only));
    this.latest.replaceChildren();
    for (const message of messages) this.message(message, false);
    for (const [id, app] of chosen) if (app !== "home") this.phones.get(id)?.open(app);
    this.count();
  },

  message(message, live) {
    const phone = this.phones.get(message.customer_id);
    if (!phone?.take(message, live)) return;
    if (message.direction === "in") this.tell(phone, message, live);
    this.count();
  },

  tell(phone, message, live) {
    const said = message.subject || message.text;
    const link = h("a", { href: `#${encodeURIComponent(phone.element.id)}` }, h("time", {}, phone.wall.format(new Date(message.at))),
      h("b", { dir: "auto" }, phone.name), h("span", { class: "via" }, CHANNELS[message.channel]), h("span", { class: "words", dir: "auto", lang: phone.locale }, said));
    this.latest.prepend(h("li", {}, link));
    while (this.latest.children.length > 3) this.latest.lastChild.remove();
    if (live) this.said.textContent = `${phone.name}: new message by ${CHANNELS[message.channel]}.`;
  },

  count() {
    const written = [...this.phones.values()].filter((phone) => [...phone.messages.values()].some((m) => m.on_phone));
    document.querySelector('[data-count="all"]').textContent = this.phones.size;
    document.querySelector('[data-count="written"]').textContent = written.length;
    for (const phone of this.phones.values()) phone.element.hidden = this.show === "written" && !written.includes(phone);
    document.getElementById("empty").hidden = !(this.show === "written" && written.length === 0);
  },
};

for (const button of document.querySelectorAll("[data-show]")) {
  button.addEventListener("click", () => {
    page.show = button.dataset.show;
    for (const other of document.querySelectorAll("[data-show]")) other.setAttribute("aria-pressed", other === button);
    page.count();
  });
}

const themes = ["auto", "light", "dark"];
const themeButton = document.getElementById("theme");
let theme = "auto";
function setTheme(chosen) {
  theme = chosen;
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  themeButton.textContent = `Theme: ${theme}`;
}
themeButton.addEventListener("click", () => setTheme(themes[(themes.indexOf(theme) + 1) % themes.length]));

// A link of the list above brings the keyboard along.
addEventListener("hashchange", () => document.getElementById(decodeURIComponent(location.hash.slice(1)))?.focus());
setInterval(() => { for (const phone of page.phones.values()) phone.tick(); }, 500);

const events = new EventSource("/events");
const on = (name, act) => events.addEventListener(name, (event) => act(JSON.parse(event.data)));
on("snapshot", (data) => page.snapshot(data));
on("message", (message) => page.message(message, true));
on("phone", (phone) => page.phones.get(phone.id)?.setReachable(phone.reachable));
on("clock", (clock) => time.set(clock));
events.addEventListener("open", () => { document.getElementById("offline").hidden = true; });
events.addEventListener("error", () => { document.getElementById("offline").hidden = false; });

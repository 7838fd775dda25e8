// A cursor for the charts that gateway/history/chart.py draws: read a sample by pointer, by touch or by keys.
// To a screen reader it is a slider over the samples, whose value is said as "14:05, −8.3 °C".
import { t } from "./words.js";

// Digits as they are on displays of devices everywhere, also in Arabic.
const LANGUAGE = document.documentElement.lang || "en";
const LOCALE = { en: "en-GB", ar: "ar-u-nu-latn" }[LANGUAGE] ?? LANGUAGE;
const SVG = "http://www.w3.org/2000/svg";

function element(name, attributes, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function numbers(text) {
  return text.split(" ").map(Number);
}

class Cursor {
  constructor(svg) {
    const { points, plot, time, range, unit, decimals, zone, kind } = svg.dataset;
    this.svg = svg;
    this.points = JSON.parse(points);
    [this.left, this.right, this.top, this.bottom] = numbers(plot);
    [this.since, this.until] = numbers(time);
    [this.low, this.high] = numbers(range);
    this.unit = unit;
    this.bool = kind === "bool";
    this.number = new Intl.NumberFormat(LOCALE, {
      minimumFractionDigits: Number(decimals), maximumFractionDigits: Number(decimals), useGrouping: false,
    });
    const length = this.until - this.since;
    this.clock = new Intl.DateTimeFormat(LOCALE, {
      timeZone: zone, hour: "2-digit", minute: "2-digit",
      ...(length <= 600_000 && { second: "2-digit" }),
      ...(length > 86_400_000 && { day: "numeric", month: "short" }),
    });
    this.index = this.points.length - 1;
    this.build();
  }

  build() {
    this.line = element("line", { y1: this.top, y2: this.bottom });
    this.dot = element("circle", { r: 4.5 });
    this.box = element("rect", { height: 22, rx: 4, y: this.top + 2 });
    this.label = element("text", { y: this.top + 17 });
    this.mark = element("g", { class: "at" }, this.line, this.dot, this.box, this.label);
    const reach = element("rect", {
      class: "reach", x: this.left, y: this.top, width: this.right - this.left, height: this.bottom - this.top,
    });
    this.group = element("g", {
      class: "chart-cursor", tabindex: 0, role: "slider", "aria-orientation": "horizontal",
      "aria-label": t("{1}: read the samples", this.svg.querySelector("title").textContent),
      "aria-valuemin": 0, "aria-valuemax": this.points.length - 1,
    }, reach, this.mark);
    // The parts of an image are not spoken; a group's are.
    this.svg.setAttribute("role", "group");
    this.svg.append(this.group);
    this.say();
    reach.addEventListener("pointermove", (event) => this.point(event));
    reach.addEventListener("pointerdown", (event) => this.point(event));
    reach.addEventListener("pointerleave", () => this.group.matches(":focus-visible") || this.hide());
    this.group.addEventListener("focus", () => this.group.matches(":focus-visible") && this.show());
    this.group.addEventListener("blur", () => this.hide());
    this.group.addEventListener("keydown", (event) => this.press(event));
  }

  x(at) {
    return this.left + (this.right - this.left) * (at - this.since) / (this.until - this.since);
  }

  y(value) {
    return this.bottom - (this.bottom - this.top) * (value - this.low) / (this.high - this.low);
  }

  words([at, value]) {
    const said = this.bool ? (value ? t("yes") : t("no")) : this.number.format(value).replace("-", "−");
    return `${this.clock.format(at)}, ${said}${this.unit && !this.bool ? ` ${this.unit}` : ""}`;
  }

  point(event) {
    const scale = this.svg.viewBox.baseVal.width / this.svg.getBoundingClientRect().width;
    const x = (event.clientX - this.svg.getBoundingClientRect().left) * scale;
    const at = this.since + (x - this.left) / (this.right - this.left) * (this.until - this.since);
    this.move(this.nearest(at));
  }

  nearest(at) {
    let low = 0, high = this.points.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.points[middle][0] < at) low = middle + 1; else high = middle;
    }
    return low > 0 && at - this.points[low - 1][0] < this.points[low][0] - at ? low - 1 : low;
  }

  press(event) {
    const leap = Math.max(1, Math.round(this.points.length / 10));
    const to = {
      ArrowLeft: this.index - 1, ArrowDown: this.index - 1, ArrowRight: this.index + 1, ArrowUp: this.index + 1,
      PageDown: this.index - leap, PageUp: this.index + leap, Home: 0, End: this.points.length - 1,
    }[event.key];
    if (event.key === "Escape") this.hide();
    if (to === undefined) return;
    // The queue's own keys and the page's scrolling stay out of it.
    event.preventDefault();
    event.stopPropagation();
    this.move(to);
  }

  move(index) {
    this.index = Math.min(this.points.length - 1, Math.max(0, index));
    this.say();
    this.show();
  }

  say() {
    this.group.setAttribute("aria-valuenow", this.index);
    this.group.setAttribute("aria-valuetext", this.words(this.points[this.index]));
  }

  show() {
    const [at, value] = this.points[this.index], x = this.x(at);
    this.line.setAttribute("x1", x);
    this.line.setAttribute("x2", x);
    this.dot.setAttribute("cx", x);
    this.dot.setAttribute("cy", this.y(value));
    this.label.textContent = this.words(this.points[this.index]);
    this.mark.classList.add("shown");
    const width = this.label.getComputedTextLength() + 16;
    const left = x + 10 + width > this.right ? Math.max(this.left, x - 10 - width) : x + 10;
    this.box.setAttribute("width", width);
    this.box.setAttribute("x", left);
    this.label.setAttribute("x", left + 8);
  }

  hide() {
    this.mark.classList.remove("shown");
  }
}

/** Give every chart below `root` that has none yet its cursor. */
export function enhance(root = document) {
  for (const svg of root.querySelectorAll("svg.chart[data-points]")) {
    if (!svg.querySelector(".chart-cursor")) new Cursor(svg);
  }
}

enhance();
// The live feed replaces parts of the page, charts among them.
new MutationObserver((changes) => {
  if (changes.some((change) => [...change.addedNodes].some((node) => node.nodeType === 1))) enhance();
}).observe(document.body, { childList: true, subtree: true });

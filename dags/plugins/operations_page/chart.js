"use strict";

const COLOURS = ["#0e9aa7", "#e07a1f", "#7c5cd6", "#3f9142", "#d6456b", "#3b7dd8", "#a68a00", "#8c6d5a", "#c04fc0", "#6b8e9e"];
const WIDTH = 400;
const HEIGHT = 150;
const SVG = "http://www.w3.org/2000/svg";

function scaled(value, steps) {
  const [unit, size] = steps.find(([, of]) => Math.abs(value) >= of) ?? steps.at(-1);
  return `${+(value / size).toPrecision(3)}${unit}`;
}

const COUNT = [["G", 1e9], ["M", 1e6], ["k", 1e3], ["", 1]];
const AGE = [[" d", 86400], [" h", 3600], [" min", 60], [" s", 1], [" ms", 1e-3]];
const SIZE = [[" GB", 2 ** 30], [" MB", 2 ** 20], [" kB", 2 ** 10], [" B", 1]];
const UNITS = {
  number: (value) => scaled(value, COUNT),
  rows_per_second: (value) => `${scaled(value, COUNT)}/s`,
  per_second: (value) => `${scaled(value, COUNT)}/s`,
  seconds: (value) => (value ? scaled(value, AGE) : "0"),
  bytes: (value) => scaled(value, SIZE),
  share: (value) => `${+(100 * value).toFixed(1)} %`,
};

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function drawn(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

const ROUND_AGES = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800, 43200, 86400];

// A round number that is not smaller, so that the scale reads well.
function roundUp(value, unit) {
  if (value <= 0) return 0;
  if (unit === "seconds" && value > 86400) return 86400 * roundUp(value / 86400);
  if (unit === "seconds" && value > 0.5) return ROUND_AGES.find((round) => round >= value);
  if (unit === "bytes") return 2 ** Math.ceil(Math.log2(value));
  const size = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((part) => part * size).find((round) => round >= value * 0.999999);
}

const numbers = (values) => values.filter((value) => value != null);
const last = (values) => numbers(values).at(-1);
const clock = (seconds, long) =>
  new Date(seconds * 1000).toLocaleString("en-GB", long ? { day: "numeric", month: "short" } : { hour: "2-digit", minute: "2-digit" });

// Where a value is missing the line has a gap.
function path(values, low, high) {
  const x = (index) => ((index * WIDTH) / (values.length - 1)).toFixed(1);
  const y = (value) => (HEIGHT - ((value - low) * HEIGHT) / (high - low)).toFixed(1);
  return values
    .map((value, index) => (value == null ? "" : `${values[index - 1] == null ? "M" : "L"}${x(index)} ${y(value)}`))
    .join("");
}

function legendItem(line, colour, stroke, shown) {
  const mark = element("i");
  mark.style.background = colour;
  const item = element("li", { title: line.name }, mark, element("span", {}, line.name), element("b", {}, shown));
  item.addEventListener("click", () => {
    item.classList.toggle("off");
    stroke.classList.toggle("off");
  });
  return item;
}

// The values at the time under the pointer stand in the legend while it is there.
function followPointer(svg, items, lines, chart, show) {
  const at = drawn("line", { class: "at", y1: 0, y2: HEIGHT, visibility: "hidden" });
  svg.append(at);
  const told = (index) =>
    items.forEach((item, number) => {
      const value = index == null ? last(lines[number].values) : lines[number].values[index];
      item.lastChild.textContent = value == null ? "" : show(value);
    });
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const index = Math.round(((event.clientX - box.left) / box.width) * (chart.count - 1));
    if (index < 0 || index >= chart.count) return;
    const x = (index * WIDTH) / (chart.count - 1);
    at.setAttribute("x1", x);
    at.setAttribute("x2", x);
    at.setAttribute("visibility", "visible");
    told(index);
  });
  svg.addEventListener("pointerleave", () => {
    at.setAttribute("visibility", "hidden");
    told(null);
  });
}

// Text is set, never parsed: names come from data.
function chartOf(chart, unit) {
  const lines = chart.lines.filter((line) => last(line.values) != null).sort((a, b) => last(b.values) - last(a.values));
  if (!lines.length) return [element("div", { class: "empty" }, "nothing to show")];
  const show = UNITS[unit];
  const all = lines.flatMap((line) => numbers(line.values));
  const low = -roundUp(-Math.min(...all), unit);
  const high = roundUp(Math.max(...all), unit) || (low ? 0 : 1);
  const svg = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none" });
  for (const part of [0, 0.5, 1]) svg.append(drawn("line", { class: "grid", x1: 0, x2: WIDTH, y1: part * HEIGHT, y2: part * HEIGHT }));
  const items = lines.map((line, number) => {
    const colour = COLOURS[number % COLOURS.length];
    const stroke = drawn("path", { class: "data", d: path(line.values, low, high), stroke: colour });
    svg.append(stroke);
    return legendItem(line, colour, stroke, show(last(line.values)));
  });
  followPointer(svg, items, lines, chart, show);
  const end = chart.start + (chart.count - 1) * chart.step;
  const long = end - chart.start > 2 * 86400;
  const times = [chart.start, (chart.start + end) / 2, end].map((at) => element("span", {}, clock(at, long)));
  const scale = [high, (high + low) / 2, low].map((value) => element("span", {}, show(value)));
  return [
    element("div", { class: "plot" }, element("div", { class: "scale" }, ...scale), svg, element("div", { class: "times" }, ...times)),
    element("ul", { class: "legend" }, ...items),
  ];
}

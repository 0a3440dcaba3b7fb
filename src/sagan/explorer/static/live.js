// The run: its verdict, its curves, the grids that it drew. Looks again every few seconds while the page is seen.

import { get } from "./api.js";

const PERIOD = 5000;
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"]; // Okabe and Ito (2008)
const GROUPS = [
  ["Losses", /^loss\//],
  ["Logits of the discriminator", /^logit\//],
  ["Gamma of attention", /\/gamma$/],
  ["Entropy of attention", /\/entropy$/],
  ["Distance of attention", /\/distance$/],
  ["Score", /^score\//],
];
const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 300;
const HEIGHT = 120;

const make = (name, attributes, text) => {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
};

const short = (value) => (Math.abs(value) >= 1000 || (value && Math.abs(value) < 0.01) ? value.toExponential(1) : value.toPrecision(3));

function chart(title, steps, series) {
  const values = series.flatMap(([, column]) => column.filter((value) => value !== null));
  if (steps.length < 2 || !values.length) return null;
  let [low, high] = [Math.min(...values), Math.max(...values)];
  if (high - low < 1e-9) [low, high] = [low - 0.5, high + 0.5];
  const [start, end] = [steps[0], steps[steps.length - 1]];
  const x = (step) => ((step - start) / Math.max(end - start, 1)) * WIDTH;
  const y = (value) => HEIGHT - ((value - low) / (high - low)) * HEIGHT;
  const figure = document.createElement("figure");
  figure.className = "chart";
  const caption = document.createElement("figcaption");
  caption.append(`${title}: `);
  const drawing = make("svg", { viewBox: `-4 -12 ${WIDTH + 8} ${HEIGHT + 28}`, role: "img", preserveAspectRatio: "none" });
  drawing.setAttribute("aria-label", `${title} over the steps ${start} to ${end}, from ${short(low)} to ${short(high)}`);
  drawing.append(make("rect", { class: "frame", width: WIDTH, height: HEIGHT }));
  series.forEach(([name, column], index) => {
    const colour = COLOURS[index % COLOURS.length];
    const places = steps.map((step, at) => (column[at] === null ? null : `${x(step).toFixed(1)},${y(column[at]).toFixed(1)}`));
    drawing.append(make("polyline", { points: places.filter(Boolean).join(" "), fill: "none", stroke: colour, "stroke-width": 1.8, "vector-effect": "non-scaling-stroke" }));
    const key = document.createElement("span");
    key.className = "key";
    const line = document.createElement("i");
    line.style.borderColor = colour;
    key.append(line, name);
    caption.append(key);
  });
  figure.append(caption, drawing);
  const scale = document.createElement("p");
  scale.className = "muted small";
  scale.textContent = `${short(low)} to ${short(high)}, steps ${start.toLocaleString("en")} to ${end.toLocaleString("en")}`;
  figure.append(scale);
  return figure;
}

const nameOf = (column) => column.replace(/^(attention|loss|logit|score)\//, "").replace(/\/(gamma|entropy|distance)$/, "").replace(".attention", " ");

/** Fill the card of the run, and keep it filled; `changed` hears of a new list of checkpoints. */
export function watch(card, changed) {
  const part = (id) => card.querySelector(`#${id}`);
  const frames = part("frames");
  let grids = [];
  let seen = "";

  const show = () => {
    const step = grids[frames.value];
    if (step === undefined) return;
    part("frame-step").textContent = step.toLocaleString("en");
    part("frame").src = `/api/v1/run/grids/${step}`;
    part("frame").alt = `Pictures from fixed seeds, drawn at step ${step}`;
  };
  frames.addEventListener("input", show);

  const look = async () => {
    if (document.visibilityState === "visible") {
      try {
        const run = await get("/api/v1/run");
        card.hidden = false;
        part("verdict").textContent = run.verdict;
        const stamp = JSON.stringify([run.step, run.steps.length, run.grids, run.checkpoints]);
        if (stamp !== seen) {
          const columns = Object.entries(run.columns);
          const charts = GROUPS.map(([title, test]) => {
            const series = columns.filter(([name]) => test.test(name)).map(([name, column]) => [nameOf(name), column]);
            return chart(title, run.steps, series);
          });
          part("charts").replaceChildren(...charts.filter(Boolean));
          const atEnd = Number(frames.value) >= grids.length - 1;
          grids = run.grids;
          frames.max = Math.max(grids.length - 1, 0);
          if (atEnd) frames.value = frames.max;
          part("film").hidden = !grids.length;
          show();
          if (seen) changed();
          seen = stamp;
        }
      } catch { /* it is told elsewhere when the server is gone; the run is looked at again */ }
    }
    setTimeout(look, PERIOD);
  };
  look();
}

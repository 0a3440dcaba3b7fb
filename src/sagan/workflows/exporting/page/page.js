// The page: shows sixteen pictures and a large one, and where the network looked while it drew it.

import { column, distance, entropy, largest, placeOf, row } from "./attention.js";
import { labelOf } from "./latents.js";
import { Pool } from "./pool.js";
import { Canvas, dot, listen } from "./stage.js";

const PAGE = 16;
const LAST = 2n ** 63n - BigInt(PAGE);
const UNBOUND = 2.1; // the slider's right end: no truncation
const COLOURS = ["#ff2020", "#00d23c", "#2846ff", "#00e0ff", "#ff20e0", "#ff9600", "#faeb28", "#8c3cdc", "#a05a28", "#008c82"];
const $ = (id) => document.getElementById(id);
const percent = (value) => `${(100 * value).toFixed(value < 0.1 ? 1 : 0)} %`;
const stage = new Canvas($("picture"));

const facts = JSON.parse($("facts").textContent);
let pool; // what draws
let state; // what is seen, as the part of the address behind #
let shown = null; // the picture on the stage: {pixels, views, wish}
let pointer = null; // the pixel pointed at
let turning = new AbortController(); // the page of samples that is being drawn
let looking = new AbortController();

function tell(text) {
  $("notice").textContent = text;
  $("notice").hidden = !text;
}

// The address -------------------------------------------------------------------------------------------------------

function wholeNumber(text) {
  return /^\d{1,19}$/.test(text ?? "") && BigInt(text) <= LAST ? BigInt(text) : null;
}

function read() {
  const words = new URLSearchParams(location.hash.slice(1));
  const first = wholeNumber(words.get("first")) ?? 0n;
  const bound = Number(words.get("trunc"));
  const classes = facts.classes.includes(words.get("class")) ? words.get("class") : "";
  const pins = (words.get("at") ?? "").split(";").map((pair) => /^(\d{1,4}),(\d{1,4})$/.exec(pair)).filter(Boolean);
  state = {
    first,
    seed: wholeNumber(words.get("seed")) ?? first,
    trunc: bound >= 0.2 && bound <= 2 ? bound : 0,
    class: classes,
    layer: facts.attention.includes(words.get("layer")) ? words.get("layer") : (facts.attention[0] ?? ""),
    mode: words.get("mode") === "reverse" ? "reverse" : "row",
    style: words.get("style") === "colour" ? "colour" : "light",
    pins: pins.map(([, x, y]) => [Number(x), Number(y)]).filter(([x, y]) => x < facts.resolution && y < facts.resolution),
  };
}

function remember() {
  const words = new URLSearchParams({ seed: state.seed });
  const usual = { first: 0n, trunc: 0, class: "", layer: facts.attention[0] ?? "", mode: "row", style: "light" };
  for (const [name, value] of Object.entries(usual)) if (state[name] !== value) words.set(name, state[name]);
  const pins = state.pins.map((pin) => pin.join(",")).join(";");
  history.replaceState(null, "", `#${words}${pins ? `&at=${pins}` : ""}`);
  const typed = [`--seeds ${state.seed}`];
  if (state.class) typed.push(`--classes ${quoted(state.class)}`);
  if (state.trunc) typed.push(`--trunc ${state.trunc}`);
  $("command").textContent = `sagan sample RUN ${typed.join(" ")}`;
}

const quoted = (word) => (/^[\w.-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

// Drawing -----------------------------------------------------------------------------------------------------------

/** What a seed is drawn with: the class is the seed's own unless one was chosen. */
function wishOf(seed, maps) {
  const chosen = facts.classes.indexOf(state.class);
  return { seed, label: chosen < 0 ? labelOf(seed, facts.classes.length) : chosen, truncation: state.trunc, maps };
}

/** Pixels of 1, 3 or 4 channels as RGB, transparent ones over white. */
function rgb(pixels) {
  const { channels } = facts;
  if (channels === 3) return pixels;
  const colours = new Uint8ClampedArray((pixels.length / channels) * 3);
  for (let from = 0, to = 0; from < pixels.length; from += channels, to += 3) {
    for (let band = 0; band < 3; band++) {
      const value = pixels[from + (channels > 2 ? band : 0)];
      const cover = channels % 2 ? 1 : pixels[from + channels - 1] / 255;
      colours[to + band] = value * cover + 255 * (1 - cover);
    }
  }
  return colours;
}

/** Run what may be dropped or fail; say the latter in one line. */
async function attempt(action) {
  try {
    await action();
  } catch (error) {
    if (error.name !== "AbortError") tell(`Something went wrong: ${error.message}`);
  }
}

function turn() {
  turning.abort();
  turning = new AbortController();
  const { signal } = turning;
  remember();
  $("first").value = state.first;
  $("previous").disabled = state.first === 0n;
  const cards = [...Array(PAGE).keys()].map((number) => {
    const seed = state.first + BigInt(number), wish = wishOf(seed, false);
    const card = document.createElement("button");
    card.type = "button";
    card.className = "sample";
    card.dataset.seed = seed;
    const canvas = document.createElement("canvas");
    const words = document.createElement("span");
    words.textContent = facts.classes.length ? `${seed} · ${facts.classes[wish.label]}` : `${seed}`;
    card.setAttribute("aria-label", `Seed ${words.textContent}`);
    card.append(canvas, words);
    card.addEventListener("click", () => choose(seed));
    attempt(async () => {
      const { pixels } = await pool.draw(wish, signal);
      const small = new Canvas(canvas, 1);
      small.load(rgb(pixels), facts.resolution);
      small.draw();
    });
    return card;
  });
  $("grid").replaceChildren(...cards);
  mark();
}

function mark() {
  for (const card of $("grid").children) card.setAttribute("aria-pressed", String(card.dataset.seed === String(state.seed)));
}

function choose(seed) {
  state.seed = seed;
  mark();
  look();
}

async function look() {
  looking.abort();
  looking = new AbortController();
  const { signal } = looking;
  remember();
  document.body.classList.add("busy");
  await attempt(async () => {
    const wish = wishOf(state.seed, true), start = performance.now();
    const drawn = await pool.draw(wish, signal);
    if (signal.aborted) return;
    shown = { ...drawn, wish };
    $("pace").textContent = `${Math.max(1, Math.round(performance.now() - start))} ms`;
    stage.load(rgb(drawn.pixels), facts.resolution);
    const name = facts.classes[wish.label];
    $("subject").textContent = name === undefined ? `Seed ${state.seed}` : `Seed ${state.seed} · ${name}`;
    paint();
    document.body.classList.remove("busy");
  });
}

// Attention ---------------------------------------------------------------------------------------------------------

function mapAt([x, y]) {
  const view = shown.views[state.layer];
  if (!view) return null;
  if (state.mode === "reverse") {
    const key = placeOf(x, y, view.keySide, facts.resolution);
    return { weights: column(view, key), side: view.side, query: key };
  }
  const query = placeOf(x, y, view.side, facts.resolution);
  return { weights: row(view, query), side: view.keySide, query };
}

function centreOf(place, side) {
  const pixel = (cell) => Math.floor(((2 * cell + 1) * facts.resolution) / (2 * side));
  return `${pixel(place % side)},${pixel(Math.floor(place / side))}`;
}

function describe([x, y], map) {
  const view = shown.views[state.layer], best = largest(map.weights), here = `Pixel ${x},${y}`;
  if (state.mode === "reverse") return `${here} is looked at most from ${centreOf(best, map.side)}, with ${percent(map.weights[best])} of its attention.`;
  const spread = `entropy ${entropy(map.weights).toFixed(2)}, distance ${distance(map.weights, view.keySide, map.query, view.side).toFixed(2)}`;
  return `${here} looks most at ${centreOf(best, map.side)} (${percent(map.weights[best])}); ${spread}.`;
}

function place([x, y], element) {
  element.style.left = `${(100 * (x + 0.5)) / facts.resolution}%`;
  element.style.top = `${(100 * (y + 0.5)) / facts.resolution}%`;
  return element;
}

function paint() {
  if (!shown) return;
  const point = pointer ?? state.pins.at(-1) ?? null;
  const map = point && mapAt(point);
  stage.draw(map?.weights, map?.side, state.style);
  const idle = facts.attention.length ? "Point at the picture to see where the network looked; click to keep the point." : "";
  $("readout").textContent = map ? describe(point, map) : idle;
  $("clear").hidden = !state.pins.length;
  const marks = state.pins.map((pin, number) => place(pin, dot(number + 1, COLOURS[number % COLOURS.length])));
  if (pointer && facts.attention.length) {
    const cursor = place(pointer, document.createElement("span"));
    cursor.className = "dot cursor";
    marks.push(cursor);
  }
  $("dots").replaceChildren(...marks);
}

let due = 0;
function paintSoon() {
  due ||= requestAnimationFrame(() => {
    due = 0;
    paint();
  });
}

// Putting it together -----------------------------------------------------------------------------------------------

function show() {
  $("truncation").value = state.trunc || UNBOUND;
  $("truncation-value").textContent = state.trunc ? state.trunc.toFixed(1) : "none";
  $("class").value = state.class;
  for (const name of ["mode", "style", "layer"]) {
    const input = [...document.querySelectorAll(`input[name=${name}]`)].find(({ value }) => value === state[name]);
    if (input) input.checked = true;
  }
  turn();
  return look();
}

function bind() {
  listen($("picture"), {
    pointed: (point) => {
      pointer = point;
      paintSoon();
    },
    picked: (point) => {
      if (!facts.attention.length) return;
      state.pins = [...state.pins.filter((pin) => pin.join() !== point.join()), point];
      remember();
      paintSoon();
    },
    removed: () => {
      state.pins.pop();
      remember();
      paintSoon();
    },
    resolution: () => facts.resolution,
  });
  const shift = (count) => {
    const first = state.first + BigInt(count);
    state.first = state.seed = first < 0n ? 0n : first > LAST ? LAST : first;
    turn();
    look();
  };
  $("previous").addEventListener("click", () => shift(-PAGE));
  $("next").addEventListener("click", () => shift(PAGE));
  $("first").addEventListener("change", ({ target }) => {
    state.first = state.seed = wholeNumber(target.value.trim()) ?? 0n;
    turn();
    look();
  });
  $("class").addEventListener("change", ({ target }) => {
    state.class = target.value;
    turn();
    look();
  });
  $("truncation").addEventListener("input", ({ target }) => {
    state.trunc = Number(target.value) > UNBOUND - 0.05 ? 0 : Number(target.value);
    $("truncation-value").textContent = state.trunc ? state.trunc.toFixed(1) : "none";
  });
  $("truncation").addEventListener("change", () => {
    turn();
    look();
  });
  for (const name of ["mode", "style", "layers"]) {
    $(name).addEventListener("change", ({ target }) => {
      state[target.name] = target.value;
      remember();
      paintSoon();
    });
  }
  $("clear").addEventListener("click", () => {
    state.pins = [];
    remember();
    paintSoon();
  });
  $("save").addEventListener("click", save);
  addEventListener("hashchange", () => {
    read();
    show();
  });
  bindTheme();
}

/** The picture as it was drawn, pixel for pixel. */
async function save() {
  if (!shown) return;
  const side = facts.resolution, canvas = new OffscreenCanvas(side, side), pixels = new ImageData(side, side);
  const { channels } = facts;
  for (let at = 0; at < side * side; at++) {
    for (let band = 0; band < 3; band++) pixels.data[4 * at + band] = shown.pixels[channels * at + (channels > 2 ? band : 0)];
    pixels.data[4 * at + 3] = channels % 2 ? 255 : shown.pixels[channels * at + channels - 1];
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await canvas.convertToBlob());
  link.download = `seed-${String(shown.wish.seed).padStart(7, "0")}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function bindTheme() {
  const themes = { "": ["◐", "as the system has them"], light: ["☀", "light"], dark: ["☾", "dark"] };
  const apply = (theme) => {
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    $("theme").textContent = themes[theme][0];
    $("theme").setAttribute("aria-label", `Colours: ${themes[theme][1]}`);
  };
  apply("");
  $("theme").addEventListener("click", () => {
    const names = Object.keys(themes);
    apply(names[(names.indexOf(document.documentElement.dataset.theme ?? "") + 1) % names.length]);
  });
}

function fill() {
  $("class").replaceChildren(new Option("the seed's own", ""), ...facts.classes.map((name) => new Option(name, name)));
  $("class-field").hidden = !facts.classes.length;
  for (const part of document.querySelectorAll(".with-attention")) part.hidden = !facts.attention.length;
  $("layers").append(
    ...facts.attention.map((name) => {
      const label = document.createElement("label"), words = document.createElement("span");
      const input = Object.assign(document.createElement("input"), { type: "radio", name: "layer", value: name });
      words.textContent = name;
      label.append(input, words);
      return label;
    }),
  );
}

/** The bytes of base64 text. */
function decoded(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const letters = atob(text), bytes = new Uint8Array(letters.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = letters.charCodeAt(at);
  return bytes;
}

fill();
read();
await new Promise((done) => setTimeout(done, 0)); // show the page before the seconds that decoding may take
await attempt(async () => {
  pool = new Pool($("worker").textContent, decoded($("generator").textContent.trim()));
  $("generator").remove();
  bind();
  await show();
  document.body.dataset.ready = "yes";
});

// For the console: await sagan.draw("7", {label: 2, truncation: 0.7}) gives the pixels.
globalThis.sagan = {
  draw: async (seed, { label, truncation = 0 } = {}) => {
    const own = labelOf(BigInt(seed), facts.classes.length);
    return (await pool.draw({ seed: BigInt(seed), label: label ?? own, truncation, maps: false })).pixels;
  },
};

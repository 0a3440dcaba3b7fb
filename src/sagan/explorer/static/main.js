// The page: holds the state, asks for pictures, and hands points to the maps.

import { column, distance, entropy, largest, placeOf, row } from "./attention.js";
import { get, post, scene, Trouble, upload } from "./api.js";
import { Liked } from "./liked.js";
import { watch } from "./live.js";
import { layerChoice, numberBoxes, pinPanel, sampleButton } from "./parts.js";
import { Canvas, dot, listen } from "./stage.js";
import { read, write } from "./state.js";
import { bindTheme } from "./theme.js";
import { copy, latest, save } from "./tools.js";

const PAGE = 16;
const $ = (id) => document.getElementById(id);
const stage = new Canvas($("picture"));
const percent = (value) => `${(100 * value).toFixed(value < 0.1 ? 1 : 0)} %`;

let facts;
let liked; // the seeds that were kept
let state = read(location.hash);
let shown = null; // the scene on the stage
let pointer = null; // the pixel pointed at
let active = -1; // the pin whose map is shown while nothing is pointed at
let looking = null; // the request in flight, to be broken off by the next
let filling = null; // the same of the samples

function tell(text) {
  $("notice").textContent = text;
  $("notice").hidden = !text;
}

/** Run what may fail; say it in one line when it does. Whether it went well, or was broken off for something newer. */
async function attempt(action) {
  try {
    await action();
    return true;
  } catch (error) {
    if (error.name === "AbortError") return true;
    tell(error instanceof Trouble ? error.message : `Something went wrong: ${error.message}`);
    return false;
  }
}

let writing;
function remember() {
  clearTimeout(writing);
  writing = setTimeout(() => history.replaceState(null, "", write(state)), 120);
}

// What is asked for -------------------------------------------------------------------------------

const whole = (word) => (/^\d+$/.test(word) ? Number(word) : null);
const checkpoint = () => state.checkpoint || null;
const network = () => (state.picture ? "D" : state.layer[0] || "G");

function subject() {
  const what = { checkpoint: checkpoint(), network: network() };
  if (state.picture) return { ...what, picture: state.picture };
  return {
    ...what,
    seed: state.seed,
    label: state.class || null,
    truncation: state.truncation,
    towards: whole(state.towards),
    towards_label: state["towards-class"] || null,
    share: state.share / 100,
  };
}

// The stage ---------------------------------------------------------------------------------------

const view = () => shown?.views.get(state.layer);

/** The map of a pixel in the mode that is set: {weights, side, query}. */
function mapAt([x, y]) {
  const layer = view();
  if (!layer) return null;
  if (state.mode === "reverse") {
    const key = placeOf(x, y, layer.keySide, shown.resolution);
    return { weights: column(layer, key), side: layer.side, query: key };
  }
  const query = placeOf(x, y, layer.side, shown.resolution);
  return { weights: row(layer, query), side: layer.keySide, query };
}

function centreOf(place, side) {
  const pixel = (cell) => Math.floor(((2 * cell + 1) * shown.resolution) / (2 * side));
  return `${pixel(place % side)},${pixel(Math.floor(place / side))}`;
}

function describe(point, map) {
  const layer = view();
  const best = largest(map.weights);
  const here = `Pixel ${point[0]},${point[1]}`;
  if (state.mode === "reverse") return `${here} is looked at most from ${centreOf(best, map.side)}, with ${percent(map.weights[best])} of its attention.`;
  const spread = `entropy ${entropy(map.weights).toFixed(2)}, distance ${distance(map.weights, layer.keySide, map.query, layer.side).toFixed(2)}`;
  return `${here} looks most at ${centreOf(best, map.side)} (${percent(map.weights[best])}); ${spread}.`;
}

function draw() {
  if (!shown) return;
  const point = pointer ?? state.pins[active] ?? null;
  const map = point && mapAt(point);
  stage.draw(map?.weights, map?.side, state.style);
  $("readout").textContent = map ? describe(point, map) : view() ? "Hover to look, click to pin." : "This network has no attention layer.";
  const marks = state.pins.map((pin, number) => mark(pin, dot(number + 1, facts.palette[number % facts.palette.length])));
  if (pointer) {
    const cursor = mark(pointer, document.createElement("span"));
    cursor.className = "dot cursor";
    marks.push(cursor);
  }
  $("dots").replaceChildren(...marks);
}

function mark([x, y], element) {
  element.style.left = `${(100 * (x + 0.5)) / shown.resolution}%`;
  element.style.top = `${(100 * (y + 0.5)) / shown.resolution}%`;
  return element;
}

let due = 0;
function drawSoon() {
  due ||= requestAnimationFrame(() => {
    due = 0;
    draw();
  });
}

function drawPins() {
  const panels = state.pins.map((pin, number) => {
    const map = mapAt(pin);
    const badge = dot(number + 1, facts.palette[number % facts.palette.length]);
    const { item, canvas } = pinPanel(pin, number, badge, { chosen: choose, removed: unpin });
    if (number === active) item.classList.add("active");
    const panel = new Canvas(canvas, 192);
    panel.load(shown.picture, shown.resolution);
    panel.draw(map?.weights, map?.side, state.style);
    return item;
  });
  $("pins").replaceChildren(...panels);
  $("no-pins").hidden = state.pins.length > 0;
  $("clear").hidden = state.pins.length === 0;
}

function showLayers() {
  const usable = facts.layers.filter(({ name }) => !state.picture || name.startsWith("D"));
  const choices = usable.map((layer) => layerChoice(layer, layer.name === state.layer, chooseLayer));
  $("layers").replaceChildren($("layers").firstElementChild, ...choices);
}

function showCommand() {
  const base = shown?.facts.command;
  const points = state.pins.map(([x, y]) => ` --at ${x},${y}`).join("");
  $("command").textContent = base ? `${base}${state.layer ? ` --layer ${state.layer}` : ""}${points}` : "No command draws this one: take the arrays instead.";
  $("copy").hidden = !base;
  $("figure").disabled = $("arrays").disabled = !shown || !state.pins.length || !view();
  $("figure").title = $("figure").disabled ? "Pin a point first" : "";
}

/** The picture on the stage as a list of seeds names it; null for one that no seed draws. */
function keepable() {
  if (!shown || state.picture || state.share || shown.facts.label === undefined) return null;
  return { seed: state.seed, label: shown.facts.label, truncation: state.truncation };
}

function showKept() {
  const picture = keepable();
  $("keep").disabled = !picture;
  $("keep").setAttribute("aria-pressed", String(Boolean(picture && liked.has(picture))));
  $("kept").hidden = !liked.lines.length;
  $("kept").textContent = `List of ${liked.lines.length} kept`;
}

/** Bring everything in line with the scene and the state. */
function refresh() {
  if (!shown) return;
  $("subject").textContent = shown.facts.words;
  $("picture").setAttribute("aria-label", `Picture: ${shown.facts.words}`);
  $("stage-title").textContent = state.mode === "reverse" ? "Who looks at this pixel?" : "Where does this pixel look?";
  $("numbers").replaceChildren(...numberBoxes(view()));
  drawPins();
  draw();
  showCommand();
  showKept();
  remember();
}

/** Ask for what the state describes, and show it. Whether that went well. */
async function look() {
  looking?.abort();
  const own = (looking = new AbortController());
  document.body.classList.add("busy");
  const well = await attempt(async () => {
    const found = await scene(subject(), own.signal);
    shown = found;
    const size = found.resolution;
    state.pins = state.pins.filter(([x, y]) => x < size && y < size);
    active = Math.min(active, state.pins.length - 1);
    stage.load(found.picture, size);
    tell("");
    refresh();
  });
  if (looking === own) document.body.classList.remove("busy");
  return well;
}

// What people do ----------------------------------------------------------------------------------

function choose(number) {
  active = number;
  drawPins();
  draw();
}

function pin(point) {
  if (!shown) return;
  state.pins = [...state.pins, point].slice(-facts.palette.length);
  active = state.pins.length - 1;
  refresh();
}

function unpin(number) {
  state.pins = state.pins.filter((_, place) => place !== number);
  active = Math.min(active, state.pins.length - 1);
  refresh();
}

async function chooseLayer(name) {
  const other = name[0] !== state.layer[0];
  state.layer = name;
  if (other && !state.picture) await look();
  else refresh();
}

async function chooseSeed(seed) {
  stopPlaying();
  Object.assign(state, { seed, share: 0, picture: "" });
  leavePicture();
  markSample();
  showShare();
  await look();
}

function leavePicture() {
  $("back").hidden = !state.picture;
  if (!state.picture && !facts.layers.some(({ name }) => name === state.layer)) state.layer = facts.layers[0]?.name ?? "";
  showLayers();
}

function markSample() {
  for (const button of $("grid").children) button.setAttribute("aria-pressed", String(Number(button.dataset.seed) === state.seed && !state.picture));
}

async function showGrid() {
  filling?.abort();
  const { signal } = (filling = new AbortController());
  await attempt(async () => {
    const seeds = Array.from({ length: PAGE }, (_, number) => state.first + number);
    const body = { checkpoint: checkpoint(), seeds, label: state.class || null, truncation: state.truncation };
    const answer = await post("/api/v1/grid", body, signal);
    const labels = (answer.headers.get("x-sagan-labels") ?? "").split(",");
    const sheet = await createImageBitmap(await answer.blob());
    signal.throwIfAborted(); // the page was turned on meanwhile
    const side = facts.resolution;
    const buttons = seeds.map((seed, number) => {
      const place = [(number % 4) * side, Math.floor(number / 4) * side, side];
      return sampleButton(seed, facts.classes[labels[number]], sheet, place, () => chooseSeed(seed));
    });
    $("grid").replaceChildren(...buttons);
    $("previous").disabled = state.first === 0;
    markSample();
  });
}

async function turnPage(first) {
  state.first = Math.max(0, Math.min(first, Number.MAX_SAFE_INTEGER - PAGE));
  state.seed = state.first;
  $("first").value = state.first;
  await showGrid();
  await chooseSeed(state.first);
}

async function redraw() {
  document.body.classList.add("busy"); // until the stage shows what was asked for: look() ends it
  await showGrid(); // first: its batch holds the picture of the stage too
  await look();
}

function showCheckpoints() {
  const ids = facts.checkpoints;
  const place = Math.max(0, state.checkpoint ? ids.findIndex(({ id }) => id === state.checkpoint) : ids.length - 1);
  $("steps").hidden = ids.length < 1 || ids[0].step === null;
  Object.assign($("checkpoint"), { max: Math.max(ids.length - 1, 0), value: place, disabled: ids.length < 2 });
  const step = ids[place]?.step;
  $("step").textContent = step === null || step === undefined ? "" : `${step.toLocaleString("en")} steps${ids[place].id === facts.best ? " (best)" : ""}`;
  $("checkpoint").setAttribute("aria-valuetext", $("step").textContent);
}

function showShare() {
  $("share").value = state.share;
  $("share-value").textContent = `${Math.round(state.share)} %`;
  $("share").disabled = $("play").disabled = !state.towards && !state["towards-class"];
  if ($("play").disabled) stopPlaying();
}

function stopPlaying() {
  $("play").setAttribute("aria-pressed", "false");
}

const lookSoon = latest(look);
const redrawSoon = latest(redraw);

async function exported(format) {
  await attempt(async () => {
    const body = { ...subject(), layers: [state.layer], points: state.pins, format };
    save(await (await post("/api/v1/figure", body)).blob(), `attention-${state.picture ? "picture" : state.seed}.${format}`);
  });
}

async function take(file) {
  if (!file) return;
  await attempt(async () => {
    const { id } = await upload(file);
    stopPlaying();
    state.picture = id;
    state.share = 0;
    state.layer = facts.layers.find(({ name }) => name.startsWith("D")).name;
    leavePicture();
    markSample();
    await look();
    $("holder").scrollIntoView({ block: "nearest" });
  });
}

// Putting it together -----------------------------------------------------------------------------

function fillClasses(select, none) {
  select.replaceChildren(new Option(none, ""), ...facts.classes.map((name) => new Option(name, name)));
  select.closest("label").hidden = !facts.classes.length;
}

function bind() {
  listen($("picture"), {
    pointed: (point) => {
      pointer = point;
      drawSoon();
    },
    picked: pin,
    removed: () => state.pins.length && unpin(state.pins.length - 1),
    resolution: () => shown?.resolution ?? 1,
  });
  for (const name of ["mode", "style"]) {
    $(name).addEventListener("change", (event) => {
      state[name] = event.target.value;
      refresh();
    });
  }
  $("clear").addEventListener("click", () => {
    state.pins = [];
    active = -1;
    refresh();
  });
  $("previous").addEventListener("click", () => turnPage(state.first - PAGE));
  $("next").addEventListener("click", () => turnPage(state.first + PAGE));
  $("first").addEventListener("change", (event) => turnPage(whole(event.target.value) ?? 0));
  $("class").addEventListener("change", (event) => {
    state.class = event.target.value;
    redrawSoon();
  });
  $("truncation").addEventListener("input", (event) => {
    const value = Number(event.target.value);
    state.truncation = value > 2.05 ? 0 : value;
    $("truncation-value").textContent = state.truncation ? state.truncation.toFixed(1) : "none";
  });
  $("truncation").addEventListener("change", redrawSoon);
  $("checkpoint").addEventListener("input", (event) => {
    const entry = facts.checkpoints[event.target.value];
    state.checkpoint = entry.id;
    showCheckpoints();
    redrawSoon();
  });
  $("towards").addEventListener("change", (event) => {
    state.towards = whole(event.target.value) === null ? "" : event.target.value;
    showShare();
    if (state.share) lookSoon();
    remember();
  });
  $("towards-class").addEventListener("change", (event) => {
    state["towards-class"] = event.target.value;
    showShare();
    if (state.share) lookSoon();
    remember();
  });
  $("share").addEventListener("input", (event) => {
    state.share = Number(event.target.value);
    showShare();
    lookSoon();
  });
  $("play").addEventListener("click", play);
  $("figure").addEventListener("click", () => exported("png"));
  $("arrays").addEventListener("click", () => exported("npz"));
  $("link").addEventListener("click", (event) => copy(location.origin + "/" + write(state), event.target));
  $("keep").addEventListener("click", () => {
    const picture = keepable(); // a newer one may be on its way to the stage
    if (picture) liked.toggle(picture);
    showKept();
  });
  $("kept").addEventListener("click", () => save(liked.file(), "liked.txt"));
  $("copy").addEventListener("click", (event) => copy($("command").textContent, event.target));
  $("file").addEventListener("change", (event) => {
    take(event.target.files[0]);
    event.target.value = ""; // so that the same file can be chosen again
  });
  $("back").addEventListener("click", () => chooseSeed(state.seed));
  const drop = $("drop");
  addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  addEventListener("dragleave", () => drop.classList.remove("over"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (!$("own").hidden) take(event.dataTransfer.files[0]);
  });
  addEventListener("hashchange", start);
  bindTheme($("theme"));
}

async function play() {
  const button = $("play");
  const on = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", String(on));
  while (button.getAttribute("aria-pressed") === "true") {
    state.share = state.share >= 100 ? 0 : Math.min(100, state.share + 4);
    showShare();
    if (!(await look())) stopPlaying(); // else it would ask a server that is gone for ever
    await new Promise((resolve) => setTimeout(resolve, 60));
  }
}

/** What the address says, from the beginning. */
async function start() {
  state = read(location.hash);
  active = state.pins.length - 1;
  if (state.picture && !facts.layers.some(({ name }) => name.startsWith("D"))) state.picture = "";
  if (!facts.layers.some(({ name }) => name === state.layer)) state.layer = "";
  if (state.picture && !state.layer.startsWith("D")) state.layer = facts.layers.find(({ name }) => name.startsWith("D")).name;
  if (!["row", "reverse"].includes(state.mode)) state.mode = "row";
  if (!["light", "colour"].includes(state.style)) state.style = "light";
  $("first").value = state.first;
  $("class").value = state.class;
  $("towards").value = state.towards;
  $("towards-class").value = state["towards-class"];
  $("truncation").value = state.truncation || 2.1;
  $("truncation-value").textContent = state.truncation ? state.truncation.toFixed(1) : "none";
  for (const name of ["mode", "style"]) document.querySelector(`input[name=${name}][value=${state[name]}]`).checked = true;
  leavePicture();
  showShare();
  showCheckpoints();
  await redraw();
}

/** The run has gone on: there may be newer checkpoints, and the one that is shown may be gone. */
async function follow() {
  const before = facts.newest;
  await loadFacts();
  const gone = state.checkpoint && !facts.checkpoints.some(({ id }) => id === state.checkpoint);
  if (gone) state.checkpoint = "";
  showCheckpoints();
  if (gone || (!state.checkpoint && facts.newest !== before)) await redrawSoon();
  if (gone) tell("Training deleted the checkpoint that was shown; this is the newest.");
}

async function loadFacts() {
  facts = await get("/api/v1/facts");
  if (facts.warnings.length) tell(facts.warnings.join(" "));
}

await attempt(async () => {
  await loadFacts();
  document.title = `${facts.name} · sagan explore`;
  $("name").textContent = facts.name;
  liked = new Liked(facts.name, facts.classes);
  $("own").hidden = !facts.layers.some(({ name }) => name.startsWith("D"));
  fillClasses($("class"), "any");
  fillClasses($("towards-class"), "the same");
  bind();
  await start();
  if (facts.run) {
    watch($("run"), () => attempt(follow));
  }
  document.body.dataset.ready = "yes";
});

// What is seen, as the part of the address behind #: a link is all that it takes to see the same.

const NUMBERS = { first: 0, seed: 0, truncation: 0, share: 0 };
const WORDS = { checkpoint: "", class: "", layer: "", mode: "row", style: "light", towards: "", "towards-class": "", picture: "" };

/** The state that an address describes; what it does not name has its usual value. */
export function read(hash) {
  const words = new URLSearchParams(hash.replace(/^#/, ""));
  const state = { pins: [] };
  for (const [name, usual] of Object.entries(NUMBERS)) {
    const value = Number(words.get(name) ?? usual);
    state[name] = Number.isFinite(value) && value >= 0 && value <= Number.MAX_SAFE_INTEGER ? value : usual;
  }
  state.first = Math.floor(state.first);
  state.seed = Math.floor(words.has("seed") ? state.seed : state.first);
  for (const [name, usual] of Object.entries(WORDS)) state[name] = words.get(name) ?? usual;
  for (const pair of (words.get("at") ?? "").split(";")) {
    const match = /^(\d{1,4}),(\d{1,4})$/.exec(pair);
    if (match) state.pins.push([Number(match[1]), Number(match[2])]);
  }
  return state;
}

/** The other way round. Seeds are always named, so that a link means one picture. */
export function write(state) {
  const words = new URLSearchParams();
  for (const [name, usual] of [...Object.entries(NUMBERS), ...Object.entries(WORDS)]) {
    if (state[name] !== usual || name === "seed") words.set(name, state[name]);
  }
  const pins = state.pins.map(([x, y]) => `${x},${y}`).join(";");
  return `#${words}${pins ? `&at=${pins}` : ""}`;
}

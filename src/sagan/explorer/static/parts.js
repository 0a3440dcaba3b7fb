// Pieces of the page, each made of what it shows; what they do when they are pressed is handed in.

const make = (name, facts = {}, ...children) => {
  const element = Object.assign(document.createElement(name), facts);
  element.append(...children);
  return element;
};

/** One attention layer to choose. chosen: gets its name. */
export function layerChoice({ name, map }, checked, chosen) {
  const input = make("input", { type: "radio", name: "layer", value: name, checked });
  input.addEventListener("change", () => chosen(name));
  const network = name[0] === "G" ? "Generator" : "Discriminator";
  return make("label", {}, input, make("span", { textContent: `${network} ${map}×${map}` }));
}

/** The figures of a layer at the picture that is shown; none without a layer. */
export function numberBoxes(layer) {
  const numbers = layer ? [["gamma", layer.gamma, 3], ["mean entropy", layer.entropy, 2], ["mean distance", layer.distance, 2]] : [];
  return numbers.map(([name, value, digits]) => {
    const words = `${value < 0 ? "−" : ""}${Math.abs(value).toFixed(digits)}`;
    return make("div", {}, make("dt", { textContent: name }), make("dd", { textContent: words }));
  });
}

/** A pinned point's entry in the list: {item, canvas}, the canvas still empty. */
export function pinPanel([x, y], number, badge, { chosen, removed }) {
  const canvas = make("canvas");
  canvas.addEventListener("click", () => chosen(number));
  const remove = make("button", { type: "button", textContent: "×" });
  remove.setAttribute("aria-label", `Remove point ${number + 1}`);
  remove.addEventListener("click", () => removed(number));
  const words = make("span", { textContent: `at ${x},${y}` });
  return { item: make("li", { className: "pin" }, canvas, badge, remove, words), canvas };
}

/** One of the samples. kind: its class's name, if any.  sheet, [left, top, side]: where its picture is. */
export function sampleButton(seed, kind, sheet, [left, top, side], chosen) {
  const canvas = make("canvas", { width: side, height: side });
  canvas.getContext("2d").drawImage(sheet, left, top, side, side, 0, 0, side, side);
  const button = make("button", { type: "button", className: "sample" }, canvas, make("span", { textContent: kind ? `${seed} ${kind}` : seed }));
  button.dataset.seed = seed;
  button.setAttribute("aria-label", `Seed ${seed}${kind ? `, ${kind}` : ""}`);
  button.addEventListener("click", chosen);
  return button;
}

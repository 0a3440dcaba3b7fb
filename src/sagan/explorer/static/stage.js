// The large picture: draws it, with or without a map, and says which pixel is pointed at.

import { enlarge, overlay, upsample } from "./attention.js";

const LARGE = 512; // pixels that the canvas has at most before the browser scales it

export class Canvas {
  /** A picture with maps on it. size: pixels to aim for. */
  constructor(element, size = LARGE) {
    this.element = element;
    this.size = size;
  }

  /** Take another picture: RGB bytes of resolution squared. */
  load(picture, resolution) {
    this.resolution = resolution;
    const factor = Math.max(1, Math.floor(this.size / resolution));
    const side = resolution * factor;
    if (this.element.width !== side || this.element.height !== side) this.element.width = this.element.height = side;
    this.base = enlarge(picture, resolution, factor);
    this.image = new ImageData(side, side);
    this.side = side;
  }

  /** Draw the picture alone, or darkened with weights of a map of `mapSide` on it. */
  draw(weights, mapSide, style) {
    if (!this.base) return;
    if (weights) overlay(this.base, upsample(weights, mapSide, this.side), style, this.image.data);
    else this.image.data.set(this.base);
    this.element.getContext("2d").putImageData(this.image, 0, 0);
  }
}

/** Black or white, whichever is easier to read on #rrggbb. */
export function inkOn(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const value = parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? "#000" : "#fff";
}

/** A numbered dot, as the figures of `sagan attend` have them. */
export function dot(number, colour) {
  const mark = document.createElement("span");
  mark.className = "dot";
  mark.textContent = number;
  mark.style.background = colour;
  mark.style.color = inkOn(colour);
  return mark;
}

/** Tell `pointed` of pixels [x, y] pointed at (null when no longer) and `picked` of those chosen; keys too. */
export function listen(element, { pointed, picked, removed, resolution }) {
  let cursor = null;
  const pixel = (event) => {
    const box = element.getBoundingClientRect();
    const place = (value, length) => Math.min(Math.max(Math.floor((value / length) * resolution()), 0), resolution() - 1);
    return [place(event.clientX - box.left, box.width), place(event.clientY - box.top, box.height)];
  };
  element.addEventListener("pointermove", (event) => {
    if (event.pointerType === "mouse" || event.buttons) pointed((cursor = pixel(event)));
  });
  element.addEventListener("pointerleave", () => pointed((cursor = null)));
  element.addEventListener("click", (event) => picked((cursor = pixel(event))));
  element.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const last = resolution() - 1;
    if (moves[event.key]) {
      const [right, down] = moves[event.key];
      const far = event.shiftKey ? 8 : 1;
      const [x, y] = cursor ?? [Math.floor(last / 2), Math.floor(last / 2)];
      cursor = [Math.min(Math.max(x + right * far, 0), last), Math.min(Math.max(y + down * far, 0), last)];
      pointed(cursor);
    } else if ((event.key === "Enter" || event.key === " ") && cursor) picked(cursor);
    else if (event.key === "Delete" || event.key === "Backspace") removed();
    else if (event.key === "Escape") pointed((cursor = null));
    else return;
    event.preventDefault();
  });
}

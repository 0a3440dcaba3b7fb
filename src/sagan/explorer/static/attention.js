// The attention map from what it is made of. No imports and no page: tests run this file on its own.
//
// A view has `side` (of the map of queries), `keySide`, `width`, and three Float32Arrays: `queries` (side * side * width),
// `keys` (keySide * keySide * width) and `logTotals` (side * side), the logarithm of each query's softmax denominator.

/** Pixel (x, y) of a picture of `resolution` -> the place in a map of `side`, counted row by row. */
export function placeOf(x, y, side, resolution) {
  return Math.floor((y * side) / resolution) * side + Math.floor((x * side) / resolution);
}

/** Attention of one query over all keys: it sums to one (SAGAN equation 1). */
export function row(view, query) {
  const { width, queries, keys } = view;
  const count = keys.length / width;
  const weights = new Float64Array(count);
  const from = query * width;
  let largest = -Infinity;
  for (let key = 0; key < count; key++) {
    let sum = 0;
    for (let e = 0, at = key * width; e < width; e++) sum += queries[from + e] * keys[at + e];
    weights[key] = sum;
    if (sum > largest) largest = sum;
  }
  let total = 0;
  for (let key = 0; key < count; key++) total += weights[key] = Math.exp(weights[key] - largest);
  for (let key = 0; key < count; key++) weights[key] /= total;
  return weights;
}

/** How much each query attends to one key: a column of the map. It sums to anything. */
export function column(view, key) {
  const { width, queries, keys, logTotals } = view;
  const count = queries.length / width;
  const weights = new Float64Array(count);
  const to = key * width;
  for (let query = 0; query < count; query++) {
    let sum = 0;
    for (let e = 0, at = query * width; e < width; e++) sum += queries[at + e] * keys[to + e];
    weights[query] = Math.exp(sum - logTotals[query]);
  }
  return weights;
}

/** Entropy of weights that sum to one, over that of looking everywhere alike: 0 is one place, 1 everywhere. */
export function entropy(weights) {
  let sum = 0;
  for (const weight of weights) if (weight > 0) sum -= weight * Math.log(weight);
  return weights.length > 1 ? sum / Math.log(weights.length) : 0;
}

/** Mean distance from a query to where it looks, both maps taken as the unit square. */
export function distance(weights, keySide, query, side) {
  const y = (Math.floor(query / side) + 0.5) / side;
  const x = ((query % side) + 0.5) / side;
  let sum = 0;
  for (let key = 0; key < weights.length; key++) {
    const down = (Math.floor(key / keySide) + 0.5) / keySide - y;
    const right = ((key % keySide) + 0.5) / keySide - x;
    sum += weights[key] * Math.hypot(down, right);
  }
  return sum;
}

export function largest(weights) {
  let best = 0;
  for (let at = 1; at < weights.length; at++) if (weights[at] > weights[best]) best = at;
  return best;
}

/** For each of `length` pixels: the first of two neighbouring cells, and the share of the second. */
function between(length, cells) {
  const first = new Int32Array(length);
  const share = new Float64Array(length);
  for (let pixel = 0; pixel < length; pixel++) {
    const centre = Math.min(Math.max(((pixel + 0.5) * cells) / length - 0.5, 0), cells - 1);
    first[pixel] = Math.min(Math.floor(centre), Math.max(cells - 2, 0));
    share[pixel] = centre - first[pixel];
  }
  return { first, share };
}

/** A square map drawn smoothly over `size` x `size` pixels, divided by its largest value there. Half-pixel centres. */
export function upsample(weights, side, size) {
  const { first, share } = between(size, side);
  const wide = new Float64Array(side * size);
  for (let line = 0; line < side; line++) {
    for (let x = 0; x < size; x++) {
      const at = line * side + first[x];
      wide[line * size + x] = side > 1 ? weights[at] * (1 - share[x]) + weights[at + 1] * share[x] : weights[at];
    }
  }
  const smooth = new Float64Array(size * size);
  let most = 0;
  for (let y = 0; y < size; y++) {
    const upper = first[y] * size;
    const lower = side > 1 ? upper + size : upper;
    const part = share[y];
    for (let x = 0; x < size; x++) {
      const value = wide[upper + x] * (1 - part) + wide[lower + x] * part;
      smooth[y * size + x] = value;
      if (value > most) most = value;
    }
  }
  if (most > 0) for (let at = 0; at < smooth.length; at++) smooth[at] /= most;
  return smooth;
}

export const PICTURE_SHARE = 0.35;
export const MAP_SHARE = 0.65;

// From dark blue over grey to yellow: its lightness only rises, so that it also reads without colours, and blue and yellow
// are told apart by all common forms of colour vision.
const STOPS = [[0, 32, 77], [65, 77, 107], [124, 123, 120], [187, 175, 113], [255, 234, 70]];

function stop(value, band) {
  const place = Math.min(Math.max(value, 0), 1) * (STOPS.length - 1);
  const low = Math.min(Math.floor(place), STOPS.length - 2);
  return STOPS[low][band] + (place - low) * (STOPS[low + 1][band] - STOPS[low][band]);
}

/** The picture, darkened, with the map on it: white light as in the paper's figures, or in colours. Writes into `out`. */
export function overlay(picture, smooth, style, out) {
  for (let at = 0, pixel = 0; at < smooth.length; at++, pixel += 4) {
    const value = smooth[at];
    if (style === "light") {
      const light = MAP_SHARE * 255 * value;
      out[pixel] = PICTURE_SHARE * picture[pixel] + light;
      out[pixel + 1] = PICTURE_SHARE * picture[pixel + 1] + light;
      out[pixel + 2] = PICTURE_SHARE * picture[pixel + 2] + light;
    } else {
      const grey = 0.3 * picture[pixel] + 0.59 * picture[pixel + 1] + 0.11 * picture[pixel + 2];
      for (let band = 0; band < 3; band++) out[pixel + band] = PICTURE_SHARE * grey + MAP_SHARE * stop(value, band);
    }
    out[pixel + 3] = 255;
  }
}

/** RGB pixels of `resolution`, each a square of `factor` pixels, with full cover: (resolution * factor) squared, RGBA. */
export function enlarge(picture, resolution, factor) {
  const size = resolution * factor;
  const large = new Uint8ClampedArray(size * size * 4);
  for (let y = 0, at = 0; y < size; y++) {
    for (let x = 0; x < size; x++, at += 4) {
      const from = (Math.floor(y / factor) * resolution + Math.floor(x / factor)) * 3;
      large[at] = picture[from];
      large[at + 1] = picture[from + 1];
      large[at + 2] = picture[from + 2];
      large[at + 3] = 255;
    }
  }
  return large;
}

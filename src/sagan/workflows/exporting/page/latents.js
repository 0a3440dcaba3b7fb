// Seeds to latents and classes: Philox 4x32-10 and Box-Muller, the same numbers as sagan's own (sagan/randomness.py).
// No imports and no page: tests run this file on its own. Seeds are BigInts from 0 and below 2n ** 63n.

const LATENT = 0, LABEL = 1, TRUNCATION = 10; // streams
const TRIES = 64;

/** The upper 32 bits of the product of two unsigned 32-bit numbers. */
function upper(a, b) {
  const low = a & 0xffff, high = a >>> 16, under = b & 0xffff, over = b >>> 16;
  const middle = high * under + ((low * under) >>> 16);
  return (high * over + Math.floor(middle / 65536) + Math.floor((low * over + (middle & 0xffff)) / 65536)) >>> 0;
}

/** Ten rounds of Philox 4x32 (Salmon et al., SC 2011): four words of counter and two of key -> four words. */
export function philox([c0, c1, c2, c3], [k0, k1]) {
  for (let round = 0; round < 10; round++) {
    const high0 = upper(0xd2511f53, c0), low0 = Math.imul(0xd2511f53, c0) >>> 0;
    const high1 = upper(0xcd9e8d57, c2), low1 = Math.imul(0xcd9e8d57, c2) >>> 0;
    [c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1, (high0 ^ c3 ^ k1) >>> 0, low0];
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** `count` random words of a seed in a stream. index: below 2 ** 32. */
function bits(seed, stream, index, count) {
  const key = [Number(seed & 0xffffffffn), Number(seed >> 32n)];
  const words = [];
  for (let block = 0; words.length < count; block++) words.push(...philox([block, index, 0, stream], key));
  return words;
}

/** Standard normal numbers, computed in double precision and rounded once. */
function normal(seed, stream, index, count) {
  const uniform = bits(seed, stream, index, count + (count % 2)).map((word) => (word + 0.5) / 2 ** 32);
  const values = new Float32Array(count + 1);
  for (let at = 0; at < count; at += 2) {
    const radius = Math.sqrt(-2 * Math.log(uniform[at]));
    const angle = 2 * Math.PI * uniform[at + 1];
    values[at] = radius * Math.cos(angle);
    values[at + 1] = radius * Math.sin(angle);
  }
  return values.subarray(0, count);
}

/** The latent of a seed. truncation: values beyond it are drawn again; 0 for none. */
export function latent(seed, length, truncation = 0) {
  const values = normal(seed, LATENT, 0, length);
  const bound = Math.fround(truncation);
  if (!bound) return values;
  const outside = (value) => Math.abs(value) > bound;
  for (let attempt = 0; attempt < TRIES && values.some(outside); attempt++) {
    const others = normal(seed, TRUNCATION, attempt, length);
    values.forEach((value, at) => outside(value) && (values[at] = others[at]));
  }
  return values.map((value) => Math.min(Math.max(value, -bound), bound));
}

/** The class that a seed has when nobody names one. */
export function labelOf(seed, classes) {
  return Math.floor((bits(seed, LABEL, 0, 1)[0] * Math.max(classes, 1)) / 2 ** 32);
}

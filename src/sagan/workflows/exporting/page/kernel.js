// One small matrix product, which is where nearly all of the time goes: C += A B for a tile of C with 8 columns.
//
// A: `rows` rows of k numbers, `lda` bytes from one to the next.  B: k rows of 8 numbers, without gaps.
// C: `rows` rows of 8 numbers, `ldc` bytes from one to the next.  All are float32 in one WebAssembly memory, k is a multiple
// of 4, and every place is a number of bytes.

const UNROLLED = 4; // steps of k in one round of the loop

/** The same in plain JavaScript, for browsers without SIMD; it also says what the other one means. */
export function plainTile(memory, rows) {
  const numbers = new Float32Array(memory.buffer);
  return (a, lda, b, c, ldc, k) => {
    for (let row = 0; row < rows; row++) {
      const from = (a + row * lda) >> 2, to = (c + row * ldc) >> 2;
      for (let step = 0, at = b >> 2; step < k; step++, at += 8) {
        const factor = numbers[from + step];
        for (let column = 0; column < 8; column++) numbers[to + column] += factor * numbers[at + column];
      }
    }
  };
}

/** {4: tile of four rows, 1: tile of one row} over a memory: WebAssembly with SIMD where there is any. */
export function tiles(memory, simd = true) {
  try {
    if (!simd) throw new Error("not wanted");
    const module = new WebAssembly.Module(moduleBytes([4, 1]));
    const { exports } = new WebAssembly.Instance(module, { e: { m: memory } });
    return { 4: exports.t4, 1: exports.t1, simd: true };
  } catch {
    return { 4: plainTile(memory, 4), 1: plainTile(memory, 1), simd: false };
  }
}

// The module, instruction by instruction (WebAssembly core specification 2.0, section 5) ----------------------------

/** An unsigned number in LEB128. */
function leb(value) {
  const bytes = [];
  do {
    bytes.push((value & 127) | (value > 127 ? 128 : 0));
    value >>>= 7;
  } while (value);
  return bytes;
}

const section = (id, body) => [id, ...leb(body.length), ...body];
const vector = (items) => [...leb(items.length), ...items.flat()];
const text = (word) => vector([...word].map((letter) => letter.charCodeAt(0)));
const get = (local) => [0x20, ...leb(local)];
const set = (local) => [0x21, ...leb(local)];
const load = (offset) => [0xfd, ...leb(0x00), 2, ...leb(offset)]; // v128.load, aligned to 4 bytes
const splat = (offset) => [0xfd, ...leb(0x09), 2, ...leb(offset)]; // v128.load32_splat
const store = (offset) => [0xfd, ...leb(0x0b), 2, ...leb(offset)];
const ADD = [0xfd, ...leb(0xe4)], MULTIPLY = [0xfd, ...leb(0xe6)]; // f32x4
const plus = (local, bytes) => [...get(local), 0x41, ...leb(bytes), 0x6a, ...set(local)]; // bytes below 64: one signed byte too
const [A, LDA, B, C, LDC, K] = [0, 1, 2, 3, 4, 5];
const I32 = 0x7f, V128 = 0x7b;

/** The body of the function for one number of rows. */
function tileBody(rows) {
  const left = 6, right = left + rows, low = right + rows, high = low + 1, factor = high + 1, pointer = factor + 1;
  const range = [...Array(rows).keys()];
  const from = (row) => (row ? pointer + row - 1 : A);
  const code = [
    ...range.slice(1).map((row) => [...get(from(row - 1)), ...get(LDA), 0x6a, ...set(from(row))]),
    ...range.map((row) => [
      ...get(C), ...load(0), ...set(left + row), ...get(C), ...load(16), ...set(right + row),
      ...(row < rows - 1 ? [...get(C), ...get(LDC), 0x6a, ...set(C)] : []),
    ]),
    [0x03, 0x40], // loop
    ...[...Array(UNROLLED).keys()].map((step) => [
      ...get(B), ...load(32 * step), ...set(low), ...get(B), ...load(32 * step + 16), ...set(high),
      ...range.flatMap((row) => [
        ...get(from(row)), ...splat(4 * step), ...set(factor),
        ...get(left + row), ...get(factor), ...get(low), ...MULTIPLY, ...ADD, ...set(left + row),
        ...get(right + row), ...get(factor), ...get(high), ...MULTIPLY, ...ADD, ...set(right + row),
      ]),
    ]),
    ...range.map((row) => plus(from(row), 4 * UNROLLED)),
    [...get(B), 0x41, 0x80, 0x01, 0x6a, ...set(B)], // 32 * UNROLLED = 128 as a signed number
    [...get(K), 0x41, UNROLLED, 0x6b, 0x22, K, 0x0d, 0x00, 0x0b], // k -= UNROLLED; again unless it is 0; end
    ...range.reverse().map((row) => [
      ...get(C), ...get(left + row), ...store(0), ...get(C), ...get(right + row), ...store(16),
      ...(row ? [...get(C), ...get(LDC), 0x6b, ...set(C)] : []),
    ]),
  ].flat();
  const locals = vector([[...leb(2 * rows + 3), V128], [...leb(rows - 1), I32]]);
  const body = [...locals, ...code, 0x0b];
  return [...leb(body.length), ...body];
}

function moduleBytes(sizes) {
  const kind = [0x60, ...vector(Array(6).fill([I32])), 0];
  return new Uint8Array([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, vector([kind])),
    ...section(2, vector([[...text("e"), ...text("m"), 2, 0, 1]])), // the memory, of at least one page
    ...section(3, vector(sizes.map(() => [0]))),
    ...section(7, vector(sizes.map((rows, number) => [...text(`t${rows}`), 0, number]))),
    ...section(10, vector(sizes.map(tileBody))),
  ]);
}

// The folded generator from its file: a safetensors file of sagan whose record lists the operations (docs/export.md).
// One picture at a time. No page: tests run this file on its own, with kernel.js.
//
// A map lies channels-last with a border of one zero place all around, its channels filled up with zeros to a multiple of 8.
// So a row of a 3x3 window is one piece of memory, and a convolution is three matrix products without any copying.

import { tiles } from "./kernel.js";

const filled = (count) => Math.ceil(count / 8) * 8;

/** {record, tensors: name -> {shape, data}} of the bytes of a file. */
export function openFile(bytes) {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  const { record } = JSON.parse(header.__metadata__.sagan);
  delete header.__metadata__;
  const tensors = {};
  for (const [name, { dtype, shape, data_offsets: [begin, end] }] of Object.entries(header)) {
    if (dtype !== "F32") throw new Error(`${name} is of type ${dtype}, not F32`);
    tensors[name] = { shape, data: new Float32Array(bytes.slice(8 + length + begin, 8 + length + end).buffer) };
  }
  return { record, tensors };
}

export class Network {
  /** operations, tensors: of a file.  simd: false for plain JavaScript. */
  constructor(operations, tensors, simd = true) {
    this.operations = operations;
    this.tensors = tensors;
    this.sizes = operations.map(({ shape: [channels, height, width] }) => ({
      channels, height, width, depth: filled(channels), row: (width + 2) * filled(channels),
    }));
    this._place();
    this.tile = tiles(this.memory, simd);
    operations.forEach((step, number) => this._prepare(step, number));
    this.tensors = null; // packed, or copied; the file's own bytes may go
  }

  /** Give every map, every packed kernel and the scratch of attention a place in one memory. */
  _place() {
    let bytes = 64;
    const take = (count) => {
      const place = bytes;
      bytes += Math.ceil((count * 4) / 64) * 64;
      return place;
    };
    this.steps = this.operations.map((step, number) => {
      const size = this.sizes[number];
      const mine = { place: take((size.height + 2) * size.row) };
      if (step.kind.startsWith("conv")) {
        const [first, second, height, width] = this.tensors[step.weight].shape;
        const [c_out, c_in] = step.kind === "conv" ? [first, second] : [second, first];
        mine.packed = take(filled(c_out) * filled(c_in) * height * width);
      } else if (step.kind === "attention") {
        const [queries, keys] = step.of.map((from) => this.sizes[from]);
        mine.count = keys.height * keys.width;
        mine.keys = take(filled(mine.count) * keys.depth);
        mine.values = take(filled(mine.count) * size.depth);
        mine.logits = take(queries.width * filled(mine.count));
      }
      return mine;
    });
    this.memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / 65536) });
    this.numbers = new Float32Array(this.memory.buffer);
  }

  _prepare(step, number) {
    const mine = this.steps[number], size = this.sizes[number];
    const wide = (name) => {
      const { shape, data } = this.tensors[name]; // (C,) or (K, C) with each row filled up
      const rows = shape.length > 1 ? shape[0] : 1;
      const table = new Float32Array(rows * size.depth);
      for (let row = 0; row < rows; row++) table.set(data.subarray(row * size.channels, (row + 1) * size.channels), row * size.depth);
      return table;
    };
    if (step.kind === "linear") [mine.weight, mine.bias] = [this.tensors[step.weight].data, this.tensors[step.bias].data];
    if (step.kind === "scale") {
      [mine.scale, mine.shift, mine.rows] = [wide(step.scale), wide(step.shift), this.tensors[step.scale].shape[0]];
      mine.byLatent = step.by_latent && this.tensors[step.by_latent].data;
    }
    if (!step.kind.startsWith("conv")) return;
    mine.bias = wide(step.bias);
    const { shape: [first, second, side], data } = this.tensors[step.weight];
    if (step.kind === "conv") {
      mine.side = side;
      const taps = [...Array(side).keys()];
      const at = (output, input, y, x) => data[((output * second + input) * side + y) * side + x];
      mine.groups = taps.map((y) => this._pack(mine, size, first, second, taps.map((x) => [y, x]), at));
    } else {
      // Places of the input that reach an even (0) or odd (1) place of the doubled map, and the kernel's entries for them.
      const taps = [[3, 1], [2, 0]];
      const at = (output, input, y, x) => data[((input * second + output) * 4 + y) * 4 + x];
      mine.groups = [0, 1].flatMap((down) => [0, 1].flatMap((right) => [0, 1].map((tap) =>
        this._pack(mine, size, second, first, taps[right].map((x) => [taps[down][tap], x]), at))));
    }
  }

  /** A kernel's entries for some neighbouring places, as the tile wants them: [C / 8][places * C_in][8]. Its place in bytes. */
  _pack(mine, size, outputs, inputs, places, at) {
    const place = mine.packed + (mine.used ?? 0);
    const deep = filled(inputs), long = places.length * deep;
    for (let output = 0; output < outputs; output++) {
      const panel = (place >> 2) + (output >> 3) * long * 8 + (output & 7);
      places.forEach(([y, x], number) => {
        for (let input = 0; input < inputs; input++) this.numbers[panel + (number * deep + input) * 8] = at(output, input, y, x);
      });
    }
    mine.used = (mine.used ?? 0) + 4 * size.depth * long;
    return place;
  }

  /** latent: z numbers.  label: the class. -> {pixels: bytes (R * R * channels), views: attention by name, for attention.js}. */
  draw(latent, label = 0) {
    const views = {};
    this.operations.forEach((step, number) => this[`_${step.kind}`](step, number, latent, label, views));
    return { pixels: this._pixels(), views };
  }

  /** C += A B over whole rows of a map. a, c: bytes of the first place; width: places; the rest as of the tile. */
  _product(a, lda, b, c, ldc, k, width) {
    let x = 0;
    for (; x + 4 <= width; x += 4) this.tile[4](a + x * lda, lda, b, c + x * ldc, ldc, k);
    for (; x < width; x++) this.tile[1](a + x * lda, lda, b, c + x * ldc, ldc, k);
  }

  _of(step, number = 0) {
    return [this.steps[step.of[number]].place, this.sizes[step.of[number]]];
  }

  _linear(step, number, latent) {
    const { place, weight, bias } = this.steps[number];
    const { channels, height, width, depth, row } = this.sizes[number];
    for (let channel = 0, at = 0; channel < channels; channel++) {
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++, at++) {
          this.numbers[(place >> 2) + (y + 1) * row + (x + 1) * depth + channel] = bias[at] + dot(weight, at * latent.length, latent);
        }
      }
    }
  }

  _conv(step, number) {
    const { place, bias, groups, side } = this.steps[number], { height, width, depth, row } = this.sizes[number];
    const [from, source] = this._of(step);
    const start = 1 - (side >> 1), long = side * source.depth;
    this._fill(number, bias);
    for (let panel = 0; panel < depth; panel += 8) {
      for (let y = 0; y < height; y++) {
        const c = place + 4 * ((y + 1) * row + depth + panel);
        groups.forEach((kernel, tap) => {
          const a = from + 4 * ((y + start + tap) * source.row + start * source.depth);
          this._product(a, 4 * source.depth, kernel + 4 * panel * long, c, 4 * depth, long, width);
        });
      }
    }
  }

  _conv_transpose(step, number) {
    const { place, bias, groups } = this.steps[number], { depth, row } = this.sizes[number];
    const [from, source] = this._of(step);
    const long = 2 * source.depth;
    this._fill(number, bias);
    for (let panel = 0; panel < depth; panel += 8) {
      groups.forEach((kernel, group) => {
        const down = group >> 2, right = (group >> 1) & 1, tap = group & 1;
        for (let y = 0; y < source.height; y++) {
          const a = from + 4 * ((y + down + tap) * source.row + right * source.depth);
          const c = place + 4 * ((2 * y + down + 1) * row + (right + 1) * depth + panel);
          this._product(a, 4 * source.depth, kernel + 4 * panel * long, c, 8 * depth, long, source.width);
        }
      });
    }
  }

  /** Every place of a map gets the same numbers. */
  _fill(number, values) {
    const { place } = this.steps[number], { height, width, depth, row } = this.sizes[number];
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) this.numbers.set(values, (place >> 2) + (y + 1) * row + (x + 1) * depth);
    }
  }

  _scale(step, number, latent, label) {
    const { place, rows, byLatent } = this.steps[number], { channels, height, width, depth, row } = this.sizes[number];
    const from = this._of(step)[0] >> 2, entry = rows > 1 ? label * depth : 0;
    const [scale, shift] = ["scale", "shift"].map((part) => this.steps[number][part].slice(entry, entry + depth));
    for (let c = 0; byLatent && c < channels; c++) {
      scale[c] += dot(byLatent, c * latent.length, latent);
      shift[c] += dot(byLatent, (channels + c) * latent.length, latent);
    }
    for (let y = 1; y <= height; y++) {
      for (let x = 1; x <= width; x++) {
        const at = y * row + x * depth, to = (place >> 2) + at;
        for (let c = 0; c < depth; c++) this.numbers[to + c] = scale[c] * this.numbers[from + at + c] + shift[c];
      }
    }
  }

  /** value(map numbers, place) for every number of a map; zeros must give zeros. */
  _each(number, value) {
    const { height, row } = this.sizes[number], to = this.steps[number].place >> 2;
    for (let at = 0, count = (height + 2) * row; at < count; at++) this.numbers[to + at] = value(at);
  }

  _relu(step, number) {
    const from = this._of(step)[0] >> 2, { numbers } = this;
    this._each(number, (at) => Math.max(numbers[from + at], 0));
  }

  _tanh(step, number) {
    const from = this._of(step)[0] >> 2, { numbers } = this;
    this._each(number, (at) => Math.tanh(numbers[from + at]));
  }

  _add(step, number) {
    const one = this._of(step)[0] >> 2, other = this._of(step, 1)[0] >> 2, { numbers } = this;
    this._each(number, (at) => numbers[one + at] + numbers[other + at]);
  }

  _max_pool(step, number) {
    const { place } = this.steps[number], { height, width, depth, row } = this.sizes[number], [from, source] = this._of(step);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        for (let c = 0; c < depth; c++) {
          let most = -Infinity;
          for (let v = 0; v < step.size; v++) {
            const line = (from >> 2) + (y * step.size + v + 1) * source.row + (x * step.size + 1) * source.depth + c;
            for (let u = 0; u < step.size; u++) most = Math.max(most, this.numbers[line + u * source.depth]);
          }
          this.numbers[(place >> 2) + (y + 1) * row + (x + 1) * depth + c] = most;
        }
      }
    }
  }

  _resize(step, number) {
    const { place } = this.steps[number], { height, width, depth, row } = this.sizes[number], [from, source] = this._of(step);
    const between = (at, length) => {
      if (step.mode === "nearest") return [at >> 1, at >> 1, 0];
      const centre = Math.min(Math.max((at + 0.5) / 2 - 0.5, 0), length - 1), low = Math.floor(centre);
      return [low, Math.min(low + 1, length - 1), centre - low];
    };
    for (let y = 0; y < height; y++) {
      const [top, bottom, down] = between(y, source.height);
      for (let x = 0; x < width; x++) {
        const [left, right, across] = between(x, source.width);
        const [a, b, c, d] = [[top, left], [top, right], [bottom, left], [bottom, right]].map(
          ([v, u]) => (from >> 2) + (v + 1) * source.row + (u + 1) * source.depth,
        );
        const to = (place >> 2) + (y + 1) * row + (x + 1) * depth;
        for (let e = 0; e < depth; e++) {
          const above = this.numbers[a + e] * (1 - across) + this.numbers[b + e] * across;
          const below = this.numbers[c + e] * (1 - across) + this.numbers[d + e] * across;
          this.numbers[to + e] = above * (1 - down) + below * down;
        }
      }
    }
  }

  _attention(step, number, latent, label, views) {
    const { place, count, keys, values, logits } = this.steps[number], { height, width, depth, row } = this.sizes[number];
    const [queryPlace, query] = this._of(step);
    const many = filled(count);
    this._panels(step, 1, (key, channel, long) => (keys >> 2) + (key >> 3) * long * 8 + channel * 8 + (key & 7));
    this._panels(step, 2, (key, channel) => (values >> 2) + (channel >> 3) * many * 8 + key * 8 + (channel & 7));
    const totals = new Float32Array(height * width);
    this._fill(number, new Float32Array(depth));
    for (let y = 0; y < height; y++) {
      const a = queryPlace + 4 * ((y + 1) * query.row + query.depth);
      this.numbers.fill(0, logits >> 2, (logits >> 2) + width * many);
      for (let panel = 0; panel < many; panel += 8) {
        this._product(a, 4 * query.depth, keys + 4 * panel * query.depth, logits + 4 * panel, 4 * many, query.depth, width);
      }
      for (let x = 0; x < width; x++) totals[y * width + x] = softmax(this.numbers, (logits >> 2) + x * many, count, many);
      const c = place + 4 * ((y + 1) * row + depth);
      for (let panel = 0; panel < depth; panel += 8) {
        this._product(logits, 4 * many, values + 4 * panel * many, c + 4 * panel, 4 * depth, many, width);
      }
    }
    views[step.name] = {
      side: height, keySide: this._of(step, 1)[1].height, width: query.channels,
      queries: this._plain(step.of[0]), keys: this._plain(step.of[1]), logTotals: totals,
    };
  }

  /** Put every number of an attention's keys or values where `to` says. */
  _panels(step, which, to) {
    const [from, { height, width, depth, row }] = this._of(step, which);
    for (let y = 0, place = 0; y < height; y++) {
      for (let x = 0; x < width; x++, place++) {
        const at = (from >> 2) + (y + 1) * row + (x + 1) * depth;
        for (let channel = 0; channel < depth; channel++) this.numbers[to(place, channel, depth)] = this.numbers[at + channel];
      }
    }
  }

  /** A map without its border and filling: height * width * channels. */
  _plain(number) {
    const { place } = this.steps[number], { channels, height, width, depth, row } = this.sizes[number];
    const plain = new Float32Array(height * width * channels);
    for (let y = 0, at = 0; y < height; y++) {
      for (let x = 0; x < width; x++, at += channels) {
        const from = (place >> 2) + (y + 1) * row + (x + 1) * depth;
        plain.set(this.numbers.subarray(from, from + channels), at);
      }
    }
    return plain;
  }

  _pixels() {
    return Uint8ClampedArray.from(this._plain(this.operations.length - 1), (value) => Math.round((value + 1) * 127.5));
  }
}

/** A matrix's row, from its first number, times a latent. */
function dot(matrix, from, latent) {
  let sum = 0;
  for (let e = 0; e < latent.length; e++) sum += matrix[from + e] * latent[e];
  return sum;
}

/** Softmax over `count` numbers, in place, with zeros behind up to `many`; the logarithm of its denominator. */
function softmax(numbers, from, count, many) {
  let most = -Infinity;
  for (let at = from; at < from + count; at++) most = Math.max(most, numbers[at]);
  let total = 0;
  for (let at = from; at < from + count; at++) total += numbers[at] = Math.exp(numbers[at] - most);
  for (let at = from; at < from + count; at++) numbers[at] /= total;
  numbers.fill(0, from + count, from + many);
  return most + Math.log(total);
}

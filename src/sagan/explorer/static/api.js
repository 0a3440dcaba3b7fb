// Requests to the server that this page came from, and its binary answers.

const PATIENCE = 4; // tries, when the server says that it is busy

export class Trouble extends Error {}

async function answer(path, options = {}) {
  for (let attempt = 1; ; attempt++) {
    let response;
    try {
      response = await fetch(path, options);
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Trouble("The server does not answer. Is sagan explore still running?");
    }
    if (response.ok) return response;
    if ((response.status === 429 || response.status === 503) && attempt < PATIENCE) {
      const seconds = Number(response.headers.get("retry-after")) || 1;
      await new Promise((resolve) => setTimeout(resolve, 1000 * Math.min(seconds, 5)));
      continue;
    }
    let detail = `The server answered ${response.status}.`;
    try {
      detail = (await response.json()).detail ?? detail;
    } catch { /* not JSON: the number says what there is to say */ }
    throw new Trouble(detail);
  }
}

export const get = async (path, signal) => (await answer(path, { signal })).json();

export const post = (path, body, signal) =>
  answer(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body), signal });

export const upload = async (file) =>
  (await answer("/api/v1/pictures", { method: "POST", headers: { "content-type": "image/*" }, body: file })).json();

/** A scene, from its safetensors file: {facts, picture, resolution, views}. */
export async function scene(body, signal) {
  const bytes = await (await post("/api/v1/scene", body, signal)).arrayBuffer();
  const { tensors, metadata } = readTensors(bytes);
  const facts = JSON.parse(metadata.scene);
  const views = new Map();
  for (const [name, numbers] of Object.entries(facts.layers)) {
    const queries = tensors[`${name}/queries`];
    const keys = tensors[`${name}/keys`];
    views.set(name, {
      ...numbers,
      side: queries.shape[0],
      keySide: keys.shape[0],
      width: queries.shape[2],
      queries: queries.data,
      keys: keys.data,
      logTotals: tensors[`${name}/log_totals`].data,
    });
  }
  return { facts, picture: tensors.picture.data, resolution: tensors.picture.shape[0], views };
}

/** The safetensors format: eight bytes of length, a JSON header, then the numbers. */
export function readTensors(bytes) {
  const length = Number(new DataView(bytes).getBigUint64(0, true));
  const { __metadata__: metadata, ...entries } = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 8, length)));
  const tensors = {};
  for (const [name, entry] of Object.entries(entries)) {
    const part = bytes.slice(8 + length + entry.data_offsets[0], 8 + length + entry.data_offsets[1]);
    tensors[name] = { shape: entry.shape, data: entry.dtype === "U8" ? new Uint8Array(part) : new Float32Array(part) };
  }
  return { tensors, metadata };
}

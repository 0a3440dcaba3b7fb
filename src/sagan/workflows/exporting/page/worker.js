// A worker: takes the file once, then draws one picture for each message.

import { latent } from "./latents.js";
import { Network, openFile } from "./network.js";

let network;
let length;

onmessage = ({ data }) => {
  try {
    if (data.bytes) {
      const { record, tensors } = openFile(data.bytes);
      network = new Network(record.operations, tensors);
      length = record.latent.length;
      postMessage({ ready: true, simd: network.tile.simd });
    } else {
      const { pixels, views } = network.draw(latent(data.seed, length, data.truncation), data.label);
      postMessage({ pixels, views: data.maps ? views : {} });
    }
  } catch (error) {
    postMessage({ error: String(error) });
  }
};

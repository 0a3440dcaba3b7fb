"""A picture and what its attention maps are made of.

A map of N queries and M keys is an N x M matrix of rank at most E, the width of a query. Queries and keys together are
(N + M) E numbers: small enough to be sent once, after which any row of the map is M E products away, wherever one points.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor

from sagan.errors import ConfigError
from sagan.layers.attention import SelfAttention2d
from sagan.layers.attention_core import attention_rows
from sagan.training.telemetry import focus, watched_queries
from sagan.visualise.channels import as_rgb
from sagan.visualise.points import position_of

BLOCK = 2**22  # entries of a map that are held at a time
Point = tuple[int, int]


@dataclass(frozen=True)
class LayerView:
    """One attention layer at one picture. queries: (H, W, E), with the logits' factor in them.  keys: (h, w, E). float32."""

    name: str
    gamma: float
    queries: Tensor
    keys: Tensor

    def rows(self, positions: Sequence[tuple[int, int]]) -> NDArray[np.float32]:
        """The attention of query positions (row, column): (Q, h, w), each summing to one."""
        places = torch.tensor(positions, dtype=torch.int64).reshape(-1, 2)
        chosen = self.queries[places[:, 0], places[:, 1]]
        rows = attention_rows(chosen[None], self.keys.flatten(0, 1)[None])[0]
        return rows.unflatten(1, self.keys.shape[:2]).numpy()

    def at(self, points: Sequence[Point], resolution: int) -> NDArray[np.float32]:
        """The attention of places (x, y) in pixels: (Q, h, w). Raises ConfigError for one outside the picture."""
        return self.rows([position_of(x, y, self.queries.shape[0], resolution) for x, y in points])

    def log_totals(self) -> Tensor:
        """The logarithm of each query's softmax denominator: (H, W). With it a single entry of the map can be had alone."""
        queries, keys = self.queries.flatten(0, 1), self.keys.flatten(0, 1)
        step = max(1, BLOCK // len(keys))
        parts = [(queries[start : start + step] @ keys.T).logsumexp(1) for start in range(0, len(queries), step)]
        return torch.cat(parts).unflatten(0, self.queries.shape[:2])

    def facts(self) -> dict[str, float]:
        """gamma, and the mean entropy and distance as the log has them (`training.telemetry`)."""
        queries = watched_queries(self.queries.shape[:2])
        weights = torch.from_numpy(self.rows(queries.tolist()))[None]
        entropy, distance = focus(weights, queries, self.queries.shape[:2])
        return {"gamma": self.gamma, "entropy": entropy, "distance": distance}


@dataclass(frozen=True)
class Scene:
    """picture: (R, R, C) uint8.  layers: by name, in the order of the data."""

    picture: NDArray[np.uint8]
    layers: Mapping[str, LayerView]

    def layer(self, name: str) -> LayerView:
        """Raises ConfigError for a layer that is not there."""
        if name not in self.layers:
            there = f"There are: {', '.join(self.layers)}." if self.layers else "This network has no attention layer."
            raise ConfigError(f"there is no layer {name}", remedy=there)
        return self.layers[name]

    @property
    def size(self) -> int:
        """Bytes in memory."""
        arrays = [tensor for view in self.layers.values() for tensor in (view.queries, view.keys)]
        return self.picture.nbytes + sum(tensor.nbytes for tensor in arrays)


def views(
    layers: Mapping[str, SelfAttention2d], inputs: Mapping[str, Tensor], count: int
) -> list[dict[str, LayerView]]:
    """The views of the first `count` pictures of a batch, from what went into each layer (`record_inputs`)."""
    found: list[dict[str, LayerView]] = [{} for _ in range(count)]
    for name, layer in layers.items():
        queries, keys = layer.queries_and_keys(inputs[name])  # of the whole batch: another size may round differently
        queries, keys = queries.cpu(), keys.cpu()
        for row, entry in enumerate(found):  # each its own, so that keeping one does not keep the batch
            entry[name] = LayerView(name, float(layer.gamma.detach()), queries[row].clone(), keys[row].clone())
    return found


def pack(scene: Scene, facts: Mapping[str, Any]) -> bytes:
    """A scene as one safetensors file.

    picture: (R, R, 3) uint8, as a screen shows it.  For each layer NAME/queries (H, W, E), NAME/keys (h, w, E) and
    NAME/log_totals (H, W) in float32. The metadata's `scene` is JSON: `facts`, and each layer's numbers under `layers`.
    """
    tensors = {"picture": torch.from_numpy(as_rgb(scene.picture[None])[0].copy())}
    for name, view in scene.layers.items():
        tensors[f"{name}/queries"] = view.queries.contiguous()
        tensors[f"{name}/keys"] = view.keys.contiguous()
        tensors[f"{name}/log_totals"] = view.log_totals().contiguous()
    told = {**facts, "layers": {name: view.facts() for name, view in scene.layers.items()}}
    return save(tensors, metadata={"scene": json.dumps(told, allow_nan=False)})

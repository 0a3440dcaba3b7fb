"""200 changes of one tensor in a foreign file, each refused with that tensor's name."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch
from test_peers import PEERS

from sagan.errors import CheckpointIncompatible
from sagan.interop.recognise import files_of, networks_of
from sagan.interop.sandbox import read_foreign

MUTATIONS = 200
KINDS = ("renamed", "missing", "extra", "reshaped", "non-finite")


def mutate(tensors, name, kind):
    """(the tensors with one of them changed, the names of which one must be told)."""
    changed, tensor = dict(tensors), tensors[name]
    if kind == "extra":
        return changed | {f"{name}_too": tensor.clone()}, [f"{name}_too"]
    del changed[name]
    if kind == "renamed":
        head, _, tail = name.rpartition(".")
        changed[f"{head}.old_{tail}"] = tensor
        return changed, [name]
    if kind == "reshaped":
        changed[name] = tensor.unsqueeze(0) if tensor.ndim < 2 else tensor[:-1] if len(tensor) > 1 else tensor.flatten()
    if kind == "non-finite":
        changed[name] = tensor.clone().float()
        changed[name].view(-1)[0] = random.Random(name).choice([float("nan"), float("inf")])
    return changed, [name]


@pytest.mark.parametrize("peer", PEERS)
def test_each_is_refused_by_name(golden, peer):
    files = [read_foreign(file) for file in files_of(golden / peer)]
    networks_of(files, golden / peer)  # unchanged, it opens
    chance = random.Random(peer)
    whole = [place for place, file in enumerate(files) if file.tensors]
    for number in range(-(-MUTATIONS // len(PEERS))):
        place = chance.choice(whole)
        name = chance.choice(sorted(files[place].tensors))
        kind = KINDS[number % len(KINDS)]
        tensors, told = mutate(files[place].tensors, name, kind)
        damaged = [replace(file, tensors=tensors) if n == place else file for n, file in enumerate(files)]
        with pytest.raises(CheckpointIncompatible) as caught:
            networks_of(damaged, golden / peer)
        bare = [word.rpartition("/")[2] for word in told]
        assert any(word in str(caught.value) for word in bare), f"{kind} {name}: {caught.value}"
        assert torch.is_tensor(files[place].tensors[name])

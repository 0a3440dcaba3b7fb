"""Foreign files are read without running anything of them (G9 of the reliability bar)."""

from __future__ import annotations

import json
import os
import resource
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from malicious import STATE, corpus, saved

from sagan.checkpoint.tensors import pack
from sagan.errors import CheckpointCorrupt, CheckpointMissing, RefusedError, SaganError
from sagan.interop import sandbox
from sagan.interop.sandbox import read_foreign

KINDS = sorted(corpus("x"))
PROTECTIONS = {"memory", "time", "writing", "core", "processes", "files", "audit"}


def test_the_corpus_has_the_bars_number_of_kinds():
    assert len(KINDS) >= 60


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(the canary's path, the corpus), made once."""
    canary = tmp_path_factory.mktemp("canaries") / "canary"
    return canary, corpus(str(canary))


@pytest.mark.parametrize("kind", KINDS)
def test_a_malicious_file_is_refused(kind, made, tmp_path):
    """Nothing is run, nothing written, and it is over soon. What the reading process may take is limited by the kernel."""
    canary, files = made
    path = tmp_path / "model.pth"
    path.write_bytes(files[kind])
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    with pytest.raises(SaganError) as caught:
        read_foreign(path)
    assert isinstance(caught.value, (RefusedError, CheckpointCorrupt)), caught.value
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    assert not canary.exists() and os.listdir(tmp_path) == ["model.pth"]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300 << 10  # KiB
    assert time.monotonic() - start < 3 * sandbox.SECONDS


def test_the_corpus_carries_code_that_would_run(tmp_path):
    """Else its refusal would be no evidence."""
    canary = tmp_path / "canary"
    import pickle
    import zipfile

    path = tmp_path / "model.pth"
    path.write_bytes(corpus(str(canary))["call os.system"])
    with zipfile.ZipFile(path) as archive:
        pickle.loads(archive.read("archive/data.pkl"))
    assert canary.exists()


@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize("suffix", ["pth", "pt", "pkl"])
def test_both_formats_of_torch_give_the_tensors(new, suffix, tmp_path):
    x = torch.randn(6, 5, 4, 3, generator=torch.Generator().manual_seed(1))
    state = {
        "step": 7,
        "state_dict": {
            "plain": x, "channels_last": x.to(memory_format=torch.channels_last), "moved": x.permute(3, 1, 0, 2),
            "part": x[1:4, ::2, :, 1:], "tied": x, "half": x.half(), "bf16": x.bfloat16(), "one": torch.tensor(3),
            "none": torch.zeros(0, 3), "parameter": torch.nn.Parameter(x[0].clone()), "flag": torch.tensor([True, False]),
        },
        "optimizer": {"state": {0: {"exp_avg": x}}, "param_groups": [{"lr": 1e-4, "params": [0]}]},
    }  # fmt: skip
    path = tmp_path / f"model.{suffix}"
    path.write_bytes(saved(new, state))
    read = read_foreign(path)
    expected = {f"state_dict/{name}": tensor.detach() for name, tensor in state["state_dict"].items()}
    assert read.tensors.keys() == expected.keys()  # what an optimiser holds by number is left out
    for name, tensor in expected.items():
        assert read.tensors[name].dtype == tensor.dtype and torch.equal(read.tensors[name], tensor), name
    assert read.facts == {"step": 7}
    assert set(read.holds) >= PROTECTIONS if sys.platform == "linux" else "audit" in read.holds


def test_safetensors_are_read_whatever_the_name(tmp_path):
    path = tmp_path / "model.pth"
    path.write_bytes(pack(STATE))
    assert torch.equal(read_foreign(path).tensors["weight"], STATE["weight"])


def test_safetensors_are_not_taken_for_a_pickle_by_the_length_of_their_header(tmp_path):
    """A header of 640 bytes begins with 80 02, as pickles of protocol 2 do."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).ljust(640).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", 640) + header + struct.pack("<2f", 1.5, -2.0))
    assert read_foreign(path).tensors["w"].tolist() == [1.5, -2.0]


def test_no_file_and_a_folder(tmp_path):
    with pytest.raises(CheckpointMissing):
        read_foreign(tmp_path / "absent.pth")
    with pytest.raises(CheckpointCorrupt, match="folder"):
        read_foreign(tmp_path)


ATTEMPTS = {
    "open a file": "open('/etc/hostname')",
    "write a file": "open('/tmp/canary-of-the-sandbox', 'w')",
    "open a socket": "socket.socket()",
    "start a process": "os.system('true')",
    "fork": "os.fork()",
    "replace itself": "os.execv('/bin/true', ['true'])",
    "import": "import_module('colorsys')",
    "compile": "compile('1', 'x', 'eval')",
    "list a folder": "os.listdir('/')",
    "load a library": "ctypes.CDLL('libm.so.6')",
}


@pytest.mark.skipif(sys.platform != "linux", reason="the limits are those of Linux")
@pytest.mark.parametrize("attempt", sorted(ATTEMPTS))
def test_the_confined_process_may_not(attempt):
    code = (
        "import ctypes, os, socket\nfrom importlib import import_module\nfrom sagan.interop.confine import confine\n"
        f"confine(5)\ntry:\n    {ATTEMPTS[attempt]}\nexcept (PermissionError, OSError):\n    os._exit(42)\nos._exit(0)"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(sandbox.__file__).parents[2])}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 42


@pytest.mark.skipif(sys.platform != "linux", reason="the limits are those of Linux")
def test_the_kernel_holds_where_python_does_not():
    """Without the audit hook, memory, descriptors and processor time are still limited."""
    code = (
        "import os, socket, resource\nfrom sagan.interop.confine import _limit, MEMORY\n_limit(1)\n"
        "for attempt in (lambda: bytes(MEMORY), lambda: open('/etc/hostname'), socket.socket):\n"
        "    try:\n        attempt()\n    except (MemoryError, OSError):\n        continue\n    os._exit(1)\n"
        "while True: pass"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(sandbox.__file__).parents[2])}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, stderr=subprocess.DEVNULL).returncode
    assert ended < 0, "it was not ended for its processor time"

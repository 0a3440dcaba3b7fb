"""The machine that reads pickles refuses for the right reason, before anything behind it would."""

from __future__ import annotations

import io
import pickle
import random

import pytest
from malicious import call, tensor

from sagan.interop.named import Broken, Refused, View
from sagan.interop.pickles import Machine


def run(data: bytes) -> object:
    return Machine(io.BytesIO(data).read).run()


@pytest.mark.parametrize(
    ("data", "kind", "reason"),
    [
        (call("cos\nsystem\n", "x"), Refused, "the name os.system"),
        (b"cos\nsystem\n.", Refused, "the name os.system"),
        (b"}(tR.", Refused, "a call of what is no name"),
        (b"ctorch\nFloatStorage\n(tR.", Refused, "a call of torch.FloatStorage"),
        (b"ccollections\nOrderedDict\n(K\x01tR.", Refused, "an OrderedDict made from something"),
        (tensor(5, (2, 3), (3, 1)), Broken, "reaches to element 10 of a storage of 6"),
        (tensor(0, (3, 3), (1, 1)), Refused, "on top of each other"),
        (tensor(0, (3,), (0,)), Refused, "on top of each other"),
        (tensor(-1, (2,), (1,)), Refused, "an impossible shape"),
        (b"h\x07.", Broken, "recalls 7"),
        (b"]K\x01s.", Broken, "takes more than it has"),
        (b"(K\x01t0.", Broken, "takes more than it has"),
        (b"K", Broken, "ends in the middle"),
        (b"\x80\x06N.", Refused, "later protocol"),
        (b"K\x01K\x02a.", Refused, "no list"),
    ],
)
def test_refused_for_its_reason(data, kind, reason):
    with pytest.raises(kind, match=reason):
        run(data)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_values_come_as_python_reads_them(protocol):
    value = {
        "a": [1, -2, 70_000, 2**40, -(2**40)],
        "b": (0.5, None, True, False),
        "c": ("", "ä" * 300),
        3: {},
        "d": b"x",
    }
    assert run(pickle.dumps(value, protocol)) == (value if protocol > 2 else run(pickle.dumps(value, 2)))
    assert run(pickle.dumps({**value, "d": 0}, protocol)) == {**value, "d": 0}


def test_a_tensor_is_noted_not_made():
    made = run(tensor(1, (2, 2), (2, 1)))
    assert isinstance(made, dict) and isinstance(view := made["w"], View)
    assert (view.offset, view.shape, view.strides, view.storage.dtype) == (1, (2, 2), (2, 1), "F32")


def test_any_bytes_end_in_a_value_or_a_refusal():
    """20,000 changes of a good pickle and of noise: nothing else is ever raised."""
    chance, good = random.Random(7), tensor(0, (2, 3), (3, 1))
    ended = 0
    for number in range(20_000):
        data = bytearray(good if number % 2 else chance.randbytes(40))
        for _ in range(chance.randrange(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            run(bytes(data))
        except (Refused, Broken):
            ended += 1
    assert 10_000 < ended < 20_000

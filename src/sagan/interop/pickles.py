"""What a pickle says, without doing it.

A pickle is a program for a small stack machine, and Python's own machine may call anything. This one knows the instructions
that `torch.save` writes, makes dictionaries, lists, tuples, numbers and texts, and notes down what a tensor would be made
of. Names of functions are looked up in the short tables of `named`, never in a module, and no function of the file's choice
is called. So whatever a file says, nothing of it runs.

Only the standard library is used: the process that runs this can import nothing else.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from sagan.interop.named import CALLS, DTYPES, INERT, STORAGES, Broken, Inert, Name, Refused, Storage, is_count

MAX_INSTRUCTIONS = 2_000_000  # a checkpoint of a thousand tensors with its optimiser's memory has about 100,000
MAX_TEXT = 4 << 20


class Machine:
    """Reads one pickle. read(n): exactly n bytes of the file, or fewer at its end."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> Any:
        """The value that the pickle makes. Raises Refused, Broken."""
        for _ in range(MAX_INSTRUCTIONS):
            code = self._bytes(1)
            if code == b".":
                return self._pop()
            step = STEPS.get(code)
            if step is None:
                raise Refused(f"the instruction {code!r}, which torch.save does not write")
            step(self)
        raise Refused(f"more than {MAX_INSTRUCTIONS:,} instructions")

    def _bytes(self, count: int) -> bytes:
        if count > MAX_TEXT:
            raise Refused(f"a text of {count:,} bytes")
        data = self._read(count)
        if len(data) != count:
            raise Broken("it ends in the middle of a pickle")
        return data

    def _number(self, form: str) -> Any:
        return struct.unpack(form, self._bytes(struct.calcsize(form)))[0]

    def _line(self) -> str:
        line = b""
        while not line.endswith(b"\n"):
            line += self._bytes(1)
            if len(line) > 256:
                raise Refused("a name of more than 256 bytes")
        return _text(line[:-1])

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _pop(self) -> Any:
        if not self._stack or (self._marks and len(self._stack) <= self._marks[-1]):
            raise Broken("a pickle that takes more than it has")
        return self._stack.pop()

    def _top(self) -> Any:
        value = self._pop()
        self._stack.append(value)
        return value

    def _since_mark(self) -> list[Any]:
        if not self._marks:
            raise Broken("a pickle without a mark where one is needed")
        start = self._marks.pop()
        values = self._stack[start:]
        del self._stack[start:]
        return values

    def _tuple(self, count: int) -> None:
        self._push(tuple(reversed([self._pop() for _ in range(count)])))

    def _keep(self, place: int) -> None:
        self._memo[place] = self._top()

    def _recall(self, place: int) -> None:
        if place not in self._memo:
            raise Broken(f"a pickle that recalls {place}, which it never kept")
        self._push(self._memo[place])

    def _extend(self, values: list[Any]) -> None:
        target = self._top()
        if type(target) is not list:
            raise Refused("something appended to what is no list")
        target.extend(values)

    def _set(self, values: list[Any]) -> None:
        target = self._top()
        if type(target) is not dict or len(values) % 2:
            raise Refused("items set on what is no dictionary")
        for key, value in zip(values[::2], values[1::2], strict=True):
            if not isinstance(key, (str, int, float, type(None))):
                raise Refused(f"a {type(key).__name__} as the key of a dictionary")
            if key in target:
                raise Refused(f"the key {str(key)[:80]!r} twice in one dictionary")
            target[key] = value

    def _global(self, module: Any, name: Any) -> None:
        if not (isinstance(module, str) and isinstance(name, str)):
            raise Refused("a name that is no text")
        text = f"{module}.{name}"
        module_known = module == "torch" and (name in STORAGES or name in DTYPES)
        if text not in CALLS and text not in INERT and not module_known:
            raise Refused(f"the name {text[:160]}, which is not needed for tensors")
        self._push(Name(text))

    def _call(self) -> None:
        arguments, function = self._pop(), self._pop()
        if not isinstance(function, Name) or type(arguments) is not tuple:
            raise Refused("a call of what is no name")
        if function.text in INERT:
            self._push(Inert(function.text))
        elif function.text in CALLS:
            self._push(CALLS[function.text](arguments))
        else:
            raise Refused(f"a call of {function.text}")

    def _build(self) -> None:
        state, target = self._pop(), self._top()
        known = type(target) is dict and type(state) is dict and set(state) <= {"_metadata"}
        if not known and not isinstance(target, Inert):
            raise Refused("attributes set on an object")

    def _persistent(self) -> None:
        """A storage: torch writes ("storage", type, key, place, count), in the older format with None behind it."""
        words = self._pop()
        if (
            type(words) is not tuple
            or len(words) not in (5, 6)
            or words[0] != "storage"
            or words[5:] not in ((), (None,))
        ):
            raise Refused("a persistent name that is no storage")
        kind, key, _, count = words[1:5]
        name = kind.text.removeprefix("torch.") if isinstance(kind, Name) else ""
        if name not in STORAGES or not isinstance(key, str) or not is_count(count):
            raise Refused("a storage of an unknown kind")
        self._push(Storage(key, *STORAGES[name], count))


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("a text that is not UTF-8") from None


def _stack_global(machine: Machine) -> None:
    name, module = machine._pop(), machine._pop()
    machine._global(module, name)


def _long(machine: Machine) -> None:
    machine._push(int.from_bytes(machine._bytes(machine._number("<B")), "little", signed=True))


def _setitem(machine: Machine) -> None:
    value, key = machine._pop(), machine._pop()
    machine._set([key, value])


def _append(machine: Machine) -> None:
    machine._extend([machine._pop()])


def _protocol(machine: Machine) -> None:
    if machine._number("<B") > 5:
        raise Refused("a pickle of a later protocol than 5")


# The machine's instructions, by Python's names of them.
STEPS: dict[bytes, Callable[[Machine], Any]] = {
    b"\x80": _protocol,
    b"\x95": lambda m: m._bytes(8),  # FRAME: how much follows, which reading finds out by itself
    b"(": lambda m: m._marks.append(len(m._stack)),
    b"}": lambda m: m._push({}),
    b"]": lambda m: m._push([]),
    b")": lambda m: m._push(()),
    b"t": lambda m: m._push(tuple(m._since_mark())),
    b"\x85": lambda m: m._tuple(1),
    b"\x86": lambda m: m._tuple(2),
    b"\x87": lambda m: m._tuple(3),
    b"a": _append,
    b"e": lambda m: m._extend(m._since_mark()),
    b"s": _setitem,
    b"u": lambda m: m._set(m._since_mark()),
    b"q": lambda m: m._keep(m._number("<B")),
    b"r": lambda m: m._keep(m._number("<I")),
    b"\x94": lambda m: m._keep(len(m._memo)),
    b"h": lambda m: m._recall(m._number("<B")),
    b"j": lambda m: m._recall(m._number("<I")),
    b"X": lambda m: m._push(_text(m._bytes(m._number("<I")))),
    b"\x8c": lambda m: m._push(_text(m._bytes(m._number("<B")))),
    b"U": lambda m: m._push(_text(m._bytes(m._number("<B")))),  # a text of Python 2
    b"T": lambda m: m._push(_text(m._bytes(m._number("<I")))),
    b"C": lambda m: m._push(m._bytes(m._number("<B"))),
    b"B": lambda m: m._push(m._bytes(m._number("<I"))),
    b"K": lambda m: m._push(m._number("<B")),
    b"M": lambda m: m._push(m._number("<H")),
    b"J": lambda m: m._push(m._number("<i")),
    b"\x8a": _long,
    b"G": lambda m: m._push(m._number(">d")),
    b"N": lambda m: m._push(None),
    b"\x88": lambda m: m._push(True),
    b"\x89": lambda m: m._push(False),
    b"0": lambda m: m._pop(),
    b"c": lambda m: m._global(m._line(), m._line()),
    b"\x93": _stack_global,
    b"R": lambda m: m._call(),
    b"b": lambda m: m._build(),
    b"Q": lambda m: m._persistent(),
}

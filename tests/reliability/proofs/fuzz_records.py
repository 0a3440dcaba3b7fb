"""G8: mutated TOML of a run's record, and values that somebody might type."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sagan.layers.attention  # loaded first, so that no trial pays for it
import sagan.losses.adversarial  # noqa: F401
from proofs.fuzzing import NUMBERS, SPITEFUL, TEXTS, endures, mutate_bytes, odd_value
from proofs.outcome import Outcome
from sagan.cli.options import default_hint, read_words
from sagan.config import SLOTS, TABLES, RunConfig, build, flatten, from_toml, to_toml
from sagan.presets import PRESETS, assemble, preset, run_folder

CLAIM = (
    "Any text as a run's record, and any words as options, give a record that survives being written and read, or one of"
    " our errors, each within two seconds"
)
QUICK = 4_000
FULL = 1_000_000

WHOLE_WORDS_EVERY = 400  # a line of words takes a hundred times as long as the values alone


def prove(count: int, seed: int, workspace: Path) -> Outcome:
    """Every crafted text once, then mutated ones; a third of the trials are options."""
    chance, outcome = random.Random(seed), Outcome()
    base = [to_toml(preset(name, data="photos", out="run")).encode() for name in sorted(PRESETS)]
    file, texts = workspace / "run.toml", _texts(base, chance)
    while outcome.tried < count:
        if outcome.tried % WHOLE_WORDS_EVERY == 1:
            kind, given = "lines of words", _words(chance)
            accepted, broken = endures(lambda given=given: use(_typed(given)))  # type: ignore[misc]
        elif outcome.tried % 3 == 1:
            kind, given = "options", _options(chance)
            accepted, broken = endures(lambda given=given: use(assemble(given, resume="off")))  # type: ignore[misc]
        else:
            kind, given = "texts", next(texts)
            accepted, broken = endures(lambda given=given: use(_read(given, file)))  # type: ignore[misc]
        outcome.note(None if broken is None else f"{kind} {outcome.tried}: {broken}; {str(given)[:200]}")
        outcome.count(kind)
        outcome.count("accepted", accepted)
    return outcome


def use(config: RunConfig) -> None:
    """What is accepted must hold: the same record after writing and reading, and a folder to write it to."""
    run_folder(config)
    written = to_toml(config)
    assert from_toml(written) == config, "another record after writing and reading"
    assert build(flatten(config)) == config, "another record after taking it apart"


def _typed(words: list[str]) -> RunConfig:
    """As `sagan train` reads its words."""
    groups = {table: record.model_fields for table, record in TABLES.items()}
    data = {"data": SLOTS["data"].field}
    typed = read_words(words, prog="sagan", about="", positionals=data, needed=False, groups=groups, hint=default_hint)
    return assemble(typed, resume="off")


def _read(payload: bytes, file: Path) -> RunConfig:
    """As a text where it is one, else as a file, which need not be."""
    try:
        return from_toml(payload.decode("utf-8"))
    except UnicodeDecodeError:
        file.write_bytes(payload)
        return from_toml(file)


def _texts(base: list[bytes], chance: random.Random) -> Iterator[bytes]:
    yield from crafted()
    names = list(SLOTS)
    while True:
        text = chance.choice(base)
        if chance.random() < 0.5:
            yield mutate_bytes(text, base, chance)
            continue
        lines = text.splitlines()
        name, value = (
            chance.choice(names).encode(),
            chance.choice((*SPITEFUL, b"%r" % chance.choice(NUMBERS), _quoted(chance))),
        )
        place = chance.randrange(len(lines) + 1)
        same = next((number for number, line in enumerate(lines) if line.startswith(name + b" =")), None)
        lines[place if same is None else same : place if same is None else same + 1] = [name + b" = " + value]
        yield b"\n".join(lines)


def _quoted(chance: random.Random) -> bytes:
    return b'"' + chance.choice(TEXTS).encode("utf-8", "surrogatepass") + b'"'


def crafted() -> Iterator[bytes]:
    """Texts that a reader of TOML has been caught with: each is refused before the parser, or quickly by it."""
    yield from SPITEFUL
    yield b"a" + b".a" * 20_000 + b" = 1"
    yield b"\n".join(b"a%d" % number + b".a" * 63 + b" = 1" for number in range(450))
    yield b"\n".join(b"[a%d" % number + b".a" * 60 + b"]" for number in range(450))
    yield b"[training]\nseed = 0x" + b"f" * 200_000
    yield b"[training]\nseed = 0x" + b"f" * 60_000
    yield b"[training]\nseed = " + b"9" * 60_000
    yield b"[training]\nseed = " + b"1_" * 30_000 + b"1"
    yield b"[training]\ng_lr = 0." + b"9" * 60_000
    yield b"x = " + b"[" * 100_000
    yield b"x = " + b'[ "]", ' * 5_000  # closing brackets in texts: deeper than a count of brackets sees
    yield b"x = " + b'{ "}" = ' * 5_000
    yield b"[[x]]\n" * 10_000
    yield b"x = '''" + b"'" * 60_000
    yield b'x = "' + b"\\u0041" * 10_000 + b'"'
    yield b"#" * 70_000
    yield b"\n" * 65_536
    yield b"\n".join(b"k%d = 1" % number for number in range(6_000))
    yield b"[data]\ndata = '" + b"x" * 60_000 + b"'"
    yield b"[data]\ndata = '~nobody-here/x'"
    yield b'[data]\ndata = "\\u0000"'
    yield b'[output]\nout = "\\u0000"'
    yield b"[model]\ng_attn = [" + b"16," * 20_000 + b"]"
    yield b"[model]\ng_attn = [" + b"0x" + b"f" * 60_000 + b"]"


def _value(chance: random.Random) -> Any:
    """What one option was given: mostly a text, as the command line gives; sometimes what only Python can give."""
    if chance.random() < 0.3:
        return odd_value(chance)
    text = chance.choice(
        (*TEXTS, *map(str, NUMBERS), "16,32", "1h30m", "#fff", "0.1.2", "1e999", "inf", "-nan", "0x10", "1_0")
    )
    return text if chance.random() < 0.8 else tuple(text.split(","))


def _options(chance: random.Random) -> dict[str, Any]:
    return {name: _value(chance) for name in chance.sample(list(SLOTS), chance.choice((1, 1, 2, 5)))}


def _words(chance: random.Random) -> list[str]:
    """A command line: options that exist and some that do not."""
    words = []
    for name in chance.sample([*SLOTS, "stepz", "h4lp", "n", ""], chance.choice((1, 2, 4))):
        text = str(_value(chance)).replace("\x00", "")  # which no command line can hold
        words += chance.choice(([f"--{name}={text}"], [f"--{name.replace('_', '-')}", text], [text], [f"--no-{name}"]))
    return [word for word in words if not word.startswith(("--tyro", "--help", "-h"))]

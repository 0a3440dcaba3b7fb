"""Words on the command line, read as options.

Every option has its record's name; `-` and `_` are alike, capitals do not matter, and the names that other projects use
are understood. tyro reads the words and writes the help; values are checked by the records, so that a mistake is told
in the same one line whether it stands on the command line, in a TOML file or in Python.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypedDict

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from sagan.config import choices_of, kind_of, must_be, nearest, show
from sagan.errors import ConfigError

Fields = Mapping[str, FieldInfo]

# What people type who come from another project -> our name.
ALIASES = {
    "image-size": "resolution", "img-size": "resolution", "imsize": "resolution",
    "batch": "batch-size",
    "gradient-accumulate-every": "grad-accum", "gradient-accumulation-steps": "grad-accum",
    "total-step": "steps", "total-steps": "steps", "num-steps": "steps", "num-train-steps": "steps",
    "d-steps": "n-dis", "d-step": "n-dis", "d-iters": "n-dis", "num-d-steps": "n-dis", "d-updates-per-step": "n-dis",
    "dim-z": "z-dim", "nz": "z-dim", "latent-dim": "z-dim",
    "ngf": "g-ch", "g-conv-dim": "g-ch", "gf-dim": "g-ch",
    "ndf": "d-ch", "d-conv-dim": "d-ch", "df-dim": "d-ch",
    "generator-lr": "g-lr", "glr": "g-lr", "discriminator-lr": "d-lr", "dlr": "d-lr",
    "adam-beta1": "beta1", "adam-beta2": "beta2",
    "adv-loss": "loss", "loss-type": "loss",
    "lambda-gp": "gp", "gp-lambda": "gp", "gp-scale": "gp", "r1-lambda": "r1", "gamma": "r1",
    "optimizer": "optimiser", "arch": "architecture", "backbone": "architecture",
    "ema-decay": "ema", "g-ema-decay": "ema", "g-ema-start": "ema-start",
    "xflip": "mirror",
    "aug": "augment", "aug-prob": "aug-p", "aug-types": "aug-kinds", "augpipe": "aug-kinds", "target": "aug-target",
    "ada-target": "aug-target", "ada-kimg": "aug-kimg", "lecam-weight": "lecam", "cr-lambda": "cr",
    "mixed-precision": "precision",
    "num-workers": "workers",
    "outdir": "out", "output-dir": "out", "save-dir": "out", "results-dir": "out",
    "license": "licence", "commit-message": "message",
    "truncation": "trunc", "layers": "layer", "network": "source",
    "n": "n", "o": "out", "h": "help",
}  # fmt: skip
PASSED_ON = ("help", "tyro-print-completion", "tyro-write-completion")
SWITCH = {"true": True, "on": True, "yes": True, "1": True, "false": False, "off": False, "no": False, "0": False}
METAVARS = {"whole": "N", "number": "X", "text": "TEXT", "list": "A,B"}


def read_words(
    argv: Sequence[str],
    *,
    prog: str,
    about: str,
    positionals: Fields,
    groups: Mapping[str, Fields],
    hint: Callable[[str, FieldInfo], str],
    needed: bool = True,
) -> dict[str, Any]:
    """The options that were typed, by name; those that were not are absent.

    positionals: what stands without a name, in order; a list takes all there are.  groups: the options by the heading of
    their part of the help, "" first.  hint: what the help says behind an option, such as its default.  needed: whether the
    help shows positionals as words that must be there.  Values are text, True or False, or tuples.
    Prints the help and raises SystemExit when asked to; raises ConfigError for words that mean nothing here.
    """
    import tyro  # a fifth of a second, which the bare `sagan --help` does not pay

    options = {name: field for group in groups.values() for name, field in group.items()}
    free, words = _ordered(argv, options, prog)
    several = any(kind_of(field) == "list" for field in positionals.values())
    if not several:
        _refuse_more(free, len(positionals), prog)

    def argument(name: str, field: FieldInfo, *, positional: bool = False) -> Any:
        metavar = (name.upper() if needed else f"[{name.upper()}]") if positional else _metavar(field)
        if positional and several:
            metavar = f"{name.upper()} ..."
        shown = tyro.conf.arg(
            help=field.description, metavar=metavar, prefix_name=False, help_behavior_hint=hint(name, field) or " "
        )
        kind: Any = bool if metavar is None else str
        return Annotated[kind, shown, tyro.conf.Positional] if positional else Annotated[kind, shown]

    def table(title: str, members: dict[str, Any]) -> Any:
        made = TypedDict(title, members, total=False)  # type: ignore[misc]  # made from the records, so mypy cannot see it
        made.__doc__ = " "
        return made

    first = {name.upper(): argument(name, field, positional=True) for name, field in positionals.items()}
    first |= {name: argument(name, field) for name, field in groups.get("", {}).items()}
    members: dict[str, Any] = {"": Annotated[table("words", first), tyro.conf.arg(name="")]}
    for title, group in groups.items():
        if title:
            members[title] = table(title, {name: argument(name, field) for name, field in group.items()})
    shown_words = (free[:1] if several else free) + words  # tyro sees the first of several, for its help
    read = tyro.cli(table("command", members), prog=prog, description=about, args=shown_words, config=())
    typed: dict[str, Any] = {name: value for part in read.values() for name, value in part.items()}
    if several and free:
        typed |= {name.upper(): tuple(free) for name in positionals}
    return _values(typed, positionals, options)


def _values(typed: Mapping[str, Any], positionals: Fields, options: Fields) -> dict[str, Any]:
    values = {
        name: _list(text) if kind_of(options[name]) == "list" else text
        for name, text in typed.items()
        if name in options
    }
    for name in positionals:
        if name.upper() in typed:
            if name in values:
                raise ConfigError(f"{name} is named twice", remedy=f"Give {name.upper()} or --{name}, not both.")
            values[name] = typed[name.upper()]
    return values


def _ordered(argv: Sequence[str], options: Fields, prog: str) -> tuple[list[str], list[str]]:
    """(words without a name, the others in one form for tyro: `--name=value` with our names, lists in one word).

    Raises ConfigError for names that are not ours.
    """
    words, free, rest = [], [], list(argv)
    lists: dict[str, list[str]] = {}
    while rest:
        word = rest.pop(0)
        if word == "--":
            free += [f"./{name}" if name.startswith("-") else name for name in rest]
            break
        if not re.match(r"-{1,2}[A-Za-z]", word):
            free.append(word)
            continue
        typed, has_value, value = word.partition("=")
        name, negated = _known(typed, options, prog)
        if name in PASSED_ON:
            words += [f"--{name}", *(rest if name != "help" else [])]
            continue
        field = options[name.replace("-", "_")]
        kind = kind_of(field)
        if kind == "switch":
            words.append(f"--{'' if _switch(name, value, bool(has_value)) != negated else 'no-'}{name}")
            continue
        if not has_value:
            if not rest or re.match(r"-{1,2}[A-Za-z]", rest[0]):
                raise ConfigError(f"--{name} needs a value", remedy=f"It must be {must_be(field)}.")
            value = rest.pop(0)
        if kind == "list":
            while rest and _unfinished(value):
                value += f" {rest.pop(0)}"
            lists.setdefault(name, []).append(value)
            continue
        words.append(f"--{name}={value}")
    return free, words + [f"--{name}={','.join(parts)}" for name, parts in lists.items()]


def _refuse_more(free: Sequence[str], most: int, prog: str) -> None:
    if len(free) > most:
        extra = free[most]
        remedy = f"Lists have commas: 16,32. See {prog} --help." if extra[:1].isdigit() else f"See {prog} --help."
        raise ConfigError(f"unexpected word {show(extra)}", remedy=remedy)


def _known(typed: str, options: Fields, prog: str) -> tuple[str, bool]:
    """'--no_mirror' -> ('mirror', True). Raises ConfigError with the nearest name."""
    name = typed.lstrip("-").lower().replace("_", "-")
    names = [option.replace("_", "-") for option in options]
    name = ALIASES.get(name, name) if name not in names else name
    if name in names or name in PASSED_ON:
        return name, False
    bare = name.removeprefix("no-")
    bare = ALIASES.get(bare, bare)
    if bare in names and name.startswith("no-") and kind_of(options[bare.replace("-", "_")]) == "switch":
        return bare, True
    near = nearest(name, [*names, *(alias for alias, real in ALIASES.items() if real in names)])
    remedy = (
        f"Did you mean --{ALIASES.get(near, near) if near not in names else near}?" if near else f"See {prog} --help."
    )
    raise ConfigError(f"unknown option {show(typed)[1:-1]}", remedy=remedy)


def _switch(name: str, value: str, has_value: bool) -> bool:
    if not has_value:
        return True
    if value.lower() not in SWITCH:
        raise ConfigError(f"{name} is {show(value)}", remedy=f"Write --{name} or --no-{name}.")
    return SWITCH[value.lower()]


def _unfinished(text: str) -> bool:
    """Whether a list goes on in the next word: '[16,' and '16,' do."""
    return text.rstrip().endswith(",") or bool(re.match(r"\s*[\[(]", text) and not re.search(r"[\])]\s*$", text))


def _list(text: str) -> tuple[int | str, ...]:
    """'16,32', '[16, 32]', '(16 32)' -> (16, 32); 'none' -> (0,), which records read as no place at all."""
    parts = [part for part in re.split(r"[,\s\[\]()]+", text) if part]
    if parts in (["none"], ["off"], ["false"], []):
        return (0,)
    return tuple(int(part) if re.fullmatch(r"-?\d{1,18}", part) else part for part in parts)


def _metavar(field: FieldInfo) -> str | None:
    kind = kind_of(field)
    if kind == "choice":
        return "{" + ",".join(choices_of(field)) + "}"
    return METAVARS.get(kind)


def default_hint(name: str, field: FieldInfo) -> str:
    """'(default: 64)' for an option whose default says something."""
    silent = field.default in (None, "", False, PydanticUndefined)
    return "" if silent else f"(default: {field.default})"

"""A choice that comes into being: options, each with the reason for it in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sagan.config import loosely
from sagan.presets.facts import Facts
from sagan.presets.sagan import RECIPE


@dataclass(frozen=True)
class Choice:
    """options: by flat name; what somebody named is not among them.  lines: each part with its reason, to be printed.

    summary: the whole in one line.
    """

    options: dict[str, Any]
    lines: tuple[str, ...]
    summary: str


class Making:
    """A choice that comes into being.

    named: what somebody named, as it was typed.  said: those of it that can be read.
    """

    def __init__(self, facts: Facts, named: Mapping[str, Any]) -> None:
        self.facts, self.named, self.said = facts, named, loosely(named)
        self.options: dict[str, Any] = {name: value for name, value in RECIPE.items() if name not in named}
        self.lines: list[str] = []

    def value(self, name: str, otherwise: Any = None) -> Any:
        """What was named or chosen so far."""
        return self.said.get(name, self.options.get(name, otherwise))

    def pick(self, why: str, **options: Any) -> None:
        """Choose options for a reason, all but those that somebody named."""
        free = {name: value for name, value in options.items() if name not in self.named}
        self.options |= free
        if free:
            self.lines.append(f"{', '.join(written(name, value) for name, value in free.items())}: {why}")
        for name in options:
            if name in self.named:
                self.lines.append(f"{written(name, self.said.get(name, self.named[name]))}: you named it")

    def remark(self, text: str) -> None:
        """Say something that chooses nothing."""
        self.lines.append(text)

    def made(self) -> Choice:
        """The choice, once all parts of it are made."""
        return Choice(self.options, (headline(self.facts), *self.lines), summary(self))


def headline(facts: Facts) -> str:
    """What the choice was made from."""
    kinds = f" in {len(facts.classes):,} classes" if facts.classes else ""
    copies = f" and {facts.copies:,} cop{'y' if facts.copies == 1 else 'ies'}" if facts.copies else ""
    return f"auto chooses for {facts.count}{kinds}{copies}, on {facts.machine}; what you name yourself stays:"


def summary(making: Making) -> str:
    """The choice in one line."""
    value = making.value
    parts = ["{0}x{0}".format(value("resolution"))]
    parts += [f"G {value('g_ch')} and D {value('d_ch')} wide"] if value("g_ch") else []
    parts.append(f"batch {value('batch_size')}")
    parts.append("no augmentation" if value("augment") == "none" else str(value("augment")))
    parts += [f"{name} {value(name):g}" for name in ("lecam", "cr") if value(name)]
    parts += [text for name, text in (("balance", "balanced classes"),) if value(name)]
    named = [written(name, making.said[name]) for name in ("steps", "kimg", "time") if making.said.get(name)]
    return ", ".join([*parts, *(named or [f"{value('steps', 0):,} steps"])])


def written(name: str, value: Any) -> str:
    """As it would be typed, without the dashes: 'batch-size 32', 'balance', 'g-attn 16'."""
    word = name.replace("_", "-")
    if value is True or value is False:
        return word if value else f"no-{word}"
    if isinstance(value, tuple):
        return f"{word} {','.join(map(str, value)) or 0}"
    return f"{word} {value:g}" if isinstance(value, float) else f"{word} {value}"

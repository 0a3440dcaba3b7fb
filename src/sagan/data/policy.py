"""What is done about pictures that cannot be used, and what a person is told about the others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from sagan.data.config import DataConfig
from sagan.data.faults import Skipped
from sagan.data.found import Scan
from sagan.data.quarantine import move_away
from sagan.data.report import Action
from sagan.data.sources import Source
from sagan.data.sources.folder import FolderSource
from sagan.errors import ConfigError, DataError

SHOWN = 3  # bad pictures named in an error
FEW, VERY_FEW, TOO_FEW = 5000, 1000, 50


def refuse_balance(config: DataConfig, classes: tuple[str, ...], *, where: Path | str) -> None:
    """Raise ConfigError when `config.balance` is asked of pictures that are used without classes."""
    if config.balance and not classes:
        raise ConfigError(
            "balance is on, but the pictures are used without classes",
            where=where,
            remedy="Leave out --balance; or give them classes: a folder for each, and no --cond off.",
        )


def enforce(config: DataConfig, skipped: Sequence[Skipped], good: int, *, where: Path | str) -> None:
    """The policies about pictures that cannot be used, beside so many good ones. Raises DataError."""
    bad = len(skipped)
    if bad and config.on_bad == "stop":
        raise stopped_at(skipped[0], where)
    listed = "; ".join(f"{item.where} {item.text}" for item in skipped[:SHOWN])
    listed += f"; and {bad - SHOWN:,} more" if bad > SHOWN else ""
    if not good:
        raise DataError(
            f"none of its {bad:,} pictures can be used: {listed}" if bad else "holds no picture",
            where=where,
            remedy=skipped[0].remedy if bad else "Put pictures into it.",
        )
    share = bad / (bad + good)
    if share > config.max_bad:
        remedies = " ".join(dict.fromkeys(item.remedy for item in skipped[:SHOWN]))
        remedies += " `sagan data check --report FILE` lists all." if bad > SHOWN else ""
        raise DataError(
            f"{bad:,} of {bad + good:,} pictures ({share:.1%}) cannot be used, more than max_bad "
            f"{config.max_bad:.1%}: {listed}",
            where=where,
            remedy=f"{remedies} Or allow more with --max-bad {math.ceil(share * 100) / 100:g}.",
        )


def stopped_at(bad: Skipped, where: Path | str) -> DataError:
    """The error that ends everything at the first bad picture, by --on-bad stop."""
    return DataError(bad.text, where=f"{where}/{bad.where}", remedy=f"{bad.remedy} With --on-bad skip it is left out.")


def quarantine(config: DataConfig, source: Source, found: Scan) -> tuple[dict[str, str], list[str]]:
    """Move away what the scan of a usable set found bad, where the policy says so. -> (name -> name there, notes)."""
    if config.on_bad != "quarantine" or not found.skipped:
        return {}, []
    if action_of(config, source) == "skip":
        return {}, ["Only files of a folder can be moved to quarantine: inside a file the pictures are left out."]
    return move_away(source.path, found.skipped)


def action_of(config: DataConfig, source: Source) -> Action:
    """What training would do about a bad picture of this source."""
    movable = isinstance(source, FolderSource)
    return "skip" if config.on_bad == "quarantine" and not movable else config.on_bad


def remarks(found: Scan, resolution: int) -> list[str]:
    """What a person should know about the usable pictures."""
    count, lines = len(found.kept), []
    if found.skipped:
        lines.append(f"{len(found.skipped):,} pictures cannot be used and are left out: `sagan data check` names them.")
    if found.enlarged:
        lines.append(f"{found.enlarged:,} of {count:,} pictures are smaller than {resolution} px and are enlarged.")
    if count < TOO_FEW:
        lines.append(
            f"{count:,} pictures are too few: a GAN copies so few, or draws one pattern for all. Collect some hundred at the "
            "least, or start from what another generator has learned: --init-from."
        )
    elif count < VERY_FEW:
        lines.append(
            f"{count:,} pictures are very few: expect variations of them rather than new ones, and look for copies with "
            "`sagan leak`. More pictures help most; --mirror doubles what is shown."
        )
    elif count < FEW:
        lines.append(f"{count:,} pictures are few: expect less variety than from {FEW:,} or more.")
    return lines

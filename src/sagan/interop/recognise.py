"""Whose files these are, and both networks of them in our names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from sagan.disk import disk_errors
from sagan.errors import CheckpointIncompatible, CheckpointMissing, ConfigError
from sagan.interop import biggan, heykeetae, mimicry, mmgeneration, studiogan
from sagan.interop.convert import Converted, Plan, assemble, compared, keeps_spectral_norm, read_layers
from sagan.interop.sandbox import Foreign, read_foreign
from sagan.interop.source import Source
from sagan.models.build import discriminator_outline, generator_outline
from sagan.models.config import ModelConfig

SUFFIXES = {".pth", ".pt", ".pkl", ".ckpt", ".safetensors"}
CONTAINERS = ("state_dict/", "model_state_dict/", "model/")
ROLES = ("generator_ema", "generator", "discriminator")
MAX_FILES = 1000
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True)
class Peer:
    """One foreign project. never: layers of its kind that ours leaves without spectral norm."""

    name: str
    is_generator: Callable[[Source], bool]
    is_discriminator: Callable[[Source], bool]
    generator: Callable[[Source, Mapping[str, Any]], Plan]
    discriminator: Callable[[Source, int], Plan]
    never: tuple[str, ...] = ()


PEERS = [
    Peer("studiogan", studiogan.is_generator, studiogan.is_discriminator,
         lambda source, facts: studiogan.generator(source), studiogan.discriminator),
    Peer("biggan", biggan.is_generator, biggan.is_discriminator, biggan.generator, biggan.discriminator),
    Peer("mmgeneration", mmgeneration.is_generator, mmgeneration.is_discriminator,
         mmgeneration.generator, mmgeneration.discriminator),
    Peer("heykeetae", heykeetae.is_generator, heykeetae.is_discriminator,
         lambda source, facts: heykeetae.generator(source), heykeetae.discriminator, heykeetae.NEVER_NORMALISED),
    Peer("mimicry", mimicry.is_generator, mimicry.is_discriminator,
         lambda source, facts: mimicry.generator(source), mimicry.discriminator),
]  # fmt: skip


@dataclass(frozen=True)
class Imported:
    """Both networks by our names. generator: the averaged one where there is one.  live: the one that was trained.

    discriminator: None where no file had it.  classes: how many.  step: as the files say, else 0.
    """

    peer: str
    model: ModelConfig
    classes: int
    step: int
    generator: Converted
    live: Converted
    discriminator: Converted | None
    files: list[Foreign]
    notes: list[str] = field(default_factory=list)


def import_networks(path: Path, options: Mapping[str, Any] | None = None) -> Imported:
    """Open a foreign file, or a folder of them, and convert what it holds.

    options: of our record, for what no tensor tells, such as d_pool.
    Raises CheckpointMissing, CheckpointCorrupt, RefusedError; CheckpointIncompatible naming what has no place here.
    """
    return networks_of([read_foreign(file) for file in files_of(Path(path))], Path(path), options)


def networks_of(files: list[Foreign], path: Path, options: Mapping[str, Any] | None = None) -> Imported:
    """As `import_networks`, of files that were read already.  path: what they were asked for by, for messages."""
    found: dict[str, tuple[Peer, Source]] = {}
    facts: dict[str, Any] = {}
    for file in files:
        facts |= file.facts
        for role, source in _networks(file):
            peer = next((p for p in PEERS if p.is_generator(source) or p.is_discriminator(source)), None)
            if peer is None:
                names = ", ".join(list(source.tensors)[:3])
                raise CheckpointIncompatible(
                    f"its tensors ({names}, ...) are those of no project that is known here",
                    where=file.path,
                    remedy="docs/interop.md lists those that are.",
                )
            of_generator = peer.is_generator(source) and role != "discriminator"
            average = role == "generator_ema" or "ema" in file.path.stem.lower()
            place = ("generator_ema" if average else "generator") if of_generator else "discriminator"
            found.setdefault(place, (peer, source))
    return _converted(found, facts, files, dict(options or {}), path)


def _converted(
    found: dict[str, tuple[Peer, Source]],
    facts: dict[str, Any],
    files: list[Foreign],
    options: dict[str, Any],
    path: Path,
) -> Imported:
    first = found.get("generator_ema") or found.get("generator")
    if first is None:
        raise CheckpointIncompatible(
            "there is no generator in it", where=path, remedy="Name the folder of both networks."
        )
    peer, source = first
    plan = peer.generator(source, facts)
    notes, chosen = list(plan.notes), dict(plan.options)
    layers = read_layers(source, plan.rules)
    chosen["g_sn"] = keeps_spectral_norm(layers, peer.never)
    generator = assemble(source, layers, spectral=chosen["g_sn"], never=peer.never)
    other = found.get("discriminator")
    judge: Converted | None = None
    if other is not None:
        if other[0] is not peer:
            raise CheckpointIncompatible(f"its networks are {peer.name}'s and {other[0].name}'s", where=path)
        d_plan = peer.discriminator(other[1], chosen["resolution"])
        notes += d_plan.notes
        d_layers = read_layers(other[1], d_plan.rules)
        d_sn = keeps_spectral_norm(d_layers, peer.never)
        chosen |= d_plan.options | {"d_sn": d_sn}
        judge = assemble(other[1], d_layers, spectral=d_sn, never=peer.never)
    chosen |= options
    try:
        model = ModelConfig.model_validate(chosen)
    except ConfigError as error:
        raise source.refusal(f"its sizes make no network of ours ({error.what})") from None
    generator = compared(source, generator, generator_outline, model, plan)
    live = generator
    if "generator" in found and found["generator"][1] is not source:
        again = found["generator"][1]
        again_plan = peer.generator(again, facts)
        live = assemble(again, read_layers(again, again_plan.rules), spectral=chosen["g_sn"], never=peer.never)
        live = compared(again, live, generator_outline, model, again_plan)
    if judge is not None and other is not None:
        if d_plan.classes != plan.classes:
            raise other[1].refusal(f"{d_plan.classes} classes, where the generator has {plan.classes}")
        judge = compared(other[1], judge, discriminator_outline, model, d_plan)
    return Imported(peer.name, model, plan.classes, _step(facts, files), generator, live, judge, files, notes)


def _networks(file: Foreign) -> list[tuple[str, Source]]:
    """(role, tensors) of each network in a file: '' where the file says no role. None for a file of counters."""
    tensors = file.tensors
    for container in CONTAINERS:
        if any(name.startswith(container) for name in tensors):
            tensors = {name.removeprefix(container): t for name, t in tensors.items() if name.startswith(container)}
            break
    if tensors and all(name.startswith("module.") for name in tensors):  # DataParallel
        tensors = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
    parts: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        role = next((role for role in ROLES if name.startswith(f"{role}.")), "")
        parts.setdefault(role, {})[name.removeprefix(f"{role}.") if role else name] = tensor
    return [(role, Source(part, file.path)) for role, part in parts.items()]


def files_of(path: Path) -> list[Path]:
    """The files to read: one, or the newest generator, average, discriminator and counters of a folder."""
    with disk_errors(path):
        if not path.exists():
            raise CheckpointMissing("there is no such file or folder", where=path, remedy="Check the path.")
        if not path.is_dir():
            return [path]
        names = sorted(entry.name for entry in path.iterdir() if entry.suffix.lower() in SUFFIXES)[:MAX_FILES]
    best: dict[str, str] = {}
    for name in sorted(names, key=_rank):
        if role := _role(name):
            best[role] = name
    if not {"generator", "generator_ema", "all"} & best.keys():
        raise CheckpointMissing(
            "no file here is named like a generator's", where=path, remedy="Name the file itself: sagan import FILE."
        )
    if not {"generator", "generator_ema"} & best.keys():
        return [path / best["all"]]
    return [path / best[role] for role in ("counters", "generator_ema", "generator", "discriminator") if role in best]


def _role(name: str) -> str:
    stem = name.rpartition(".")[0].lower()
    if "optim" in stem:
        return ""
    if stem.startswith("state_dict"):
        return "counters"
    words = re.split(r"[=_\-.]", stem)
    if {"g", "netg", "generator"} & set(words):
        return "generator_ema" if "ema" in words else "generator"
    return "discriminator" if {"d", "netd", "discriminator"} & set(words) else "all"


def _rank(name: str) -> tuple[int, int, str]:
    """Files without a copy's number last, so that they win; then by their step; StudioGAN's best before its current."""
    numbers = [int(word) for word in _NUMBER.findall(name)]
    step = max((number for number in numbers if number >= 10), default=0)
    plain = not numbers or step > 0
    return int(plain), step, name


def _step(facts: Mapping[str, Any], files: list[Foreign]) -> int:
    for key in ("step", "global_step", "itr", "meta/iter"):
        if isinstance(facts.get(key), int) and 0 <= facts[key] < 2**53:
            return int(facts[key])
    numbers = [int(word) for file in files for word in _NUMBER.findall(file.path.stem) if len(word) < 12]
    return max((number for number in numbers if number >= 100), default=0)

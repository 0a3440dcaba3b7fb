"""What the preset `auto` is for somebody's pictures on this machine: a look at both, and the choice that follows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sagan.config import RunConfig, build, loosely
from sagan.data.config import DataConfig, stream_path
from sagan.data.emblem_shapes import EMBLEM_CLASSES
from sagan.data.images import EMBLEM_COUNT, EMBLEMS
from sagan.data.look import Look, look_at_set
from sagan.errors import ConfigError
from sagan.presets import AUTO, Choice, Facts, assemble, choose
from sagan.runtime import choose_runtime, device_memory, read_launch


def choose_for(said: Mapping[str, Any]) -> Choice:
    """The choice for the pictures and the device that the named options say.

    said: options by flat name, as somebody typed them or as a file has them; `data` names the pictures. Those that
    cannot be read are for the record to refuse. The sizes of `init_from` count as named, since its weights have them.
    Among processes that train together only the first has lines to print.
    Raises DataError when the pictures cannot be listed, ConfigError when the device is not there.
    """
    named = loosely(said)
    sizes: dict[str, Any] = {}
    if named.get("init_from"):
        from sagan.workflows.warm_start import options_of

        sizes = {name: value for name, value in options_of(Path(named["init_from"])).items() if name not in said}
    choice = choose(facts_for(named), {**sizes, **said})
    launch = read_launch()
    lines = choice.lines if launch is None or launch.rank == 0 else ()
    return Choice({**choice.options, **sizes}, lines, choice.summary)


def auto(data: str, /, **options: Any) -> RunConfig:
    """The complete record that `sagan train DATA` would begin with: `auto("photos", time="1h")`.

    options: named ones, by flat name; they win. Raises as `choose_for` does.
    """
    return assemble(
        {"data": data, **options}, preset=AUTO, resume="off", choose=lambda said, _: choose_for(said).options
    )


def facts_for(named: Mapping[str, Any]) -> Facts:
    """What is known of the pictures that options name, and of the device. named: options by flat name, of their types."""
    runtime = choose_runtime(named.get("device", "auto"), named.get("threads", 0))
    machine: dict[str, Any] = {
        "cores": runtime.threads,
        "device": runtime.device.type,
        "memory": device_memory(runtime.device),
        "bf16": runtime.precision(named.get("precision", "auto")) == "bf16",
    }
    config = build({name: value for name, value in named.items() if name in DataConfig.model_fields}).data
    if stream_path(config.data) is not None:
        raise ConfigError(
            "auto looks at the pictures first, and those of a stream are not looked at", remedy="Name a preset."
        )
    if config.data == EMBLEMS:
        each = () if config.cond == "off" else (EMBLEM_COUNT // len(EMBLEM_CLASSES),) * len(EMBLEM_CLASSES)
        return Facts(pictures=EMBLEM_COUNT, side=32, square=32, classes=each, **machine)
    return Facts(**pictures_of(look_at_set(config)), **machine)


def pictures_of(look: Look) -> dict[str, Any]:
    """The facts that a look at a set gives."""
    sizes = list(look.sizes)
    alike = len(sizes) == 1 and sizes[0][0] == sizes[0][1]
    return {
        "pictures": look.pictures,
        "copies": look.copies,
        "side": look.short_side,
        "square": sizes[0][0] if alike else 0,
        "classes": tuple(look.classes.values()),
        "channels": look.packed[1] if look.packed else 4 if look.transparent else 1 if look.grey else 3,
        "packed": look.packed[0] if look.packed else 0,
    }

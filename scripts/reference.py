"""Write the tables of docs/configuration.md, docs/own-pictures.md, docs/exit-codes.md and docs/export.md from the records, the
presets, the choice of `auto`, the error classes and a network.

python scripts/reference.py            write them
python scripts/reference.py --check    only say whether they are up to date (part of `make check`)
"""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Iterator

from markers import ROOT, table, write_or_check

from sagan.config import SLOTS, TABLES, build, must_be, option_classes, show
from sagan.errors import Interrupted, SaganError
from sagan.presets import PRESETS, Facts, Preset, choose, preset


def options(group: str) -> str:
    """The options of one table of a run's TOML file ("" for the top)."""
    classes = option_classes()
    rows: list[list[object]] = []
    for name, slot in SLOTS.items():
        if slot.table == group:
            default = "by resolution" if slot.field.default is None else f"`{show(slot.field.default)}`"
            flag = f"`--{name.replace('_', '-')}`"
            rows.append([flag, f"`{name}`", slot.field.description, must_be(slot.field), default, classes[name]])
    return table(["command line", "TOML", "meaning", "value", "default", "on resume"], rows)


def presets() -> str:
    """Every preset: what it is for, where its numbers come from, what it costs and where its result is recorded."""
    rows = [[f"`{p.name}`", p.summary, p.source, cost(p), _link(p.result)] for p in PRESETS.values()]
    return table(["preset", "what it trains", "source", "cost in full", "result"], rows)


def auto() -> str:
    """What `auto` chooses for four sizes of sets on two machines."""
    machines = {
        "2 cores": {"cores": 2},
        "a GPU of 24 GiB with bf16": {"device": "cuda", "memory": 24 << 30, "bf16": True},
    }
    rows: list[list[object]] = [
        [f"{count:,}", *(choose(Facts(pictures=count, side=400, **facts)).summary for facts in machines.values())]
        for count in (100, 1_000, 10_000, 50_000)
    ]
    return table(["pictures", *machines], rows)


def cost(entry: Preset) -> str:
    """The whole run in pictures, which is what it costs on any machine."""
    training = build({**entry.options}).training
    pictures = training.steps * (training.n_dis * 2 * training.batch_size + training.fakes)
    limit = f", at most {training.time}" if training.time else ""
    return f"{training.steps:,} steps, {pictures / 1e6:,.3g} million pictures through the discriminator{limit}"


def _link(place: str) -> str:
    if not place:
        return "not measured yet"
    page, anchor = place.removeprefix("docs/").split("#")
    return f"[{anchor}]({page}#{anchor})"


def errors(kind: type[SaganError] = SaganError) -> Iterator[type[SaganError]]:
    """The error class and all its children, depth first."""
    yield kind
    for child in kind.__subclasses__():
        yield from errors(child)


def exit_codes() -> str:
    """Every exit code, with the errors that end in it."""
    rows: list[list[object]] = [[0, "", "Done."]]
    for kind in errors():
        code = "130 or 143" if kind is Interrupted else kind.exit_code
        meaning = (
            "A fault of ours: please report it." if kind is SaganError else (inspect.getdoc(kind) or "").splitlines()[0]
        )
        rows.append([code, f"`{kind.__name__}`", meaning])
    return table(["code", "error", "meaning"], rows)


def export_keys() -> str:
    """The operations of one exported generator, with their arrays."""
    from sagan.engines.fold import fold
    from sagan.engines.recipe import recipe
    from sagan.models.build import build_generator

    classes = 3
    made = recipe(fold(build_generator(preset("sagan-32-small").model, classes).eval()))
    rows: list[list[object]] = []
    for number, step in enumerate(made.operations):
        arrays = []
        for part in ("weight", "bias", "scale", "shift"):
            if part in step:
                sizes = list(map(str, made.tensors[step[part]].shape))
                by_class = part in ("scale", "shift") and sizes[0] == str(classes)
                arrays.append(f"`{step[part]}` ({', '.join(['K', *sizes[1:]] if by_class else sizes)})")
        named = f" `{step['name']}`" if "name" in step else ""
        of = ", ".join(map(str, step["of"])) or "latent"
        shape = " x ".join(map(str, step["shape"]))
        rows.append([number, f"{step['kind']}{named}", of, shape, ", ".join(arrays)])
    return table(["", "operation", "of", "result", "arrays"], rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 when a page is stale")
    groups = {f"options {group}": options(group) for group in TABLES}
    pages = {
        ROOT / "docs" / "configuration.md": {"presets": presets(), **groups},
        ROOT / "docs" / "own-pictures.md": {"auto": auto()},
        ROOT / "docs" / "exit-codes.md": {"exit codes": exit_codes()},
        ROOT / "docs" / "export.md": {"keys": export_keys()},
    }
    return write_or_check(pages, check=parser.parse_args().check, command="python scripts/reference.py")


if __name__ == "__main__":
    raise SystemExit(main())

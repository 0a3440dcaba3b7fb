"""The pictures and the page that explain a run: curves.png, attention.png, report.html. Made from what is on disk."""

from __future__ import annotations

import io
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from sagan.checkpoint.folder import step_folder, steps
from sagan.checkpoint.retention import read_best
from sagan.config import RunConfig, flatten, to_toml
from sagan.disk import write_atomic
from sagan.errors import CheckpointError, CheckpointMissing
from sagan.models.config import CONTROL_VARIANTS
from sagan.runtime import Runtime
from sagan.training.config import seconds
from sagan.training.reporting import read_log
from sagan.training.state import GENERATOR
from sagan.visualise.curves import render_curves
from sagan.visualise.report import ReportFacts, render_report
from sagan.workflows.attend import attend
from sagan.workflows.card import CARD, IN_A_RUN, Sharing, model_card
from sagan.workflows.estimate import duration
from sagan.workflows.happenings import health_of, leak_of, scores_of
from sagan.workflows.health import health_events
from sagan.workflows.run_folder import RunFolder, png, read_json, write_picture

SHOWN_OPTIONS = (
    "preset",
    "resolution",
    "g_ch",
    "d_ch",
    "g_attn",
    "d_attn",
    "loss",
    "batch_size",
    "n_dis",
    "g_lr",
    "d_lr",
    "beta1",
    "beta2",
    "ema",
    "ema_start",
    "mirror",
    "seed",
)
MOST_GRIDS = 12
MOST_ROWS = 4000
FILM_SIDE = 480


def write_report(folder: RunFolder) -> Path:
    """Make the curves, the attention figure and the page of a run anew. Returns the page.

    Raises SaganError's children when a file of the run cannot be read or written.
    """
    config = folder.read_record()
    present = steps(folder.path)
    if config is None or not present:
        raise CheckpointMissing("there is no checkpoint to report on", where=folder.path)
    rows = read_log(folder.log, most=MOST_ROWS)
    if rows:
        write_picture(folder.curves, render_curves(rows))
    caption = ""
    if config.model.g_attn and config.model.attention not in CONTROL_VARIANTS:
        # Not `choose_runtime`: it would set the number of threads anew in the middle of training, and with it the bits.
        runtime = Runtime(torch.device("cpu"), torch.get_num_threads())
        generator = step_folder(folder.path, present[-1]) / GENERATOR
        lines = attend(generator, out=folder.attention, runtime=runtime).lines
        caption = "Where the generator looked while it drew seed 0. " + "; ".join(lines)
    facts = report_facts(folder, config, rows, caption)
    write_atomic(folder.path / CARD, facts.card.encode("utf-8"))
    write_atomic(folder.report, render_report(facts).encode("utf-8"))
    return folder.report


def report_facts(folder: RunFolder, config: RunConfig, rows: list[dict[str, float]], caption: str) -> ReportFacts:
    """What the page of a run shows, read from its folder."""
    last = latest_values(rows)
    data, machine = read_json(folder.data), read_json(folder.environment)
    name = shlex.quote(str(folder.path))
    record = shown_options(config)
    scores, leak = scores_of(folder), leak_of(folder)
    return ReportFacts(
        title=folder.path.name,
        subtitle=f"sagan {machine['sagan']}, torch {machine['torch']}, {machine['processor']}",
        verdict=verdict(folder, last),
        record=record,
        record_toml=to_toml(config),
        data=_data_rows(data),
        environment=[(name, str(value)) for name, value in machine.items()],
        log=_log_rows(last),
        curves=folder.curves.read_bytes() if folder.curves.exists() else None,
        grids=_film(spread(folder.grids(), MOST_GRIDS)),
        reals=("real pictures", folder.reals.read_bytes()) if folder.reals.exists() else None,
        attention=folder.attention.read_bytes() if folder.attention.exists() else None,
        attention_caption=caption,
        scores=[(score.name, f"{score.value:.4g}", f"{score.step:,}", score.protocol) for score in scores],
        health=[*health_events(config, folder), *health_of(folder)],
        leak=leak,
        card=model_card(folder.path.name, config, data, machine, last, scores, leak, record),
        events=[str(note) for note in data["notes"]],
        next_commands=[
            f"sagan sample {name} -n 64 -o samples.png",
            f"sagan attend {name} --seed 7 -o attention.png",
            f"sagan train --resume {name} {longer(config, last)}",
        ],
    )


def shown_options(config: RunConfig) -> list[tuple[str, str]]:
    """The options that matter most, with their values for reading."""
    options = flatten(config)
    return [(option, words_of(options[option])) for option in SHOWN_OPTIONS]


def card_of_run(folder: RunFolder, config: RunConfig, step: int, sharing: Sharing = IN_A_RUN) -> str:
    """The model card of a run as it was at a step: nothing later is told."""
    last = latest_values([row for row in read_log(folder.log, most=MOST_ROWS) if row.get("step", 0) <= step])
    scores = [score for score in scores_of(folder) if score.step <= step]
    data, machine = read_json(folder.data), read_json(folder.environment)
    name, shown = folder.path.resolve().name, shown_options(config)
    return model_card(name, config, data, machine, last, scores, leak_of(folder), shown, sharing)


def longer(config: RunConfig, last: Mapping[str, float]) -> str:
    """The option that makes the run about twice as long: the limit that is nearest, doubled."""
    training = config.training
    used = {
        "steps": last.get("step", 0) / training.steps if training.steps else 0.0,
        "kimg": last.get("images", 0) / (1000 * training.kimg) if training.kimg else 0.0,
        "time": last.get("seconds", 0) / seconds(training.time) if training.time else 0.0,
    }
    nearest = max(used, key=lambda name: used[name])
    doubled = {
        "steps": f"{2 * training.steps}",
        "kimg": f"{2 * training.kimg:g}",
        "time": f"{2 * seconds(training.time) / 60:.0f}m" if training.time else "",
    }
    return f"--{nearest} {doubled[nearest]}"


def _film(paths: list[Path]) -> list[tuple[str, bytes]]:
    """Captions and pictures of the grids; all but the last are made small, since each report holds them all."""
    film = []
    for path in paths:
        payload = path.read_bytes()
        if path != paths[-1]:
            with Image.open(io.BytesIO(payload), formats=["PNG"]) as grid:
                grid.thumbnail((FILM_SIDE, FILM_SIDE))
                payload = png(grid)
        film.append((f"step {int(path.stem.split('-')[-1]):,}", payload))
    return film


def latest_values(rows: list[dict[str, float]]) -> dict[str, float]:
    """The last value of every name in the log."""
    last: dict[str, float] = {}
    for row in rows:
        last.update(row)
    return last


def verdict(folder: RunFolder, last: Mapping[str, float]) -> str:
    """One sentence on whether it works, from what the log can tell."""
    if not {"step", "images", "seconds"} <= last.keys():
        return "The run has just begun."
    done = f"{last['step']:,.0f} steps and {last['images']:,.0f} pictures in {duration(last['seconds'])}."
    parts = [done]
    if "score/structure" in last:
        outline = f"{last.get('score/silhouette', 0.0):.0%} of the drawn emblems have the outline that they should"
        parts.append(f"{outline}, {last['score/structure']:.0%} the whole structure.")
        try:
            best = read_best(folder.path)
        except CheckpointError:
            best = None
        if best is not None and best.step != last["step"]:
            parts.append(f"The best checkpoint is that of step {best.step:,} ({best.value:.0%}).")
    gammas = {name: value for name, value in last.items() if name.endswith("/gamma")}
    if gammas and all(abs(value) < 1e-3 for value in gammas.values()):
        parts.append("Attention is not in use yet: every gamma is still near zero.")
    elif gammas:
        parts.append("Attention is in use.")
    gap = last.get("logit/real", 0.0) - last.get("logit/fake", 0.0)
    if gap > 8.0:
        parts.append("The discriminator is far ahead: if the pictures stop improving, lower --d-lr (with --override).")
    return " ".join(parts)


def spread(paths: list[Path], count: int) -> list[Path]:
    """At most `count` paths, evenly spread, the first and the last among them."""
    if len(paths) <= count:
        return paths
    return [paths[round(index * (len(paths) - 1) / (count - 1))] for index in range(count)]


def words_of(value: Any) -> str:
    """The value of an option for reading."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) or "none" if isinstance(value, tuple) else f"{value}"


def _data_rows(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    names = [entry["name"] for entry in data["classes"]]
    shown = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    return [
        ("set", data["name"]),
        ("pictures", f"{data['pictures']:,}"),
        ("resolution", str(data["resolution"])),
        ("classes", shown or "none"),
        ("left out", f"{data['skipped_total']:,} that could not be read"),
        ("fingerprint", data["fingerprint"][:16]),
    ]


def _log_rows(last: Mapping[str, float]) -> list[tuple[str, str]]:
    names = {
        "step": "steps",
        "images": "real pictures shown",
        "loss/discriminator": "D loss",
        "loss/generator": "G loss",
        "rate/images_per_second": "pictures a second",
        "score/structure": "structure score",
    }
    rows = [
        (words, f"{last[name]:,.4g}" if last[name] < 1e4 else f"{last[name]:,.0f}")
        for name, words in names.items()
        if name in last
    ]
    return rows + [
        (name.removeprefix("attention/").replace(".attention", "").replace("/", " "), f"{value:+.4f}")
        for name, value in last.items()
        if name.endswith("/gamma")
    ]

"""One function a verb: read the words, call one function of `sagan.workflows`, print what it returns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sagan.cli.options import Fields, default_hint, read_words
from sagan.cli.printing import aligned, deliver, duration, note, say, say_rows, say_text
from sagan.cli.reading import need, path_of, pixels, say_paths, words_of
from sagan.cli.verbs import (
    AttendWords,
    BenchWords,
    CheckWords,
    ExploreWords,
    ExportWords,
    ImportWords,
    InterpolateWords,
    PackWords,
    R,
    SampleWords,
    TimelapseWords,
    TrainWords,
    VerifyWords,
    checked,
)
from sagan.config import SLOTS, TABLES, RunConfig, read_toml, to_toml
from sagan.data.config import DataConfig
from sagan.disk import need_writable
from sagan.errors import CheckpointCorrupt, ConfigError
from sagan.presets import AUTO, PRESETS, asks_for_auto, assemble, run_folder

MOST_LINES = 32  # of pictures that were left out


def train(argv: list[str]) -> int:
    """`sagan train [DATA] [options]`."""
    words = _train_words(argv)
    own = checked(TrainWords, {name: words.pop(name) for name in TrainWords.model_fields if name in words})
    file = None if own.config is None else Path(own.config)
    reasons: list[str] = []

    def choose(said: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
        if not own.dry_run:
            need_writable(folder)
        from sagan.workflows.choose import choose_for

        choice = choose_for(said)
        reasons[:] = choice.lines
        return choice.options

    fit_batch = asks_for_auto(words, file)
    config = assemble(words, preset=own.preset, file=file, resume=own.resume, auto_batch=True, choose=choose)
    if config.training.init_from and config.preset != AUTO and _begins(own.resume, config):
        from sagan.workflows.warm_start import options_of  # sizes are those of the weights, unless somebody said others

        said = {**(read_toml(file) if file is not None else {}), **words}
        words |= {
            name: value for name, value in options_of(Path(config.training.init_from)).items() if name not in said
        }
        config = assemble(words, preset=own.preset, file=file, resume=own.resume, auto_batch=True)
    if own.dry_run:
        from sagan.workflows.plan import plan

        planned = plan(config, fit_batch=fit_batch and not (run_folder(config) / "run.toml").exists())
        say_text(to_toml(planned.config))  # with the rest as comments, all of it can be kept as a file for --config
        for line in ["", *reasons, *([""] if reasons else []), *aligned(planned.rows)]:
            say(f"# {line}" if line else "")
        return 0
    need_writable(run_folder(config))  # before the seconds that importing torch takes
    from sagan.cli.progress import Watch
    from sagan.training.reporting import Event, Note
    from sagan.workflows.train import train

    with Watch() as watch:

        def told(event: Event) -> None:
            while reasons:  # once the pictures have proved usable: a mistake is one line
                watch(Note(reasons.pop(0)))
            watch(event)

        allowed = {"override": own.override, "accept_data_change": own.accept_data_change}
        result = train(config, resume=own.resume, **allowed, fit_batch=fit_batch, watch=told)
    if not result.first:
        return 0
    note(f"{result.stopped}: step {result.step:,}, {result.images:,} pictures, {duration(result.seconds)}")
    say_paths([result.run, result.grid, result.report])
    return 0


def _begins(resume: str, config: RunConfig) -> bool:
    """Whether training by this record would begin anew."""
    return resume in ("auto", "off") and not (run_folder(config) / "run.toml").exists()


def _train_words(argv: list[str]) -> dict[str, Any]:
    data = {"data": SLOTS["data"].field}
    groups: dict[str, Fields] = {"": TrainWords.model_fields}
    groups |= {table: record.model_fields for table, record in TABLES.items()}
    return read_words(
        argv,
        prog="sagan train",
        about="Train a generator. Options that you do not name keep the preset's value; --dry-run prints all of them.",
        positionals=data,
        needed=False,
        groups=groups,
        hint=lambda name, field: default_hint(name, field) if name in TrainWords.model_fields else "",
    )


def sample(argv: list[str]) -> int:
    """`sagan sample RUN|FILE`."""
    words = words_of(
        argv, "sample", "Draw pictures. The same seed gives the same picture everywhere.", SampleWords, ["source"]
    )
    own = checked(SampleWords, words)
    from sagan.workflows.sample import sample

    result = sample(
        Path(own.source),
        n=own.n,
        seeds=own.seeds,
        seeds_from=path_of(own.seeds_from),
        classes=own.classes,
        mix=own.mix,
        trunc=own.trunc,
        keep_best=own.keep_best,
        stats=own.stats,
        latents=path_of(own.latents),
        direction=own.direction,
        out=path_of(own.out),
        format=own.format,
        engine=own.engine,
        precision=own.precision,
        device=own.device,
    )
    for warning in result.warnings:
        note(warning)
    note(f"{result.count:,} pictures in {duration(result.seconds)}")
    say_paths(result.paths)
    return 0


def attend(argv: list[str]) -> int:
    """`sagan attend RUN|FILE`."""
    about = "Draw where each attention layer looks from some pixels of a picture: the paper's figures 1 and 5."
    own = checked(AttendWords, words_of(argv, "attend", about, AttendWords, ["source"]))
    from sagan.workflows.attend import attend

    result = attend(
        Path(own.source),
        seed=own.seed,
        label=own.label,
        trunc=own.trunc,
        at=pixels(own.at),
        points=own.points,
        layers=None if own.layer is None else list(own.layer),
        image=path_of(own.image),
        out=path_of(own.out),
        device=own.device,
    )
    for line in result.lines:
        note(line)
    say_paths(result.paths)
    return 0


def interpolate(argv: list[str]) -> int:
    """`sagan interpolate RUN|FILE`."""
    about = "Draw what lies between pictures: a film, or a strip. With --at, where attention looks meanwhile."
    own = checked(InterpolateWords, words_of(argv, "interpolate", about, InterpolateWords, ["source"]))
    from sagan.workflows.interpolate import interpolate

    result = interpolate(
        Path(own.source),
        seeds=own.seeds,
        latents=path_of(own.latents),
        classes=own.classes,
        frames=own.frames,
        fps=own.fps,
        loop=own.loop,
        bend=own.bend,
        trunc=own.trunc,
        at=pixels(own.at),
        layer=own.layer,
        size=own.size,
        out=path_of(own.out),
        device=own.device,
    )
    for warning in result.warnings:
        note(warning)
    note(f"{result.frames:,} pictures in {duration(result.seconds)}")
    say_paths([result.path])
    return 0


def timelapse(argv: list[str]) -> int:
    """`sagan timelapse RUN`."""
    about = "A film of a run's picture grids: how the pictures came to be."
    own = checked(TimelapseWords, words_of(argv, "timelapse", about, TimelapseWords, ["run"]))
    from sagan.workflows.timelapse import timelapse

    result = timelapse(Path(own.run), fps=own.fps, most=own.frames, out=path_of(own.out))
    note(f"{result.grids:,} grids")
    say_paths([result.path])
    return 0


def explore(argv: list[str]) -> int:
    """`sagan explore RUN|FILE`."""
    about = (
        "Open a page where a click on a generated pixel shows where the network looked, and serve pictures over HTTP."
    )
    own = checked(ExploreWords, words_of(argv, "explore", about, ExploreWords, ["source"]))
    from sagan.explorer.server import explore

    def told(line: str) -> None:
        say(line)
        deliver()

    explore(Path(own.source), host=own.host, port=own.port, names=list(own.name or ()), device=own.device, told=told)
    return 0


def data_check(argv: list[str]) -> int:
    """`sagan data check PICTURES`."""
    about = "Count, measure and preview a set of pictures; ends with code 3 when training could not use it."
    own, pictures = _picture_words(argv, "data check", about, CheckWords)
    from sagan.workflows.check_data import check_data
    from sagan.workflows.run_folder import need_suffix

    out = path_of(own.out)
    need_suffix(out, ".png", "the preview")
    report = path_of(own.report)
    need_suffix(report, ".jsonl", "the report")
    named = {name: getattr(pictures, name) for name in pictures.model_fields_set}
    named |= {name: getattr(own, name) for name in own.model_fields_set & {"resolution", "channels"}}
    result = check_data(pictures, own.resolution, out, channels=own.channels, report=report, named=named)
    say_rows(result.rows)
    for line in [*result.notes, *result.bad]:
        note(line)
    say_paths([result.preview, result.report])
    return int(result.exit_code)


def data_pack(argv: list[str]) -> int:
    """`sagan data pack PICTURES`."""
    about = "Decode pictures once, into a folder that training reads without decoding. Goes on where it was broken off."
    own, pictures = _picture_words(argv, "data pack", about, PackWords, without=("mirror", "cond", "balance"))
    from sagan.cli.progress import Counting
    from sagan.workflows.pack_data import pack_data

    with Counting() as tell:
        result = pack_data(pictures, own.resolution, path_of(own.out), channels=own.channels, tell=tell)
    say_rows(result.rows)
    for line in result.bad[:MOST_LINES]:
        note(line)
    if len(result.bad) > MOST_LINES:
        note(f"and {len(result.bad) - MOST_LINES:,} more: `sagan data check --report FILE` lists all")
    say_paths([result.path])
    return 0


def _picture_words(
    argv: list[str], verb: str, about: str, record: type[R], without: tuple[str, ...] = ()
) -> tuple[R, DataConfig]:
    """The words of a verb that looks at pictures: its own, and those by which training takes pictures."""
    hidden = {"data", "workers", "cache_mib", *without}
    fields = {name: field for name, field in DataConfig.model_fields.items() if name not in hidden}
    words = read_words(
        argv,
        prog=f"sagan {verb}",
        about=about,
        positionals={"data": SLOTS["data"].field},
        groups={"": record.model_fields, "pictures": fields},
        hint=default_hint,
    )
    need(words, "data", f"sagan {verb}")
    own = checked(record, {name: words.pop(name) for name in record.model_fields if name in words})
    return own, checked(DataConfig, words)


def verify(argv: list[str]) -> int:
    """`sagan verify RUN|CHECKPOINT|GENERATOR`; ends with code 4 when one differs from what was written."""
    about = "Check every checkpoint of a run, one of them, or a generator file against the hashes stored with it."
    own = checked(VerifyWords, words_of(argv, "verify", about, VerifyWords, ["run"]))
    from sagan.workflows.verify import verify

    rows = verify(Path(own.run))
    say_rows(
        (str(checkpoint), f"{'whole' if ok else 'damaged'}{f': {text}' if text else ''}")
        for checkpoint, ok, text in rows
    )
    return 0 if all(ok for _, ok, _ in rows) else CheckpointCorrupt.exit_code


def import_(argv: list[str]) -> int:
    """`sagan import FILE|FOLDER`, or `sagan import inception FILE`."""
    about = "Open a checkpoint of StudioGAN, BigGAN-PyTorch, mimicry, mmgeneration or heykeetae, without running it."
    own = checked(ImportWords, words_of(argv, "import", about, ImportWords, ["source", "file"], needed=1))
    if (own.source == "inception") != (own.file is not None):
        remedy = "Write sagan import FILE, or sagan import inception FILE -o inception.safetensors."
        raise ConfigError(f"unexpected word {own.file!r}" if own.file else "FILE is missing", remedy=remedy)
    from sagan.workflows.import_foreign import import_foreign, import_inception

    if own.file is not None:
        result = import_inception(Path(own.file), path_of(own.out) or Path("inception.safetensors"))
    else:
        said = {"d_pool": own.d_pool, "d_shortcut": own.d_shortcut}
        options = {name: value for name, value in said.items() if value is not None}
        result = import_foreign(Path(own.source), path_of(own.out), options)
    say_rows(result.rows)
    for line in result.notes:
        note(line)
    say_paths([result.out])
    return 0


def export(argv: list[str]) -> int:
    """`sagan export RUN|FILE`, or `sagan export --check EXPORT RUN|FILE`; a faulty export ends with code 4."""
    about = "Write a generator for other programs, after it drew the same pictures there; or check such a file."
    words = words_of(argv, "export", about, ExportWords, ["source"])
    own = checked(ExportWords, words)
    from sagan.workflows.export import check_export, export

    if own.check is not None:
        if useless := sorted(words.keys() - {"source", "check"}):
            raise ConfigError(f"--check goes without --{useless[0]}", remedy="It reads a file and writes none.")
        say_rows(check_export(Path(own.check), Path(own.source)))
        return 0
    result = export(Path(own.source), own.to, path_of(own.out), attention=own.attention)
    for warning in result.warnings:
        note(warning)
    for name, value in result.rows:
        note(f"{name}: {value}")
    say_paths(result.paths)
    return 0


def bench(argv: list[str]) -> int:
    """`sagan bench [DATA] [options of training]`."""
    groups: dict[str, Fields] = {"": BenchWords.model_fields}
    groups |= {table: TABLES[table].model_fields for table in ("data", "model", "training")}
    groups["output"] = {name: TABLES["output"].model_fields[name] for name in ("device", "threads", "compile")}
    words = read_words(
        argv,
        prog="sagan bench",
        about="Time training steps, drawing and the loading of DATA, and say which holds training up. Writes nothing.",
        positionals={"data": SLOTS["data"].field},
        needed=False,
        groups=groups,
        hint=lambda name, field: default_hint(name, field) if name in BenchWords.model_fields else "",
    )
    own = checked(BenchWords, {name: words.pop(name) for name in BenchWords.model_fields if name in words})
    config = assemble(words, preset=own.preset, resume="off")
    from sagan.workflows.bench import bench

    say_rows(bench(config, rounds=own.rounds))
    return 0


def info(argv: list[str]) -> int:
    """`sagan info`."""
    read_words(
        argv,
        prog="sagan info",
        about="Versions, processor, device, precision: what a report of a fault needs.",
        positionals={},
        groups={},
        hint=default_hint,
    )
    from sagan.workflows.info import info

    say_rows(info())
    return 0


def presets(argv: list[str]) -> int:
    """`sagan presets`."""
    about = "List the presets; `sagan train --preset NAME --dry-run` shows one in full."
    read_words(argv, prog="sagan presets", about=about, positionals={}, groups={}, hint=default_hint)
    chosen = (
        AUTO,
        "what suits your pictures and this machine, with a reason for each part; what `sagan train PICTURES` takes",
    )
    say_rows([chosen, *((entry.name, entry.summary) for entry in PRESETS.values())])
    return 0

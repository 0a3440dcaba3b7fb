"""The commands that ask how good a run is, one function a verb, as in `commands`."""

from __future__ import annotations

from pathlib import Path

from sagan.cli.options import Fields, default_hint, read_words
from sagan.cli.printing import duration, note, say, say_rows, say_text
from sagan.cli.reading import need, path_of, say_paths, words_of
from sagan.cli.verbs import (
    AblateWords,
    CompareWords,
    DoctorWords,
    EvaluateWords,
    LeakWords,
    checked,
)
from sagan.config import SLOTS, TABLES, read_toml, to_toml
from sagan.disk import need_writable
from sagan.presets import assemble


def evaluate(argv: list[str]) -> int:
    """`sagan evaluate RUN|FILE|FOLDER`."""
    about = "Measure drawn pictures, or a folder of pictures, against real ones."
    own = checked(EvaluateWords, words_of(argv, "evaluate", about, EvaluateWords, ["source"]))
    from sagan.cli.progress import Counting
    from sagan.workflows.evaluate import evaluate

    with Counting() as counting:
        result = evaluate(
            Path(own.source),
            own.data,
            metrics=[word.strip() for word in own.metrics.split(",") if word.strip()],
            features=own.features,
            n=own.n,
            real=own.real,
            seed=own.seed,
            against=path_of(own.against),
            out=path_of(own.out),
            device=own.device,
            tell=counting,
        )
    say_rows(result.rows)
    for line in result.notes:
        note(line)
    note(f"measured in {duration(result.seconds)}")
    say_paths([result.out])
    return 0


def leak(argv: list[str]) -> int:
    """`sagan leak RUN|FILE|FOLDER`; ends with code 0 whatever the verdict, since it is an answer and no fault."""
    about = "Look for the nearest training picture of each drawn one, and say whether any is a copy."
    own = checked(LeakWords, words_of(argv, "leak", about, LeakWords, ["source"]))
    from sagan.cli.progress import Counting
    from sagan.workflows.leak import leak

    with Counting() as counting:
        result = leak(
            Path(own.source),
            own.data,
            n=own.n,
            baseline=own.baseline,
            seed=own.seed,
            out=path_of(own.out),
            device=own.device,
            tell=counting,
        )
    say_rows(result.rows)
    for line in result.notes:
        note(line)
    note(f"looked up in {duration(result.seconds)}")
    say_paths([result.page])
    return 0


def doctor(argv: list[str]) -> int:
    """`sagan doctor RUN`; ends with code 6 when the run does not work."""
    about = "Judge a run by its log: does it work, since when not, by which numbers, and what to change."
    own = checked(DoctorWords, words_of(argv, "doctor", about, DoctorWords, ["run"]))
    from sagan.workflows.doctor import doctor

    found = doctor(Path(own.run))
    say_rows(found.rows)
    for line in found.notes:
        note(line)
    return found.exit_code


def ablate(argv: list[str]) -> int:
    """`sagan ablate [DATA] [options of training]`."""
    groups: dict[str, Fields] = {"": AblateWords.model_fields}
    groups |= {table: {n: f for n, f in r.model_fields.items() if n != "out"} for table, r in TABLES.items()}
    words = read_words(
        argv,
        prog="sagan ablate",
        about="Train every row of the paper's ablations with several seeds and the same budget each (--time, --steps or"
        " --kimg; 5m otherwise), and tabulate them. The same command goes on where it stopped.",
        positionals={"data": SLOTS["data"].field},
        needed=False,
        groups=groups,
        hint=lambda name, field: default_hint(name, field) if name in AblateWords.model_fields else "",
    )
    own = checked(AblateWords, {name: words.pop(name) for name in AblateWords.model_fields if name in words})
    file = path_of(own.config)
    from sagan.workflows.ablation.plan import budget, plan, set_up
    from sagan.workflows.ablation.rows import GROUPS

    said = {*words, *(read_toml(file) if file else ())}
    base = assemble({**words, **budget(said)}, preset=own.preset, file=file, resume="off")
    ablation = set_up(base, Path(own.out), rows=own.rows or GROUPS, seeds=own.seeds, jobs=own.jobs)
    if own.dry_run:
        planned = plan(ablation)
        say_text(to_toml(planned.base))
        say("")
        say_rows(planned.rows)
        return 0
    need_writable(ablation.folder)
    from sagan.cli.progress import Watch
    from sagan.workflows.ablate import ablate

    with Watch() as watch:
        result = ablate(ablation, watch=watch)
    for line in result.lines:
        say(line)
    say_paths(result.paths)
    return 0


def compare(argv: list[str]) -> int:
    """`sagan compare RUN RUN ...`."""
    fields = CompareWords.model_fields
    words = read_words(
        argv,
        prog="sagan compare",
        about="Put runs side by side: what differs in their records, their scores by protocol, curves, grids.",
        positionals={"runs": fields["runs"]},
        groups={"": {"out": fields["out"]}},
        hint=default_hint,
    )
    need(words, "runs", "sagan compare")
    own = checked(CompareWords, words)
    from sagan.workflows.compare import compare
    from sagan.workflows.run_folder import need_suffix

    out = path_of(own.out) or Path("compare.html")
    need_suffix(out, ".html", "the page")
    result = compare([Path(run) for run in own.runs], out)
    say_rows(result.rows)
    for line in result.warnings:
        note(line)
    say_paths([result.page])
    return 0

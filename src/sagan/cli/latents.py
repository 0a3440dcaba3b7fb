"""The commands about what latents mean, one function a verb, as in `commands`."""

from __future__ import annotations

from pathlib import Path

from sagan.cli.printing import duration, note, say_rows
from sagan.cli.reading import path_of, say_paths, words_of
from sagan.cli.verbs import DirectionsWords, NeighboursWords, ProjectWords, TruncationWords, checked


def directions(argv: list[str]) -> int:
    """`sagan directions RUN|FILE`."""
    about = "Find directions of the latent space along which pictures change, and show them on a sheet."
    own = checked(DirectionsWords, words_of(argv, "directions", about, DirectionsWords, ["source"]))
    from sagan.cli.progress import Counting
    from sagan.workflows.directions import directions

    with Counting() as counting:
        result = directions(
            Path(own.source),
            method=own.method,
            layer=own.layer,
            count=own.count,
            seeds=own.seeds,
            label=own.label,
            trunc=own.trunc,
            reach=own.reach,
            steps=own.steps,
            out=path_of(own.out),
            film=path_of(own.film),
            index=own.index,
            fps=own.fps,
            size=own.size,
            device=own.device,
            tell=counting,
        )
    for warning in result.warnings:
        note(warning)
    say_rows(result.rows)
    note(f"found in {duration(result.seconds)}")
    say_paths(result.paths)
    return 0


def neighbours(argv: list[str]) -> int:
    """`sagan neighbours RUN|FILE`."""
    about = "Show the training pictures that are nearest to drawn ones, in pixels and in features."
    own = checked(NeighboursWords, words_of(argv, "neighbours", about, NeighboursWords, ["source"]))
    from sagan.cli.progress import Counting
    from sagan.workflows.neighbours import neighbours

    with Counting() as counting:
        result = neighbours(
            Path(own.source),
            own.data,
            seeds=own.seeds,
            classes=own.classes,
            trunc=own.trunc,
            k=own.k,
            out=path_of(own.out),
            device=own.device,
            tell=counting,
        )
    for warning in result.warnings:
        note(warning)
    say_rows(result.rows)
    note(f"looked up in {duration(result.seconds)}")
    say_paths([result.sheet])
    return 0


def project(argv: list[str]) -> int:
    """`sagan project RUN|FILE PICTURE`."""
    about = "Look for the latent whose picture comes nearest to a given one."
    own = checked(ProjectWords, words_of(argv, "project", about, ProjectWords, ["source", "picture"]))
    from sagan.cli.progress import Counting
    from sagan.workflows.project import project

    with Counting() as counting:
        result = project(
            Path(own.source),
            Path(own.picture),
            label=own.label,
            starts=own.starts,
            steps=own.steps,
            search=own.search,
            out=path_of(own.out),
            device=own.device,
            tell=counting,
        )
    say_rows(result.rows)
    for line in result.notes:
        note(line)
    note(f"found in {duration(result.seconds)}")
    say_paths(result.paths)
    return 0


def truncation(argv: list[str]) -> int:
    """`sagan truncation RUN|FILE`."""
    about = "Measure fidelity and diversity at several truncations, and draw the curve."
    own = checked(TruncationWords, words_of(argv, "truncation", about, TruncationWords, ["source"]))
    from sagan.cli.progress import Counting
    from sagan.workflows.truncation import truncation

    with Counting() as counting:
        result = truncation(
            Path(own.source),
            own.data,
            bounds=own.trunc,
            features=own.features,
            n=own.n,
            real=own.real,
            seed=own.seed,
            stats=own.stats,
            out=path_of(own.out),
            device=own.device,
            tell=counting,
        )
    say_rows(result.rows)
    for line in result.notes:
        note(line)
    note(f"measured in {duration(result.seconds)}")
    say_paths(result.paths)
    return 0

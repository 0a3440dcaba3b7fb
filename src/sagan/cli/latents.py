"""The commands about what latents mean, one function a verb, as in `commands`."""

from __future__ import annotations

from pathlib import Path

from sagan.cli.printing import duration, note, say_rows
from sagan.cli.reading import path_of, say_paths, words_of
from sagan.cli.verbs import DirectionsWords, ProjectWords, checked


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

"""The commands that share generators on the Hub, one function a verb, as in `commands`."""

from __future__ import annotations

from pathlib import Path

from sagan.cli.printing import note, say, say_rows
from sagan.cli.reading import path_of, say_paths, words_of
from sagan.cli.verbs import PullWords, PushWords, checked


def push(argv: list[str]) -> int:
    """`sagan push RUN|FILE|FOLDER user/name`."""
    about = (
        "Share a generator on the Hugging Face Hub, with its card, options and pictures. --dry-run shows them first."
    )
    own = checked(PushWords, words_of(argv, "push", about, PushWords, ["source", "name"]))
    from sagan.workflows.share import push

    result = push(
        Path(own.source),
        own.name,
        private=own.private,
        message=own.message,
        licence=own.licence,
        discriminator=own.discriminator,
        dry_run=own.dry_run,
        out=path_of(own.out),
        device=own.device,
    )
    say_rows(result.rows)
    for line in result.notes:
        note(line)
    say_paths([result.out])
    if result.url:
        say(f"{result.url} commit {result.commit}")
    return 0


def pull(argv: list[str]) -> int:
    """`sagan pull user/name`."""
    about = "Fetch a shared generator from the Hugging Face Hub into a folder that every verb opens."
    own = checked(PullWords, words_of(argv, "pull", about, PullWords, ["name"]))
    from sagan.workflows.share import pull

    result = pull(own.name, path_of(own.out))
    say_rows(result.rows)
    for line in result.notes:
        note(line)
    say_paths([result.out])
    return 0

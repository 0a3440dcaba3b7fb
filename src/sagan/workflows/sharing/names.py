"""Names of generators on the Hub: hf:user/name, or hf:user/name@revision."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from sagan.errors import ConfigError

PREFIX = "hf:"
# The Hub's own rules (huggingface_hub, validate_repo_id): no '--' and no '..', neither first nor last a '-' or a '.'.
_PART = r"(?!.*(?:--|\.\.))[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?"
_REPO = re.compile(rf"{_PART}/{_PART}")
_REVISION = re.compile(r"(?!.*(?:\.\.|//))[A-Za-z0-9_](?:[A-Za-z0-9._/-]{0,126}[A-Za-z0-9_])?")


@dataclass(frozen=True)
class HubName:
    """repo: user/name.  revision: a branch, a tag or a commit; None for the newest."""

    repo: str
    revision: str | None = None

    def __str__(self) -> str:
        return f"{PREFIX}{self.repo}{f'@{self.revision}' if self.revision else ''}"

    @property
    def short(self) -> str:
        """The name without its user."""
        return self.repo.split("/")[1]


def is_hub_name(source: str | Path) -> bool:
    """Whether a source is a name on the Hub, and not a path."""
    return _text(source).startswith(PREFIX)


def parse_hub_name(source: str | Path) -> HubName:
    """'hf:user/name@revision', with or without its beginning and its end. Raises ConfigError."""
    text = _text(source).removeprefix(PREFIX).lstrip("/")  # hf://user/name is how the Hub's own tools write it
    repo, has_revision, revision = text.partition("@")
    remedy = "Write user/name, or user/name@revision: letters, digits, '-', '_' and '.'."
    if not _REPO.fullmatch(repo):
        raise ConfigError(f"{str(source)[:200]!r} is no name of a model on the Hub", remedy=remedy)
    if has_revision and not _REVISION.fullmatch(revision):
        raise ConfigError(f"{revision[:200]!r} is no name of a revision", where=repo, remedy=remedy)
    return HubName(repo, revision or None)


def _text(source: str | Path) -> str:
    return source if isinstance(source, str) else source.as_posix()

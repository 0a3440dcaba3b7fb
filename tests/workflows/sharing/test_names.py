from __future__ import annotations

from pathlib import Path

import pytest

from sagan.errors import ConfigError
from sagan.workflows.sharing.names import HubName, is_hub_name, parse_hub_name


@pytest.mark.parametrize(
    ("text", "repo", "revision"),
    [
        ("hf:alice/emblems", "alice/emblems", None),
        ("alice/emblems", "alice/emblems", None),
        ("hf://alice/emblems@v1.0", "alice/emblems", "v1.0"),
        ("hf:a/b@refs/pr/1", "a/b", "refs/pr/1"),
        (f"hf:Alice_1/my-model.v2@{'0a' * 20}", "Alice_1/my-model.v2", "0a" * 20),
    ],
)
def test_a_name_has_a_user_a_model_and_perhaps_a_revision(text, repo, revision):
    assert parse_hub_name(text) == HubName(repo, revision)
    assert parse_hub_name(Path(text)) == HubName(repo, revision), "as the command line hands it on"
    assert parse_hub_name(str(parse_hub_name(text))) == parse_hub_name(text)


@pytest.mark.parametrize(
    "text",
    ["hf:", "hf:alice", "hf:alice/", "hf:a/b/c", "hf:../etc/passwd", "hf:a/..", "hf:a--b/c", "hf:-a/b", "hf:a/b.",
     "hf:a/b c", "hf:a/b\n", "hf:a/b@", "hf:a/b@../x", "hf:a/b@x y", "hf:a/b@-x", f"hf:a/{'b' * 97}", "hf:é/b"],
)  # fmt: skip
def test_what_is_no_name_is_refused(text):
    with pytest.raises(ConfigError, match="is no name of a"):
        parse_hub_name(text)


def test_only_the_beginning_tells_a_name_from_a_path():
    assert is_hub_name("hf:a/b") and is_hub_name(Path("hf:a/b"))
    assert not is_hub_name("runs/x") and not is_hub_name(Path("/runs/hf:a"))

"""What goes wrong between here and the Hub ends in one line that says what to do, and never in a token."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import pytest

import sagan
from sagan.cli.main import main
from sagan.errors import CheckpointMissing, ConfigError, PeerError, RefusedError, ResourceError
from sagan.workflows.openers import open_generator
from sagan.workflows.share import pull, push
from sagan.workflows.sharing import transfer
from sagan.workflows.sharing.layout import LIMITS, read_shared
from sagan.workflows.sharing.names import HubName

# The client that huggingface_hub 2.4 speaks HTTP with finds fault with how it sends large files.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=.*' to upload raw bytes:DeprecationWarning")

NAME = "alice/tiny"


@pytest.fixture(scope="module")
def folder(trained, tmp_path_factory):
    """A shared folder; read only."""
    return sagan.save_pretrained(trained, tmp_path_factory.mktemp("shared") / "tiny", device="cpu")


@pytest.fixture(scope="module")
def files(folder):
    return read_shared(folder)


@pytest.fixture
def stranger(hub, monkeypatch):
    """Nobody is logged in."""
    monkeypatch.delenv("HF_TOKEN")
    return hub


@pytest.fixture
def impatient(monkeypatch):
    """huggingface_hub tries a broken download again every second."""
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)


def open_it(name=NAME):
    return open_generator(f"hf:{name}", device="cpu")


def test_a_model_that_is_not_there(hub):
    line = "hf:alice/none: there is no such model on the Hub, or it is private. Check the name. Log in with `hf auth login`"
    with pytest.raises(CheckpointMissing, match=line):
        open_it("alice/none")


def test_a_private_model_opens_for_its_owner_alone(hub, files, monkeypatch):
    hub.add(NAME, files, private=True)
    assert open_it().record.step == 5
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(CheckpointMissing, match="or it is private"):
        open_it()


def test_a_model_that_lets_people_in_on_request(stranger, files):
    stranger.add(NAME, files, gated=True)
    with pytest.raises(ResourceError, match="on request. Ask for access on its page. Log in"):
        open_it()


def test_a_revision_that_is_not_there(hub, files):
    hub.add(NAME, files)
    with pytest.raises(CheckpointMissing, match="hf:alice/tiny@v9: it has no such revision"):
        open_it(f"{NAME}@v9")


def test_a_model_of_another_library(hub):
    hub.add(NAME, {"config.json": b"{}", "pytorch_model.bin": b"\x80\x04evil", "model.safetensors": b"x"})
    with pytest.raises(CheckpointMissing, match="holds no generator.safetensors, so sagan did not make it"):
        open_it()
    assert hub.fetched() == []


def test_a_file_above_its_limit_is_not_fetched(hub, files):
    hub.add(NAME, files)
    hub.sizes = {"generator.safetensors": (4 << 30) + 1}
    with pytest.raises(RefusedError, match="its generator.safetensors has 4,294,967,297 bytes, above the limit"):
        open_it()
    assert hub.fetched() == []


@pytest.mark.parametrize("user", ["bob", None])
def test_nobody_writes_without_permission(hub, folder, monkeypatch, user):
    hub.writers = {"bob"}
    if user is None:
        monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(
        ResourceError, match=r"no permission \(40[13]\). Log in with `hf auth login`, with a token that"
    ):
        push(folder, NAME, device="cpu")
    assert hub.models == {}


def test_a_server_that_fails(hub, files, folder):
    hub.add(NAME, files)
    hub.status = 503
    for call in (open_it, lambda: push(folder, NAME, device="cpu")):
        with pytest.raises(PeerError, match=r"the Hub cannot serve it now \(503\). Try the same command again."):
            call()


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [(403, ResourceError, r"no permission \(403\)"), (413, ConfigError, r"the Hub refuses it \(413\): too large")],
)
def test_an_upload_that_is_refused_half_way_changes_nothing(hub, folder, status, error, words):
    hub.large_status = status
    with pytest.raises(error, match=words):
        push(folder, NAME, device="cpu")
    assert len(hub.models[NAME].commits) == 1


def test_a_hub_that_is_not_there(hub, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        away = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setattr(hub.constants, "ENDPOINT", away)
    with pytest.raises(PeerError, match="the connection to the Hub failed or broke off. Try the same command again."):
        open_it()


@pytest.mark.parametrize("says", [b"<html>Welcome to our hotel</html>", b"{}", b"[1]", b'{"id": "a/b", "siblings": 7}'])
def test_what_is_not_the_hub(hub, folder, says):
    hub.says = says
    for call in (open_it, lambda: push(folder, NAME, device="cpu")):
        with pytest.raises(PeerError, match="what answered there is not the Hub. Check the network, and HF_ENDPOINT"):
            call()


@pytest.mark.parametrize("commit", ["main", None, "../../x"])
def test_a_commit_that_is_none(hub, files, commit):
    hub.says = json.dumps(
        {"id": NAME, "sha": commit, "siblings": [{"rfilename": name, "size": 1} for name in files]}
    ).encode()
    with pytest.raises(PeerError, match="which is none"):
        open_it()


def test_the_cache_answers_when_the_hub_is_away(hub, files, monkeypatch):
    commit = hub.add(NAME, files)
    open_it()
    hub.status = 500
    assert open_it().warnings == (f"hf:{NAME} is taken from the cache, since the Hub was not reached: commit {commit}",)
    assert open_it(f"{NAME}@{commit}").record.step == 5
    hub.status = 0
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", True)
    asked = len(hub.asked)
    assert open_it().record.step == 5 and len(hub.asked) == asked
    with pytest.raises(PeerError, match="alice/other: offline mode is on. Unset HF_HUB_OFFLINE"):
        open_it("alice/other")


def test_a_download_that_breaks_off_is_told_and_the_next_one_is_whole(hub, files, impatient, tmp_path):
    hub.add(NAME, files)
    hub.cut = {"generator.safetensors": [1000] * 20}
    with pytest.raises(PeerError, match="Try the same command again."):
        pull(NAME, tmp_path / "mine")
    assert not (tmp_path / "mine").exists()
    hub.cut = {}
    pull(NAME, tmp_path / "mine")
    assert (tmp_path / "mine" / "generator.safetensors").read_bytes() == files["generator.safetensors"]


def test_a_download_that_breaks_off_once_or_twice_is_tried_again(hub, files, impatient):
    hub.add(NAME, files)
    hub.cut = {"generator.safetensors": [1000, 0]}
    assert open_it().record.step == 5
    assert hub.fetched().count("generator.safetensors") == 3


def test_two_who_push_at_once(hub, folder):
    hub.before_commit = lambda model: model.commit({"README.md": b"theirs"})
    with pytest.raises(PeerError, match="somebody else changed it at the same time"):
        push(folder, NAME, device="cpu")


def test_a_card_that_is_no_yaml_is_refused_before_anything_is_sent(hub, files, tmp_path):
    from sagan.disk import publish_folder

    publish_folder(tmp_path / "mine", {**files, "README.md": b"---\nlicense: [mit\n---\nwords"})
    with pytest.raises(ConfigError, match="the Hub does not take it: Invalid metadata in README.md"):
        push(tmp_path / "mine", NAME, device="cpu")
    assert hub.large == {} and len(hub.models[NAME].commits) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 418, 429, 500])
def test_no_token_is_ever_told(hub, folder, capfd, status):
    """Whatever the server says back, even the token itself."""
    hub.status = status
    for words in (["sample", f"hf:{NAME}"], ["push", str(folder), NAME, "--device", "cpu"], ["pull", NAME]):
        code = main(words)
        shown = "".join(capfd.readouterr())
        assert 0 < code < 100 and hub.token not in shown and "Traceback" not in shown, shown
        assert shown.count("\nsagan: ") + shown.startswith("sagan: ") == 1, shown


def test_the_files_are_all_of_one_commit(hub, files, monkeypatch):
    """Somebody pushes between our question and our downloads."""
    commit = hub.add(NAME, files)
    download, later = transfer._download, []

    def racing(*words, **options):
        if not later:
            later.append(hub.add(NAME, {**files, "config.json": b"{}"}))
        return download(*words, **options)

    monkeypatch.setattr(transfer, "_download", racing)
    fetched = transfer.fetch(HubName(NAME), LIMITS, ("config.json",))
    assert fetched.commit == fetched.folder.name == commit != later[0]
    assert (fetched.folder / "config.json").read_bytes() == files["config.json"]


def test_without_the_extra_one_line_says_what_to_install(folder, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    for words in (["sample", f"hf:{NAME}"], ["pull", NAME], ["push", str(folder), NAME, "--device", "cpu"]):
        assert main(words) == ConfigError.exit_code
        line = "sagan: the Hub needs huggingface_hub, which is not installed. Install the extra: "
        line += "pip install 'sagan-torch[hub]'."
        assert capsys.readouterr().err.splitlines()[-1] == line


def test_a_dry_run_needs_no_extra(folder, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert push(folder, NAME, dry_run=True, out=tmp_path / "x", device="cpu").out == tmp_path / "x"


def test_a_process_of_its_own_finds_the_hub_by_its_environment(hub, files, tmp_path):
    """HF_ENDPOINT, HF_HOME and HF_HUB_OFFLINE are huggingface_hub's own, and all that a user sets."""
    commit = hub.add(NAME, files)
    words = [sys.executable, "-m", "sagan", "sample", f"hf:{NAME}", "-n", "4", "-o", str(tmp_path / "a.png")]
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_XET": "1"}
    for more in ({}, {"HF_HUB_OFFLINE": "1"}):
        done = subprocess.run(words, env=environment | more, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0 and commit in done.stderr, done.stderr

"""From a run to the Hub and back: `sagan push`, `sagan pull`, hf:user/name wherever a generator is opened."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

import sagan
from sagan.checkpoint.folder import step_folder
from sagan.checkpoint.generator_file import read_generator
from sagan.checkpoint.tensors import unpack
from sagan.cli.main import main
from sagan.config import from_toml, read_toml
from sagan.errors import CheckpointCorrupt, CheckpointIncompatible, ConfigError, RefusedError
from sagan.presets import preset
from sagan.runtime import choose_runtime
from sagan.workflows.attend import attend
from sagan.workflows.evaluate import evaluate
from sagan.workflows.openers import open_both, open_discriminator, open_generator
from sagan.workflows.share import NO_LICENCE, pull, push
from sagan.workflows.sharing.layout import LIMITS, options_text, read_shared, shared_record
from sagan.workflows.train import train
from sagan.workflows.warm_start import options_of

# The client that huggingface_hub 2.4 speaks HTTP with finds fault with how it sends large files.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=.*' to upload raw bytes:DeprecationWarning")

NAME = "alice/tiny"
FILES = {"config.json", "training.toml", "README.md", "samples.png", "attention.png", "generator.safetensors",
         "model.safetensors"}  # fmt: skip
PNG = b"\x89PNG\r\n\x1a\n"


def pictures(source, seeds=range(6)):
    return sagan.draw(open_generator(source, device="cpu").generator, seeds)


@pytest.fixture(scope="module")
def shared(trained, tmp_path_factory):
    """A folder that others can use; read only."""
    return sagan.save_pretrained(trained, tmp_path_factory.mktemp("shared") / "tiny", licence="cc-by-4.0", device="cpu")


def front(card):
    return yaml.safe_load(card.split("---\n")[1])


# The folder ------------------------------------------------------------------------------------------------------------


def test_the_folder_holds_what_a_receiver_needs(shared, trained):
    assert {path.name for path in shared.iterdir()} == FILES
    checkpoint = step_folder(trained, 5)
    for name in ("generator.safetensors", "model.safetensors"):
        assert (shared / name).read_bytes() == (checkpoint / name).read_bytes(), name
    for name in ("samples.png", "attention.png"):
        with Image.open(shared / name) as picture:
            assert picture.format == "PNG" and min(picture.size) > 32
    assert np.array_equal(pictures(shared), pictures(trained))


def test_the_card_tells_its_reader_what_to_type_and_see(shared):
    card = (shared / "README.md").read_text(encoding="utf-8")
    assert front(card)["license"] == "cc-by-4.0" and front(card)["library_name"] == "sagan"
    for words in (
        "![Drawn from fixed seeds, none chosen.](samples.png)",
        "(attention.png)",
        "All options stand in `training.toml`.",
        "sagan sample generator.safetensors -n 64 --classes all",
        "5 steps, 80 pictures shown",
    ):
        assert words in card, words


def test_the_options_come_without_the_places_of_one_machine(shared, trained, photos):
    text = (shared / "training.toml").read_text()
    assert str(photos) not in text and str(trained) not in text and "[output]" not in text
    ours, theirs = from_toml(shared / "training.toml"), from_toml(trained / "run.toml")
    assert ours.training == theirs.training and ours.model == theirs.model
    assert ours.data.mirror is True and "data" not in read_toml(shared / "training.toml")


def test_the_built_in_set_needs_no_place(shared, tmp_path):
    folder = Path(shutil.copytree(shared, tmp_path / "copy"))
    (folder / "training.toml").write_bytes(options_text(preset("demo", out="somewhere", init_from="else")))
    assert shared_record(folder).data.data == "emblems" and "else" not in (folder / "training.toml").read_text()
    assert shared_record(shared).data.data == ""


def test_everything_else_opens_the_folder_too(shared, trained, tmp_path, photos, tiny):
    opened, judge = open_both(shared)
    live = unpack(step_folder(trained, 5) / "model.safetensors")[0]
    assert judge is not None and opened.record.step == 5
    assert all(torch.equal(tensor, live[f"discriminator.{name}"]) for name, tensor in judge.state_dict().items())
    assert open_discriminator(opened, runtime=choose_runtime("cpu")) is not None
    assert attend(shared, out=tmp_path / "map.png", device="cpu").paths[0].exists()
    picture = next(photos.rglob("*.png"))
    assert "D.attention" in attend(shared, image=picture, out=tmp_path / "real.png", device="cpu").lines[-1]
    told = []
    record = tiny(photos, tmp_path / "further", steps=1, init_from=str(shared))
    train(record, watch=lambda event: told.append(getattr(event, "text", "")))
    assert not any("has no discriminator" in line for line in told)


def test_real_pictures_are_named_by_whoever_measures(shared, photos):
    with pytest.raises(ConfigError, match="the real pictures to compare with are not known. Name them with --data"):
        evaluate(shared, n=4, metrics=["kid"], device="cpu")
    result = evaluate(shared, str(photos), n=16, metrics=["frechet"], device="cpu")
    assert result.numbers[0].protocol.ema is True


def test_the_explorer_opens_the_folder(shared):
    from sagan.explorer.shelf import Shelf

    shelf = Shelf(shared, choose_runtime("cpu"))
    assert shelf.has_discriminator and [entry.id for entry in shelf.entries()] == ["generator"]
    assert shelf.fetch(None).discriminator() is not None


def test_a_generator_alone_has_a_card_that_claims_little(trained, tmp_path):
    file = shutil.copy(step_folder(trained, 5) / "generator.safetensors", tmp_path / "alone.safetensors")
    folder = sagan.save_pretrained(file, tmp_path / "out", device="cpu")
    assert {path.name for path in folder.iterdir()} == FILES - {"training.toml", "model.safetensors"}
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "# alone\n" in card and "How it was trained is not recorded here." in card and "Photos; 2 classes" in card
    assert "license" not in front(card)


def test_without_the_discriminator_the_folder_is_smaller(trained, tmp_path):
    folder = sagan.save_pretrained(trained, tmp_path / "out", discriminator=False, device="cpu")
    assert {path.name for path in folder.iterdir()} == FILES - {"model.safetensors"}
    assert open_both(folder)[1] is None


def test_a_folder_is_never_written_over_another(trained, shared, tmp_path):
    (tmp_path / "mine").write_text("x")
    with pytest.raises(ConfigError, match="there is something already"):
        sagan.save_pretrained(trained, tmp_path, device="cpu")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_licence_that_is_none_is_refused(trained, tmp_path):
    with pytest.raises(ConfigError, match="licence is 'MIT: free\\\\nx'"):
        sagan.save_pretrained(trained, tmp_path / "out", licence="MIT: free\nx", device="cpu")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["generator.safetensors", "model.safetensors"])
def test_damage_to_a_folder_is_found_by_the_hash_in_the_file(shared, tmp_path, name):
    folder = Path(shutil.copytree(shared, tmp_path / "copy"))
    payload = bytearray((folder / name).read_bytes())
    payload[-1] ^= 1
    (folder / name).write_bytes(bytes(payload))
    with pytest.raises(CheckpointCorrupt, match="expected SHA-256"):
        open_both(folder)


# To the Hub ------------------------------------------------------------------------------------------------------------


def test_what_arrives_is_what_the_dry_run_wrote(hub, trained, tmp_path, contents):
    dry = push(trained, NAME, licence="mit", dry_run=True, out=tmp_path / "dry", device="cpu")
    assert hub.asked == [], "a dry run speaks to nobody"
    done = push(trained, f"hf:{NAME}", licence="mit", message="First words", device="cpu")
    commit, files = hub.models[NAME].commits[-1]
    assert done.commit == commit and done.url == f"{hub.url}/{NAME}" and done.rows == dry.rows
    assert files.pop(".gitattributes") and files == contents(tmp_path / "dry")
    assert hub.message == "First words" and not hub.models[NAME].private
    card = files["README.md"].decode()
    assert f"sagan sample hf:{NAME} -n 64" in card and f'sagan.open_generator("hf:{NAME}")' in card


def test_a_private_model_is_made_private(hub, trained):
    push(trained, NAME, private=True, device="cpu")
    assert hub.models[NAME].private


def test_a_public_model_stays_as_it_is_when_private_was_asked_for(hub, trained):
    hub.add(NAME, {"README.md": b"old"})
    with pytest.raises(RefusedError, match="it is there already and not private; nothing was sent"):
        push(trained, NAME, private=True, device="cpu")
    assert len(hub.models[NAME].commits) == 1 and hub.large == {}


def test_a_new_version_takes_away_only_what_the_old_one_had_of_ours(hub, trained):
    push(trained, NAME, device="cpu")
    hub.add(NAME, {**hub.models[NAME].commits[-1][1], "notes.txt": b"mine"})
    push(trained, NAME, discriminator=False, device="cpu")
    files = hub.models[NAME].commits[-1][1]
    assert "model.safetensors" not in files and files["notes.txt"] == b"mine" and "generator.safetensors" in files


def test_a_folder_goes_as_it_is_with_the_card_that_somebody_wrote(hub, shared, tmp_path, contents):
    folder = Path(shutil.copytree(shared, tmp_path / "mine"))
    (folder / "README.md").write_text("---\nlicense: mit\n---\nmy own words\n")
    (folder / "diary.txt").write_text("not for others")
    result = push(folder, NAME, device="cpu")
    files = hub.models[NAME].commits[-1][1]
    assert files["README.md"] == (folder / "README.md").read_bytes() and "diary.txt" not in files
    assert NO_LICENCE not in result.notes
    with pytest.raises(ConfigError, match="this folder has its card already"):
        push(folder, NAME, licence="mit", device="cpu")


def test_a_missing_licence_is_told(hub, trained):
    assert NO_LICENCE in push(trained, NAME, device="cpu").notes
    assert NO_LICENCE not in push(trained, NAME, licence="cc0-1.0", device="cpu").notes


def test_a_push_cannot_be_aimed_at_a_revision(trained):
    with pytest.raises(ConfigError, match="names a revision"):
        push(trained, "alice/tiny@v1", device="cpu")


# And back --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def pushed(hub, shared):
    """A model on the Hub; its commit."""
    return hub.add(NAME, {**read_shared(shared), "pytorch_model.bin": b"\x80\x04evil", "pickle.pkl": b"\x80\x04evil"})


def test_a_pulled_folder_draws_the_same_pictures(hub, pushed, shared, trained, tmp_path, contents):
    result = pull(NAME, tmp_path / "mine")
    assert contents(tmp_path / "mine") == contents(shared) and result.commit == pushed
    assert f"hf:{NAME} is commit {pushed}" in result.notes
    assert np.array_equal(pictures(tmp_path / "mine"), pictures(trained))
    assert not set(hub.fetched()) & {"pytorch_model.bin", "pickle.pkl"}, "nobody's pickle is even fetched"
    assert not any((tmp_path / "mine" / name).is_symlink() for name in LIMITS)


def test_a_name_on_the_hub_opens_like_a_path(hub, pushed, trained, tmp_path):
    opened = open_generator(f"hf:{NAME}", device="cpu")
    assert opened.warnings == (f"hf:{NAME} is commit {pushed}",)
    assert np.array_equal(sagan.draw(opened.generator, range(6)), pictures(trained))
    assert set(hub.fetched()) == {"config.json", "training.toml", "generator.safetensors"}, "what drawing needs"
    assert open_both(Path(f"hf:{NAME}"))[1] is not None
    assert sagan.from_pretrained(NAME, revision=pushed, device="cpu").record == opened.record
    assert options_of(Path(f"hf:{NAME}"))["g_ch"] == 16


def test_a_revision_keeps_what_it_named(hub, pushed, shared, trained):
    other = step_folder(trained, 4) / "generator.safetensors"
    later = hub.add(NAME, {**read_shared(shared), "generator.safetensors": other.read_bytes()})
    assert open_generator(f"hf:{NAME}", device="cpu").record.step == 4
    assert open_generator(f"hf:{NAME}@{pushed}", device="cpu").record.step == 5
    assert open_generator(f"hf:{NAME}@{later}", device="cpu").record.step == 4


def test_every_verb_takes_a_name(hub, pushed, photos, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    source = f"hf:{NAME}"
    cpu = ["--device", "cpu"]
    for words in (
        ["sample", source, "-n", "4", "-o", "grid.png", *cpu],
        ["attend", source, "-o", "map.png", *cpu],
        ["attend", source, "--image", str(next(photos.rglob("*.png"))), "-o", "real.png", *cpu],
        ["interpolate", source, "--seeds", "0,1", "-o", "strip.png", *cpu],
        ["evaluate", source, "--data", str(photos), "-n", "16", "--metrics", "frechet", "-o", "score.json", *cpu],
        ["pull", NAME],
        ["verify", "pulled/tiny"],
    ):
        assert main(words) == 0, capsys.readouterr().err
    shown = capsys.readouterr()
    assert f"hf:{NAME} is commit {pushed}" in shown.err
    for name in ("grid.png", "map.png", "real.png", "strip.png", "score.json", "pulled/tiny/README.md"):
        assert (tmp_path / name).exists(), name


def test_training_starts_from_a_name(hub, pushed, photos, tmp_path, tiny, trained):
    told = []
    record = tiny(photos, tmp_path / "new", steps=1, save_every=1, keep=5, init_from=f"hf:{NAME}")
    run = train(record, watch=lambda event: told.append(getattr(event, "text", ""))).run
    ours = read_generator(step_folder(run, 0) / "generator.safetensors")[1]
    theirs = read_generator(step_folder(trained, 5) / "generator.safetensors")[1]
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())
    assert f"hf:{NAME} is commit {pushed}" in told and not any("has no discriminator" in line for line in told)


def test_a_stranger_cannot_send_pictures_from_this_disk(hub, shared, photos):
    """A record on the Hub that names a folder of the reader's is not followed there."""
    text = (shared / "training.toml").read_text().replace("[data]\n", f'[data]\ndata = "{photos}"\n')
    assert str(photos) in text
    hub.add(NAME, {**read_shared(shared), "training.toml": text.encode()})
    with pytest.raises(ConfigError, match="are not known"):
        evaluate(f"hf:{NAME}", n=4, metrics=["kid"], device="cpu")


@pytest.mark.parametrize(
    ("payload", "error", "words"),
    [
        (b"\x80\x04\x95" + 99 * b"evil", CheckpointCorrupt, "a pickle"),
        (b"", CheckpointCorrupt, "only 0 bytes long"),
        ("flip", CheckpointCorrupt, "expected SHA-256"),
        ("foreign", CheckpointIncompatible, "not a generator of sagan"),
    ],
)
def test_a_generator_that_is_none_is_refused_and_nothing_is_left(hub, shared, tmp_path, payload, error, words):
    files = read_shared(shared)
    if payload == "flip":
        payload = files["generator.safetensors"][:-1] + bytes([files["generator.safetensors"][-1] ^ 1])
    if payload == "foreign":
        payload = files["model.safetensors"]
    hub.add(NAME, {**files, "generator.safetensors": payload})
    with pytest.raises(error, match=words):
        open_generator(f"hf:{NAME}", device="cpu")
    with pytest.raises(error, match=words):
        pull(NAME, tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


def test_a_discriminator_that_is_none_is_refused_by_a_pull(hub, shared, tmp_path):
    files = read_shared(shared)
    hub.add(NAME, {**files, "model.safetensors": files["model.safetensors"][:-4] + b"evil"})
    with pytest.raises(CheckpointCorrupt, match="model.safetensors: expected SHA-256"):
        pull(NAME, tmp_path / "mine")
    assert not (tmp_path / "mine").exists()

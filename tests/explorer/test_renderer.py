from __future__ import annotations

import io
import shlex
import threading
from contextlib import closing

import numpy as np
import pytest
import torch
from PIL import Image

from sagan.data.found import Recipe
from sagan.engines import fold
from sagan.errors import CheckpointMissing, ConfigError
from sagan.explorer.renderer import Renderer, Subject
from sagan.runtime import Runtime
from sagan.sampling import between_latents, draw, draw_labels, draw_latents
from sagan.workflows.attend import attend, attention_weights
from sagan.workflows.openers import open_both, open_generator

LAYER, THEIRS = "G.attention@8", "D.attention@8"


def scene_of(renderer, **words):
    return renderer.scenes([Subject(**words)]).result(60)[0]


def every_row(view):
    places = [(row, column) for row in range(8) for column in range(8)]
    return view.rows(places).reshape(8, 8, 4, 4)


def test_a_scene_is_the_picture_and_the_maps_of_its_seed(renderer, trained):
    generator = open_generator(trained, device="cpu").generator
    scene = scene_of(renderer, seed=7, label="boats")
    expected = attention_weights(generator, torch.from_numpy(draw_latents([7], 12)), torch.tensor([1]))[LAYER][0]
    np.testing.assert_allclose(every_row(scene.layers[LAYER]), expected.numpy(), atol=1e-5)
    np.testing.assert_array_equal(scene.picture, draw(generator, [7], [1])[0])


def test_a_scene_is_the_same_in_any_company(trained):
    alone, together = fresh_renderer(trained), fresh_renderer(trained)
    single = scene_of(alone, seed=3)
    fourth = together.scenes([Subject(seed=seed) for seed in (9, 8, 1, 3)]).result(60)[3]
    alone.close(), together.close()
    np.testing.assert_array_equal(single.picture, fourth.picture)
    assert torch.equal(single.layers[LAYER].queries, fourth.layers[LAYER].queries)
    assert torch.equal(single.layers[LAYER].keys, fourth.layers[LAYER].keys)


def test_pictures_are_those_of_sample(renderer, trained):
    generator = open_generator(trained, device="cpu").generator
    pictures, labels = renderer.draw(None, [4, 5, 6], truncation=0.8).result(60)
    expected = draw(generator, [4, 5, 6], truncation=0.8, engine=fold(generator))
    np.testing.assert_array_equal(pictures, expected)
    assert labels.tolist() == draw_labels([4, 5, 6], 2).tolist()


def test_inexact_pictures_differ_by_rounding_only(renderer):
    exact = renderer.draw(None, [4, 5], ["boats", 0]).result(60)[0]
    quick = renderer.draw(None, [4, 5], [1, 0], exact=False).result(60)[0]
    assert np.abs(exact.astype(int) - quick).max() <= 1


def test_truncation_and_checkpoint_change_the_picture(renderer):
    plain = scene_of(renderer, seed=2).picture
    assert not np.array_equal(plain, scene_of(renderer, seed=2, truncation=0.5).picture)
    assert not np.array_equal(plain, scene_of(renderer, seed=2, checkpoint="step-00000004").picture)
    np.testing.assert_array_equal(plain, scene_of(renderer, seed=2, checkpoint="step-00000005").picture)


def test_the_way_between_two_begins_and_ends_with_them(renderer):
    start, end = scene_of(renderer, seed=2, label=0), scene_of(renderer, seed=11, label=1)
    towards = {"seed": 2, "label": 0, "towards": 11, "towards_label": "boats"}
    np.testing.assert_array_equal(scene_of(renderer, **towards, share=0.0).picture, start.picture)
    assert np.abs(scene_of(renderer, **towards, share=1.0).picture.astype(int) - end.picture).max() <= 1
    middle = scene_of(renderer, **towards, share=0.5)
    assert not np.array_equal(middle.picture, start.picture) and not np.array_equal(middle.picture, end.picture)
    rows = every_row(middle.layers[LAYER])
    np.testing.assert_allclose(rows.sum(axis=(2, 3)), 1, atol=1e-5)


def test_a_class_alone_can_be_walked_and_leaves_no_trace(renderer):
    before = renderer.draw(None, [2], [0]).result(60)[0]
    walked = scene_of(renderer, seed=2, label=0, towards_label=1, share=0.5).picture
    assert not np.array_equal(walked, scene_of(renderer, seed=2, label=0).picture)
    np.testing.assert_array_equal(renderer.draw(None, [2], [0]).result(60)[0], before)
    generator = renderer.shelf.fetch(None).generator.generator
    assert all(
        module.gain.shape[0] == 2
        for module in generator.modules()
        if getattr(module, "classes", 0) == 2 and hasattr(module, "gain")
    )


def test_between_two_latents_lies_the_great_circle():
    """By hand: halfway between (3, 0) and (0, 1), length 2 at 45 degrees."""
    one, other = np.array([3.0, 0.0], np.float32), np.array([0.0, 1.0], np.float32)
    np.testing.assert_allclose(between_latents(one, other, 0.5), np.full(2, 2 / np.sqrt(2)), rtol=1e-6)
    np.testing.assert_allclose(
        between_latents(one, other, 1 / 3), (7 / 3) * np.array([np.cos(np.pi / 6), 0.5]), rtol=1e-6
    )
    np.testing.assert_allclose(between_latents(one, one, 0.3), one, rtol=1e-6)


def test_a_number_is_a_class_by_place_also_where_another_is_called_so(renderer, monkeypatch):
    from sagan.explorer import renderer as module

    monkeypatch.setattr(module.Renderer, "classes", ("1", "0"))
    assert [renderer.label(word) for word in (0, 1, "0", "1")] == [0, 1, 1, 0]
    with pytest.raises(ConfigError, match="no class 2"):
        renderer.label(2)


def fresh_renderer(source):
    return Renderer(source, runtime=Runtime(torch.device("cpu"), torch.get_num_threads()))


def held_up(renderer):
    """An event until which the renderer's thread does nothing else."""
    gate, begun = threading.Event(), threading.Event()
    renderer.worker.call(lambda: (begun.set(), gate.wait(20)))
    assert begun.wait(5)
    return gate


def test_a_checkpoint_written_meanwhile_does_not_come_into_pictures_asked_for_before(own_run):
    """Those who ask for the newest one and those who name it are not mixed up when it is the newest no more."""
    later = own_run / "checkpoints" / "step-00000005"
    later.rename(own_run / "aside")
    renderer = fresh_renderer(own_run)
    try:
        before = renderer.draw(None, [7]).result(60)[0]
        gate = held_up(renderer)
        newest, named = renderer.draw(None, range(7, 27)), renderer.draw("step-00000004", [7])
        (own_run / "aside").rename(later)
        gate.set()
        np.testing.assert_array_equal(named.result(60)[0], before)
        np.testing.assert_array_equal(newest.result(60)[0][:1], before)
        assert not np.array_equal(renderer.draw(None, [7]).result(60)[0], before)
    finally:
        renderer.close()


def test_a_step_that_is_written_again_is_read_again(trained, tmp_path):
    """Training that goes back after a failure comes to the same steps with other numbers."""
    files = {step: trained / "checkpoints" / f"step-0000000{step}" / "generator.safetensors" for step in (4, 5)}
    lone, new = tmp_path / "lone.safetensors", tmp_path / "new.safetensors"
    lone.write_bytes(files[4].read_bytes())
    renderer = fresh_renderer(lone)
    try:
        pictures, scene = renderer.draw(None, [7]).result(60)[0], scene_of(renderer, seed=7)
        new.write_bytes(files[5].read_bytes())
        new.replace(lone)
        generator = open_generator(lone, device="cpu").generator
        np.testing.assert_array_equal(scene_of(renderer, seed=7).picture, draw(generator, [7])[0])
        again = renderer.draw(None, [7]).result(60)[0]
        assert not np.array_equal(again, pictures) and not np.array_equal(again[0], scene.picture)
        lone.unlink()
        np.testing.assert_array_equal(renderer.draw(None, [7]).result(60)[0], again, "what is gone is shown on")
    finally:
        renderer.close()


def test_pictures_are_made_square_as_the_record_says_and_by_the_defaults_without_one(own_run, tmp_path):
    record = own_run / "run.toml"
    record.write_text(record.read_text().replace('fit = "crop"', 'fit = "stretch"').replace("#ffffff", "#010203"))
    checkpoint = own_run / "checkpoints" / "step-00000004"
    lone = tmp_path / "lone.safetensors"
    lone.write_bytes((checkpoint / "generator.safetensors").read_bytes())
    own, default = Recipe(16, "stretch", (1, 2, 3), 3), Recipe(16, "crop", (255, 255, 255), 3)
    for source, expected in ((own_run, own), (checkpoint, own), (lone, default)):
        with closing(Renderer(source, runtime=Runtime(torch.device("cpu"), 1))) as renderer:
            assert (renderer.recipe, renderer.shelf.warnings) == (expected, [])
    record.write_text("fit =")
    with closing(Renderer(own_run, runtime=Runtime(torch.device("cpu"), 1))) as renderer:
        assert renderer.recipe == default and "by the defaults" in renderer.shelf.warnings[0]


def test_the_discriminator_looks_at_a_generated_picture_as_at_a_file_of_it(renderer, trained, tmp_path):
    scene = renderer.judged(Subject(seed=7, label="boats")).result(60)
    Image.fromarray(scene.picture).save(tmp_path / "seven.png")
    result = attend(
        trained, image=tmp_path / "seven.png", label="boats", at=[(3, 12)], out=tmp_path / "d.png", device="cpu"
    )
    with np.load(result.paths[1], allow_pickle=False) as arrays:
        np.testing.assert_allclose(scene.layers[THEIRS].at([(3, 12)], 16), arrays[f"{THEIRS}/maps"], atol=1e-6)
    uploaded = renderer.judged(scene.picture).result(60)
    np.testing.assert_allclose(every_row(uploaded.layers[THEIRS]), every_row(scene.layers[THEIRS]), atol=1e-6)


def test_the_command_draws_what_is_shown(renderer, trained, tmp_path):
    subject = Subject(seed=5, label="boats", truncation=0.7)
    command = shlex.split(renderer.command(subject, trained))
    words = [*command[1:], "--layer", LAYER, "--at", "3,12", "--device", "cpu", "-o", str(tmp_path / "a.png")]
    from sagan.cli.main import main

    assert main(words) == 0
    scene = scene_of(renderer, seed=5, label="boats", truncation=0.7)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["picture"], scene.picture)
        np.testing.assert_allclose(arrays[f"{LAYER}/maps"], scene.layers[LAYER].at([(3, 12)], 16), atol=1e-6)
    figure = renderer.drawn_figure(scene, [LAYER], [(3, 12)], renderer.words(subject), "png").result(60)
    with Image.open(io.BytesIO(figure)) as ours, Image.open(tmp_path / "a.png") as theirs:
        assert np.abs(np.asarray(ours).astype(int) - np.asarray(theirs)).max() <= 1


def test_what_lies_between_two_has_no_command(renderer, trained):
    assert renderer.command(Subject(towards=3, share=0.5), trained) is None
    assert renderer.words(Subject(seed=1, label=0, towards=3, share=0.5)).endswith("50% of the way to seed 3")


@pytest.mark.parametrize(
    ("words", "line"),
    [({"label": "cars"}, "there is no class cars"), ({"truncation": 0.1}, "trunc is 0.1")],
)
def test_bad_requests_are_told(renderer, words, line):
    with pytest.raises(ConfigError, match=line):
        scene_of(renderer, **words)


def test_unknown_and_deleted_checkpoints_are_told(own_run):
    renderer = Renderer(own_run, runtime=Runtime(torch.device("cpu"), 1))
    try:
        assert [entry.id for entry in renderer.shelf.entries()] == ["step-00000004", "step-00000005"]
        scene_of(renderer, checkpoint="step-00000004")
        (own_run / "checkpoints" / "step-00000004").rename(own_run / "gone")
        with pytest.raises(CheckpointMissing, match="no such checkpoint, or no longer"):
            scene_of(renderer, checkpoint="step-00000004")
        with pytest.raises(CheckpointMissing):
            scene_of(renderer, checkpoint="../../etc")
        assert scene_of(renderer, seed=1).picture.shape == (16, 16, 3)
    finally:
        renderer.close()


def test_a_damaged_newest_checkpoint_is_passed_over_with_a_word(own_run):
    file = own_run / "checkpoints" / "step-00000005" / "generator.safetensors"
    payload = bytearray(file.read_bytes())
    payload[-1] ^= 1
    file.write_bytes(payload)
    renderer = Renderer(own_run, runtime=Runtime(torch.device("cpu"), 1))
    renderer.close()
    assert renderer.record.step == 4
    assert len(renderer.shelf.warnings) == 1 and "SHA-256" in renderer.shelf.warnings[0]


def test_a_generator_file_alone_has_no_discriminator(trained, tmp_path):
    source = trained / "checkpoints" / "step-00000005" / "generator.safetensors"
    lone = tmp_path / "lone.safetensors"
    lone.write_bytes(source.read_bytes())
    renderer = Renderer(lone, runtime=Runtime(torch.device("cpu"), 1))
    try:
        assert [entry.id for entry in renderer.shelf.entries()] == ["generator"]
        assert not renderer.shelf.has_discriminator
        with pytest.raises(ConfigError, match="holds no discriminator"):
            renderer.judged(Subject()).result(60)
    finally:
        renderer.close()


def test_the_discriminator_opened_beside_is_the_same(trained):
    from sagan.workflows.openers import open_checkpoint, open_discriminator

    runtime = Runtime(torch.device("cpu"), 1)
    _, whole = open_both(trained, runtime=runtime)
    beside = open_discriminator(
        open_checkpoint(trained / "checkpoints" / "step-00000005", runtime=runtime), runtime=runtime
    )
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, beside.state_dict()[name]), name


def test_few_scenes_are_kept(trained, monkeypatch):
    monkeypatch.setattr("sagan.explorer.renderer.MEMORY", 0)
    renderer = Renderer(trained, runtime=Runtime(torch.device("cpu"), 1))
    try:
        for start in (0, 10):
            renderer.scenes([Subject(seed=seed) for seed in range(start, start + 10)]).result(60)
        assert len(renderer._scenes) == 16
        key = renderer.shelf.fetch(None).key
        assert ("G", Subject(key, 19, int(draw_labels([19], 2)[0]))) in renderer._scenes
    finally:
        renderer.close()

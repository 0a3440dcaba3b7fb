from __future__ import annotations

import time
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sagan.config import RunConfig, build, from_toml, read_toml, to_toml
from sagan.errors import ConfigError, SaganError


def message(call) -> str:
    with pytest.raises(ConfigError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_text_has_one_table_a_room():
    tables = tomllib.loads(to_toml(build({"preset": "mine", "g_attn": (8, 16), "g_lr": 1e-5})))
    assert list(tables) == ["preset", "data", "model", "training", "output"]
    assert tables["preset"] == "mine"
    assert tables["model"]["g_attn"] == [8, 16]
    assert tables["training"]["g_lr"] == 1e-5


@given(
    g_lr=st.floats(1e-300, 1e300),
    seed=st.integers(0, 2**63 - 1),
    data=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1),
    g_attn=st.lists(st.sampled_from([8, 16, 32]), unique=True),
)
@settings(max_examples=40, deadline=None)
def test_any_record_survives_the_round_trip(g_lr, seed, data, g_attn):
    config = build({"g_lr": g_lr, "seed": seed, "data": data, "g_attn": tuple(g_attn)})
    assert from_toml(to_toml(config)) == config
    assert from_toml(to_toml(config), build({"seed": 1, "resolution": 64, "mirror": True})) == config


def test_what_the_text_leaves_out_comes_from_the_base():
    base = build({"d_lr": 3e-4, "g_lr": 1e-4, "resolution": 32})
    config = from_toml("[training]\ng_lr = 2e-4\n[model]\nresolution = 64", base)
    assert (config.training.g_lr, config.training.d_lr) == (2e-4, 3e-4)
    assert config.model.g_attn == (32,)


def test_reads_files_with_a_byte_order_mark_and_windows_lines(tmp_path):
    file = tmp_path / "a.toml"
    file.write_bytes(b"\xef\xbb\xbf[training]\r\nseed = 4\r\n")
    assert from_toml(file).training.seed == 4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[training]\nstepz = 1", "TOML: [training]: unknown option 'stepz'. Did you mean steps?"),
        ("[trainin]\nsteps = 1", "TOML: unknown option 'trainin'. Did you mean training?"),
        ("g_lr = 1.0", "TOML: g_lr stands in the wrong place. It belongs in [training]."),
        ("[model]\nseed = 1", "TOML: [model]: seed stands in the wrong place. It belongs in [training]."),
        ("[training]\nsteps = true", "TOML: [training]: steps is True. It must be a whole number, 0 or more."),
        ("[training]\nsteps = '3'", "TOML: [training]: steps is '3'. It must be a whole number, 0 or more."),
        ("[training]\nsteps = 3.0", "TOML: [training]: steps is 3.0. It must be a whole number, 0 or more."),
        ("[training]\ng_lr = nan", "TOML: [training]: g_lr is nan. It must be a number above 0."),
        ("[data]\nmirror = 1", "TOML: [data]: mirror is 1. It must be true or false."),
        ("[data]\ndata = ['a']", "TOML: [data]: data is 'a'. It must be text."),
        ("[data.data]\nx = 1", "TOML: [data]: data is a table. It must be text."),
        ("[[data]]\nfit = 'pad'", "TOML: data stands in the wrong place. It belongs in [data]."),
        ("[data]\nfit = 'corp'", "TOML: [data]: fit is 'corp'. It must be one of crop, pad, stretch."),
        ("[model]\ng_attn = [16, true]", "TOML: [model]: g_attn is 16,True. It must be whole numbers such as"),
        ("[model]\nresolution = 50", "TOML: [model]: resolution is 50, and networks double a map of"),
        ("[model]\ng_attn = 5", "TOML: [model]: g_attn has 5, but the maps there are [8, 16, 32]."),
    ],
)  # fmt: skip
def test_mistakes_are_told_in_one_line_with_their_place(text, said):
    assert message(lambda: from_toml(text)).startswith(said)


def test_the_file_is_named(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("[training]\nbatch_size = 1")
    assert message(lambda: from_toml(file)).startswith(f"{file}: [training]: batch_size is 1.")
    assert "No such file" in message(lambda: from_toml(tmp_path / "none.toml"))
    assert "directory" in message(lambda: from_toml(tmp_path)).lower() or "denied" in message(
        lambda: from_toml(tmp_path)
    )
    file.write_bytes(b"seed = '\xff'")
    assert "not UTF-8" in message(lambda: from_toml(file))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("#" * (64 * 1024 + 1), "larger than 64 KiB"),
        ("a" + ".a" * 65 + " = 1", "more than 64 dots in line 1"),
        ("x = 1\ny = " + "[" * 17 + "]" * 17, "deeper than 16 in line 2"),
        ("y = [\n" * 17, "deeper than 16 in line 17"),
        ("[training]\nseed = 0x" + "f" * 60_000, "seed is a number of 72247 digits"),
        ("[training]\nseed = " + "9" * 5_000, "not readable as TOML"),
        ("[training]\nseed = 1\nseed = 2", "not readable as TOML"),
    ],
)
def test_caps_come_before_the_parser(text, part, tmp_path):
    file = tmp_path / "bad.toml"
    file.write_text(text)
    start = time.monotonic()
    assert part in message(lambda: from_toml(text))
    assert part in message(lambda: from_toml(file))
    assert time.monotonic() - start < 2


def test_the_largest_allowed_text_is_read():
    assert from_toml("[training]\nseed = 7\n".ljust(64 * 1024, "#")).training.seed == 7
    assert "unknown option" in message(lambda: from_toml("a" + ".a" * 64 + " = 1"))


def test_a_name_that_is_not_unicode_is_refused_before_it_is_written():
    assert "not Unicode" in message(lambda: to_toml(build({"data": "\udc80"})))


@given(st.text(alphabet=st.sampled_from("[]{}=.\"'#\n ,abdtegriny_0123456789-+x\\\udc80\0"), max_size=60))
@settings(max_examples=150, deadline=None)
def test_any_text_gives_a_record_or_our_own_error(text):
    try:
        outcome: object = from_toml(text)
    except SaganError as error:
        outcome = error
    assert isinstance(outcome, (RunConfig, ConfigError))


def test_read_toml_gives_only_what_stands_there():
    assert read_toml("preset = 'demo'\n[model]\ng_attn = [16]") == {"preset": "demo", "g_attn": (16,)}

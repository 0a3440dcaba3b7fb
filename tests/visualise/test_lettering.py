from __future__ import annotations

import pytest

from sagan.visualise import lettering
from sagan.visualise.lettering import ELLIPSIS, font, letters, shorten, text_width


@pytest.fixture
def no_system_fonts(monkeypatch: pytest.MonkeyPatch):
    letters.cache_clear()
    monkeypatch.setattr(lettering, "SYSTEM_FONTS", ("no such font.ttf",))
    yield
    letters.cache_clear()


def test_short_text_stays_and_long_text_fits_and_wastes_no_room() -> None:
    assert shorten("crab", 16, 200) == "crab"
    name = "a very long class name that nobody would write"
    short = shorten(name, 16, 120)
    assert short.endswith(ELLIPSIS) and name.startswith(short[:-1].rstrip())
    assert text_width(short, 16) <= 120
    assert text_width(name[: len(short)] + ELLIPSIS, 16) > 120  # one letter more would not fit


def test_no_width_leaves_the_ellipsis() -> None:
    assert shorten("butterfly", 16, 0) == ELLIPSIS


def test_ascii_uses_the_built_in_font() -> None:
    face, shown = letters("butterfly 12", 16)
    assert face is font(16) and shown == "butterfly 12"


def test_without_any_other_font_accents_go_and_unknown_letters_become_question_marks(no_system_fonts: None) -> None:
    face, shown = letters("café 猫", 16)
    assert face is font(16) and shown == "cafe ?"


def test_control_characters_are_shown_not_obeyed() -> None:
    assert letters("a\nb\x1b[0m", 16)[1] == "a\\nb\\x1b[0m"

from __future__ import annotations

from itertools import combinations

import pytest

from sagan.visualise import palette


def test_the_papers_five_colours_come_first_and_in_its_order() -> None:
    def dominant(colour: palette.Colour) -> str:
        return "".join(name for name, value in zip("rgb", colour, strict=True) if value > 180)

    assert [dominant(palette.query_colour(index)) for index in range(5)] == ["r", "g", "b", "gb", "rb"]


def test_colours_repeat_after_the_last_and_are_all_different_before() -> None:
    assert palette.query_colour(len(palette.QUERY_COLOURS) + 2) == palette.QUERY_COLOURS[2]
    assert palette.line_colour(len(palette.LINE_COLOURS)) == palette.LINE_COLOURS[0]
    for colours in (palette.QUERY_COLOURS, palette.LINE_COLOURS):
        assert all(one != other for one, other in combinations(colours, 2))


def test_contrast_agrees_with_the_values_of_wcag() -> None:
    assert palette.contrast(palette.BLACK, palette.WHITE) == pytest.approx(21.0)
    assert palette.contrast((119, 119, 119), palette.WHITE) == pytest.approx(
        4.478, abs=1e-3
    )  # the famous near miss, #777


def test_text_and_every_number_in_a_dot_can_be_read() -> None:
    for ink in (palette.INK, palette.MUTED):
        assert palette.contrast(ink, palette.BACKGROUND) >= 4.5
    for colour in palette.QUERY_COLOURS:
        assert palette.contrast(palette.ink_on(colour), colour) >= 4.5


def test_blend_by_hand() -> None:
    assert palette.blend((100, 0, 200), (0, 100, 255), 0.25) == (25, 75, 241)

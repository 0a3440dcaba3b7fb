from __future__ import annotations

import numpy as np
import pytest

from sagan.visualise.curves import PANEL_HEIGHT, Panel, panels_of, render_curves
from sagan.visualise.palette import BACKGROUND, BLUE, VERMILION

LAYERS = ("G.attention@16", "D.attention@16")


def log(count: int) -> list[dict[str, float]]:
    rows = []
    for index in range(count):
        row: dict[str, float] = {"step": 10.0 * (index + 1), "images": 640.0, "seconds": 1.0}
        row |= {"loss/generator": 0.5, "loss/discriminator": 1.5, "logit/real": 0.4, "logit/fake": -0.4}
        row |= {f"attention/{layer}/{name}": 0.1 for layer in LAYERS for name in ("distance", "gamma", "entropy")}
        row["rate/images_per_second"] = 800.0 + index
        rows.append(row)
    rows[-1]["score/structure"] = 0.3
    return rows


def pixels(image) -> np.ndarray:
    return np.asarray(image).astype(int)


def ink(image) -> np.ndarray:
    return (pixels(image) != BACKGROUND).any(axis=2)


def test_a_log_gets_its_panels_in_a_fixed_order() -> None:
    panels = panels_of(log(2))
    assert [panel.title for panel in panels] == [
        "Loss",
        "Logits of the discriminator",
        "Attention gamma",
        "Attention entropy",
        "Attention distance",
        "Scores",
        "Rate: images per second",
    ]
    assert panels[0].lines == (("loss/generator", "generator"), ("loss/discriminator", "discriminator"))
    assert [name for _, name in panels[2].lines] == list(LAYERS)


def test_what_the_parts_for_small_sets_remember_has_charts_of_its_own() -> None:
    rows = [
        {"step": 1.0, "augment/p": 0.1, "augment/sign": 0.7, "lecam/real": 0.3, "lecam/fake": -0.3, "loss/lecam": 1.0}
    ]
    found = {panel.title: [key for key, _ in panel.lines] for panel in panels_of(rows)}
    assert found == {
        "Loss": ["loss/lecam"],
        "Adaptive augmentation: probability p, sign of overfitting": ["augment/p", "augment/sign"],
        "LeCam's averages of the logits": ["lecam/real", "lecam/fake"],
    }


def test_keys_that_hold_no_numbers_get_no_panel() -> None:
    rows = [{"step": 1, "loss/generator": None, "note/text": "hello", "flag/on": True, "logit/real": float("nan")}]
    assert panels_of(rows) == []


@pytest.mark.parametrize("rows", [[], [{"step": 1}], [{"loss/generator": 1.0}]])
def test_a_log_without_lines_says_so(rows: list) -> None:
    sheet = render_curves(rows)
    assert sheet.width == 1600 and sheet.height < PANEL_HEIGHT and ink(sheet).any()


def test_panels_stand_two_abreast_and_one_on_a_narrow_page() -> None:
    wide, narrow = render_curves(log(3)), render_curves(log(3), width=800)
    assert wide.width == 1600 and narrow.width == 800
    assert (wide.height - 48) == 4 * PANEL_HEIGHT and (narrow.height - 48) == 7 * PANEL_HEIGHT
    assert not ink(wide)[24 + 3 * PANEL_HEIGHT :, 800:].any()  # seven panels: the eighth place is empty


def has(image, colour) -> np.ndarray:
    """Where pixels are of `colour`, to within what smoothing does."""
    return np.abs(pixels(image) - np.array(colour)).max(axis=2) <= 6


def test_a_higher_value_is_drawn_higher_and_time_runs_to_the_right() -> None:
    panel = [Panel("Loss", (("loss/generator", "generator"), ("loss/discriminator", "discriminator")))]
    rows = [{"step": s, "loss/generator": s / 10, "loss/discriminator": 10 - s / 10} for s in range(0, 101, 10)]
    image = render_curves(rows, panel)
    blue, orange = (np.nonzero(has(image, colour)) for colour in (BLUE, VERMILION))
    for (ys, xs), rises in ((blue, True), (orange, False)):
        frame = xs < 1300  # names are to the right of it
        early = ys[frame][xs[frame] < 300].mean()
        late = ys[frame][xs[frame] > 1000].mean()
        assert bool(early > late) is rises


def test_one_row_draws_a_dot_and_constant_and_missing_values_are_fine() -> None:
    assert has(render_curves(log(1)), BLUE).any()
    rows = log(60)
    for row in rows[::2]:
        del row["loss/generator"]
    rows[5]["loss/discriminator"] = float("inf")
    rows[6]["loss/discriminator"] = None  # type: ignore[typeddict-item]
    assert has(render_curves(rows), VERMILION).any()


def test_a_long_line_with_spikes_stays_inside_its_frame_and_counts_them() -> None:
    rows = [{"step": float(step), "rate/x": float(step)} for step in range(400)]
    calm = ink(render_curves(rows))
    rows[200]["rate/x"] = 1e5
    rows[100]["rate/x"] = -1e5
    spiky = ink(render_curves(rows))
    corner = (slice(24, 24 + 44), slice(800, 1600))  # right of the title: "2 values beyond the chart"
    assert spiky[corner].any() and not calm[corner].any()
    frame = slice(24 + 50 - 6, 24 + 50 - 1)  # the rows of pixels just above the frame
    assert not spiky[frame].any() and not spiky[-10:].any()


def test_rows_in_any_order_draw_the_same_picture() -> None:
    rows = [{"step": float(step), "rate/x": float(step % 7)} for step in range(40)]
    assert render_curves(rows).tobytes() == render_curves(rows[::-1]).tobytes()


def test_many_layers_with_long_names_fit() -> None:
    rows = [
        {"step": float(step), **{f"attention/{'layer' * 20}{k}/gamma": k / 9 for k in range(12)}} for step in (1, 2)
    ]
    image = render_curves(rows, width=800)
    assert image.size == (800, 48 + PANEL_HEIGHT)
    assert not ink(image)[:, 790:].any()

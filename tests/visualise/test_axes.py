from __future__ import annotations

import numpy as np
import pytest

from sagan.visualise.axes import limits, nice_step, number, smoothed, spread, thinned, ticks


@pytest.mark.parametrize(
    ("low", "high", "count", "expected"),
    [
        (0, 10, 5, [0, 2, 4, 6, 8, 10]),
        (0, 12_000, 6, [0, 2000, 4000, 6000, 8000, 10_000, 12_000]),
        (-0.21, 0.33, 5, [-0.2, 0, 0.2]),
        (1.03, 1.49, 5, [1.1, 1.2, 1.3, 1.4]),
        (0.9, 5.1, 5, [1, 2, 3, 4, 5]),
        (3, 3, 5, [3]),
    ],
)
def test_ticks_by_hand(low: float, high: float, count: int, expected: list) -> None:
    assert ticks(low, high, count) == pytest.approx(expected)


def test_whole_ticks_never_name_half_a_step() -> None:
    assert ticks(1, 3, 6, whole=True) == [1, 2, 3]


@pytest.mark.parametrize("scale", [1e-7, 1e-3, 1.0, 37.0, 4e8])
def test_a_step_is_one_two_or_five_times_a_power_of_ten(scale: float) -> None:
    for span in np.linspace(1, 10, 50) * scale:
        step = nice_step(float(span), 5)
        assert span / step <= 5 + 1e-6
        assert round(float(f"{step:e}".split("e")[0]), 6) in (1, 2, 5)
        assert span / step > 1.9  # not coarser than needed


@pytest.mark.parametrize(
    ("value", "step", "expected"),
    [
        (12000, 2000, "12,000"),
        (0.3, 0.1, "0.3"),
        (0.30000000000000004, 0.1, "0.3"),
        (-1.5, 0.5, "-1.5"),
        (0, 0.05, "0"),
        (-1e-17, 0.1, "0.0"),
        (1234.5678, None, "1,235"),
        (0.012345, None, "0.0123"),
        (-0.5, None, "-0.500"),
        (3.2e12, None, "3.2e+12"),
    ],
)
def test_number_words(value: float, step: float | None, expected: str) -> None:
    assert number(value, step) == expected


@pytest.mark.parametrize("value", [0.0, 5.0, -0.3, 1e-12, 1e12])
def test_a_constant_line_lies_inside_its_range(value: float) -> None:
    line = np.full(7, value)
    low, high = limits([line], [line])
    assert low < value < high and np.isfinite([low, high]).all()


def test_a_rare_spike_does_not_set_the_range_but_few_values_all_count() -> None:
    line = np.linspace(0, 1, 1000)
    line[500] = 1e6
    assert limits([line], [np.linspace(0, 1, 1000)])[1] < 2
    assert limits([line[498:503]], [])[1] > 1e6


def test_smoothing_keeps_a_constant_calms_noise_and_does_not_lag() -> None:
    assert smoothed(np.full(100, 3.5)) == pytest.approx(np.full(100, 3.5))
    noise = np.random.default_rng(0).normal(size=2000)
    assert smoothed(noise).std() < 0.25 * noise.std()
    ramp = np.arange(200.0)
    assert smoothed(ramp)[20:-20] == pytest.approx(ramp[20:-20])
    few = np.array([1.0, 5.0, 2.0])
    assert smoothed(few) is few


def test_thinning_keeps_ends_peaks_and_order() -> None:
    x = np.arange(10_000.0)
    y = np.sin(x / 500)
    y[4321] = 9.0
    y[77] = -9.0
    thin_x, thin_y = thinned(x, y, 100)
    assert len(thin_x) <= 202 and (np.diff(thin_x) > 0).all()
    assert (thin_x[0], thin_x[-1]) == (0, 9999)
    assert thin_y[thin_x == 4321] == [9.0] and thin_y[thin_x == 77] == [-9.0]


def test_labels_are_spread_in_order_and_inside() -> None:
    assert spread([50, 10], 20, 0, 100) == [50, 10]
    assert spread([50, 52, 49], 20, 0, 100) == [69, 89, 49]
    assert spread([95, 99], 20, 0, 100) == [80, 100]

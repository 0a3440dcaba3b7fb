"""The faults of plant.py: each can still be planted (always), and each turns a test red (by night)."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

spec = importlib.util.spec_from_file_location("plant", Path(__file__).with_name("plant.py"))
plant = importlib.util.module_from_spec(spec)
sys.modules["plant"] = plant  # dataclasses look their module up
spec.loader.exec_module(plant)


@pytest.mark.parametrize("fault", plant.FAULTS, ids=lambda fault: fault.name)
def test_the_place_is_still_there(fault, tmp_path):
    package = plant.copied(tmp_path)
    plant.plant(fault, package)
    harmed = (package / fault.file).read_text(encoding="utf-8")
    compile(harmed, fault.file, "exec")
    assert fault.new in harmed
    assert all((plant.ROOT / test.partition("::")[0]).is_file() for test in fault.tests.split())


def test_a_fault_that_is_no_longer_there_is_told():
    gone = plant.Fault("gone", "errors.py", "this text stands nowhere", "x", "tests/layers/test_norm.py")
    with pytest.raises(ValueError, match="gone: .* stands 0 times"):
        plant.plant(gone, plant.ROOT / "src" / "sagan")


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_the_unharmed_copy_is_green(tmp_path):
    plant.copied(tmp_path)
    done = plant.run_tests(" ".join(sorted({test for fault in plant.FAULTS for test in fault.tests.split()})), tmp_path)
    assert done.returncode == 0, done.stdout


@pytest.mark.nightly
@pytest.mark.timeout(400)
@pytest.mark.parametrize("fault", plant.FAULTS, ids=lambda fault: fault.name)
def test_each_fault_turns_a_test_red(fault, tmp_path):
    red, line = plant.turns_red(fault, tmp_path)
    assert red, line

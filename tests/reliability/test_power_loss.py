"""The proof about power loss notices a save that does not sync, or renames too early."""

from __future__ import annotations

import pytest
from proofs import power_loss

from sagan.checkpoint import folder
from sagan.disk import DISK, atomic


def test_without_syncing_files_a_torn_newest_shows(tmp_path):
    outcome = power_loss.prove(1, 0, tmp_path, skipped={"sync_file"})
    assert outcome.facts["torn newest"] > 0
    assert any(failure.startswith("the best, ") for failure in outcome.failures)


def test_without_syncing_folders_a_finished_save_is_lost(tmp_path):
    outcome = power_loss.prove(1, 0, tmp_path, skipped={"sync_folder"})
    assert outcome.facts["torn newest"] > 0 and outcome.facts["finished saves lost"] > 0


@pytest.mark.parametrize("late", ["files", "folder"])
def test_a_name_given_too_early_shows(tmp_path, monkeypatch, late):
    def publish_early(final, files, disk=DISK):
        atomic.ensure_folder(final.parent, disk)
        temporary = final.parent / ".tmp-early"
        disk.make_folder(temporary)
        for name, payload in files.items():
            disk.write(temporary / name, payload)
            if late == "folder":
                disk.sync_file(temporary / name)
        replaced = atomic._take_name(temporary, final, disk)
        if late == "files":
            for name in files:
                disk.sync_file(final / name)
        disk.sync_folder(final)
        disk.sync_folder(final.parent)
        if replaced is not None:
            disk.remove(replaced)

    monkeypatch.setattr(folder, "publish_folder", publish_early)
    assert power_loss.prove(1, 0, tmp_path).facts["torn newest"] > 0

"""Why a picture cannot be used: short codes for programs, one line for people, and what to do about each."""

from __future__ import annotations

from dataclasses import dataclass

REMEDIES = {
    "empty": "Copy the file again: it has no bytes.",
    "not-a-picture": "Delete it, or save it again as JPEG or PNG.",
    "truncated": "Copy or download it again: its end is missing.",
    "broken": "Copy or download it again, or delete it.",
    "too-large": "Save a smaller version of it.",
    "too-costly": "Open it in a picture editor and save it again.",
    "too-thin": "Crop it by hand, or delete it.",
    "mode": "Save it again as an RGB picture.",
    "unreadable": "Check that the file still exists and that you may read it.",
    "not-a-file": "Replace it by an ordinary file.",
    "encrypted": "Make the archive again without a password.",
    "compression": "Make the archive again with ordinary (deflate) compression.",
    "unsafe-name": "Make the archive again with plain relative names.",
    "duplicate-name": "Make the archive again with one entry a name.",
    "bomb": "Leave it out of the archive: no picture unpacks to so much.",
    "sparse": "Make the archive again without holes (tar without --sparse).",
    "no-class": "Give it a class, or train without classes by --cond off.",
    "no-bytes": "Make the Parquet file again with the pictures' bytes inside.",
}


@dataclass(frozen=True)
class Fault:
    """What is wrong with one picture. code: a key of REMEDIES.  text: the same for people, without the file's name."""

    code: str
    text: str


@dataclass(frozen=True)
class Skipped:
    """A picture that was left out. where: its name in the set.  reason_code: a key of REMEDIES.  text: for people."""

    where: str
    reason_code: str
    text: str

    @property
    def remedy(self) -> str:
        """What to do about it, one sentence."""
        return REMEDIES[self.reason_code]


class Unreadable(Exception):
    """Carries a fault from a source to the scan; it never leaves the data room."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.fault = Fault(code, text)

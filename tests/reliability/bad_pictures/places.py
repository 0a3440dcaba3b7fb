"""Ordinary pictures in odd places: links, pipes, names."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable
from dataclasses import replace

from numpy.random import Generator

from bad_pictures.case import SIDE, Case, refused, used
from bad_pictures.encode import encoded, noise


def _picture(random: Generator) -> Case:
    pixels = noise(random, SIDE, SIDE, 3)
    return used(encoded(pixels), pixels)


def _beside(random: Generator, connect: Callable[[str, bytes], None]) -> list[Case]:
    """A picture outside the set, connected to a name in it."""
    case = _picture(random)

    def put(path: bytes) -> None:
        outside = os.path.join(os.path.dirname(path), b"..", b"..", b"outside-" + os.path.basename(path))
        with open(outside, "wb") as stream:
            stream.write(case.content)
        connect(os.path.realpath(outside), path)

    return [replace(case, content=put)]


def link(random: Generator, variant: int) -> list[Case]:
    return _beside(random, os.symlink)


def hard_link(random: Generator, variant: int) -> list[Case]:
    return _beside(random, os.link)


def link_loop(random: Generator, variant: int) -> list[Case]:
    return [refused(lambda path: os.symlink(os.path.basename(path), path), "unreadable")]


def dangling_link(random: Generator, variant: int) -> list[Case]:
    return [refused(lambda path: os.symlink(b"not-there-%d.png" % variant, path), "unreadable")]


def pipe(random: Generator, variant: int) -> list[Case]:
    return [refused(os.mkfifo, "not-a-file")]


def folder(random: Generator, variant: int) -> list[Case]:
    return [Case(os.mkdir, "left alone")]


def forbidden(random: Generator, variant: int) -> list[Case]:
    case = _picture(random)

    def put(path: bytes) -> None:
        with open(path, "wb") as stream:
            stream.write(case.content)
        os.chmod(path, 0)

    if os.geteuid() == 0:  # who may read everything
        return [replace(case, content=put)]
    return [refused(put, "unreadable")]


def steering_name(random: Generator, variant: int) -> list[Case]:
    """Names that could steer a terminal, or are no text at all."""
    part = (b"new\nline", b"\x1b[31mred\x1b[2J", b"\xff\xfe\x80", b"bell\x07tab\t", "\u202eoverride".encode())[
        variant % 5
    ]
    return [replace(_picture(random), name=b"%s-%d.png" % (part, variant))]


def longest_name(random: Generator, variant: int) -> list[Case]:
    return [replace(_picture(random), name=(b"n%02d" % variant).ljust(251, b"x") + b".png")]


def unicode_twins(random: Generator, variant: int) -> list[Case]:
    """Two names that look the same."""
    forms = (unicodedata.normalize(form, f"caf\u00e9-{variant}.png").encode() for form in ("NFC", "NFD"))
    return [replace(_picture(random), name=name, folder=b"boats") for name in forms]


def case_twins(random: Generator, variant: int) -> list[Case]:
    names = (b"twin-%d.png" % variant, b"TWIN-%d.PNG" % variant)
    return [replace(_picture(random), name=name, folder=b"boats") for name in names]


def leftovers(random: Generator, variant: int) -> list[Case]:
    """What operating systems leave behind."""
    name = (b"._photo-%d.jpg", b".hidden-%d.png")[variant % 2] % variant
    return [Case(b"\0\5\x16\7" + bytes(90), "left alone", name=name)]


def other_files(random: Generator, variant: int) -> list[Case]:
    return [Case(b"notes", "left alone", suffix=(".txt", ".csv", ".psd", "")[variant % 4])]


def duplicate(random: Generator, variant: int) -> list[Case]:
    return [replace(case, name=b"%s-%d.png" % (which, variant), folder=b"boats")
            for case in [_picture(random)] for which in (b"original", b"copy")]  # fmt: skip


def duplicate_across_classes(random: Generator, variant: int) -> list[Case]:
    case = _picture(random)
    return [replace(case, name=b"across-%d.png" % variant, folder=folder) for folder in (b"barns", b"boats")]


KINDS = (
    link, hard_link, link_loop, dangling_link, pipe, folder, forbidden, steering_name, longest_name, unicode_twins,
    case_twins, leftovers, other_files, duplicate, duplicate_across_classes,
)  # fmt: skip

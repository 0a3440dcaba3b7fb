"""What can be exported to. Every form makes files of a folded generator and opens such files again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagan.engines.fold import Folded
from sagan.errors import ConfigError
from sagan.workflows.exporting import data_file, onnx_file, openvino_file, page_file
from sagan.workflows.exporting.comparing import Draw
from sagan.workflows.exporting.record import ExportRecord, Form


@dataclass(frozen=True)
class Way:
    """A form. suffixes: of its files, the one that names the export last, as it is written last.

    maps: whether it always gives attention maps; else they are an option.
    require, make, open_files: see the modules of the forms.
    """

    suffixes: tuple[str, ...]
    maps: bool
    require: Callable[[], None]
    make: Callable[..., tuple[dict[str, bytes], Any]]
    open_files: Callable[[Mapping[str, bytes], Path, int], tuple[ExportRecord, Draw]]

    @property
    def suffix(self) -> str:
        return self.suffixes[-1]

    def files(
        self, folded: Folded, record: ExportRecord, where: Path, content: Any = None
    ) -> tuple[dict[str, bytes], Any]:
        """Files by suffix, in the order in which they are written; and what to give back when only the record changes."""
        made, content = self.make(folded, record, where, content)
        return {suffix: made[suffix] for suffix in self.suffixes}, content


WAYS: dict[Form, Way] = {
    "onnx": Way((".onnx",), False, onnx_file.require, onnx_file.make, onnx_file.open_files),
    "openvino": Way(
        (".bin", ".json", ".xml"), False, openvino_file.require, openvino_file.make, openvino_file.open_files
    ),
    "safetensors": Way((".json", ".safetensors"), True, data_file.require, data_file.make, data_file.open_files),
    "web": Way((".html",), True, page_file.require, page_file.make, page_file.open_files),
}


def way_of(file: Path) -> Way:
    """The form of a file by its name. Raises ConfigError."""
    for way in WAYS.values():
        if file.suffix.lower() == way.suffix:
            return way
    known = ", ".join(way.suffix for way in WAYS.values())
    raise ConfigError("this is no export by its name", where=file, remedy=f"Name a file that ends in {known}.")

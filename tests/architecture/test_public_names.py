"""The public names: exactly the promised ones, each where the package says it is, each explained."""

from __future__ import annotations

import ast
import importlib.metadata
import inspect

import pytest

import sagan

# Growing or shrinking this list is a decision about the library's promise to its users.
PROMISED = [
    "RunConfig", "SaganError", "SelfAttention2d", "SpectralNorm", "attention_weights", "build_discriminator",
    "build_generator", "draw", "from_pretrained", "open_generator", "open_run", "preset", "save_pretrained", "train",
]  # fmt: skip


def test_the_list_is_the_promised_one():
    assert sagan.__all__ == PROMISED


@pytest.mark.parametrize("name", PROMISED)
def test_every_name_can_be_used_and_is_explained(name):
    thing = getattr(sagan, name)
    assert callable(thing)
    assert inspect.getdoc(thing), f"sagan.{name} has no docstring"


def test_type_checkers_and_the_running_package_are_told_the_same(modules):
    tree = modules["__init__.py"]
    block = next(node for node in tree.body if isinstance(node, ast.If))
    assert ast.unparse(block.test) == "TYPE_CHECKING"
    told = {alias.name: node.module for node in block.body for alias in node.names}
    assert told == sagan._HOMES
    assert sorted(told) == PROMISED


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'attend_to'"):
        sagan.attend_to  # noqa: B018


def test_the_names_are_listed_for_completion():
    assert set(PROMISED) <= set(dir(sagan))


def test_the_version_is_the_installed_one():
    try:
        installed = importlib.metadata.version("sagan-torch")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("sagan-torch is not installed; it runs from its source folder")
    assert installed == sagan.__version__

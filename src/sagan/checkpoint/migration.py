"""Old records made new, in memory; the files themselves are never touched.

Every record carries the number of the schema it was written with. A table holds one step for each older schema, which
takes a record of that schema to the next one; steps follow each other up to the newest. Once released, a step stays for
ever, as does the folder of files that proves it (tests/contracts/formats).

    GENERATOR    the record in a generator file
    MANIFEST     the manifest of a checkpoint, and with it the checkpoint's other files
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sagan.errors import CheckpointCorrupt, CheckpointIncompatible

Facts = dict[str, Any]
Steps = Mapping[int, Callable[[Facts], Facts]]


def migrate(facts: Facts, key: str, steps: Steps, where: object) -> Facts:
    """`facts` in the newest schema. key: the name under which it stands.

    Raises CheckpointCorrupt when it is no number; CheckpointIncompatible for a schema of the future.
    """
    check_schema(facts.get(key), facts.get("library"), latest(steps), where)
    for version in range(facts[key], latest(steps)):
        facts = {**steps[version](facts), key: version + 1}
    return facts


def latest(steps: Steps) -> int:
    """The schema that a table of steps leads to."""
    return max(steps) + 1


def check_schema(schema: Any, library: Any, newest_known: int, where: object) -> None:
    """Refuse a schema of the future, saying which version of the library reads it."""
    if type(schema) is not int or schema < 1:
        raise CheckpointCorrupt(f"schema is {str(schema)[:32]!r}", where=where)
    if schema > newest_known:
        raise CheckpointIncompatible(
            f"written with schema {schema} by sagan {str(library)[:32]}; this version reads up to {newest_known}",
            where=where,
            remedy=f"Install sagan {str(library)[:32]} or newer.",
        )


def _without_channels(facts: Facts) -> Facts:
    """Schema 1 said `channels: 3` beside the model, whose own `channels` came later and may be 1, 3 or 4."""
    if facts.get("channels", 3) != 3:
        return facts  # schema 1 had no other value: left in place, so that the record's check names it
    return {key: value for key, value in facts.items() if key != "channels"}


def _unchanged(facts: Facts) -> Facts:
    """Schema 2 of a checkpoint may hold `rollbacks` in its state.json; the manifest itself is the same."""
    return facts


def _new_options(facts: Facts) -> Facts:
    """Schema 3 of a generator's model may have `d_shortcut`, `g_up` and `layout`; without them it is as before."""
    return facts


def _latent_options(facts: Facts) -> Facts:
    """Schema 4 of a generator's model may have `g_latent` and `g_class_spread`; without them it is as before."""
    return facts


GENERATOR: Steps = {1: _without_channels, 2: _new_options, 3: _latent_options}
MANIFEST: Steps = {1: _unchanged}

"""One run as one record: the rooms' records put together.

Option names are unique over all records, so that each has one flat name in Python, in TOML and on the command line:

    override(config, g_lr=2e-4)          [training]                  --g-lr 2e-4
                                         g_lr = 2e-4

A record remembers which options somebody set and which were filled in (pydantic's `model_fields_set`). Changing one
fills the rest in again: `override(preset("sagan-32"), resolution=64)` has the published widths and attention of 64,
while a width that a preset or a person set stays. A record read back from a run has every option set, so nothing in it
moves.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any, NamedTuple, cast

from pydantic import Field, TypeAdapter, ValidationError, model_validator
from pydantic.fields import FieldInfo

from sagan.config.words import config_error, show, unknown
from sagan.data.config import DataConfig, stream_path
from sagan.errors import ConfigError
from sagan.models.config import ModelConfig
from sagan.records import Record, Resume, option
from sagan.training.config import OutputConfig, TrainingConfig


class RunConfig(Record):
    """Everything that decides a training run. Make one with `sagan.preset`, `from_toml` or `override`."""

    preset: str = option("", "Name of the preset that the options started from.", resume="free")
    data: DataConfig = Field(default_factory=DataConfig)
    model: ModelConfig = Field(default_factory=ModelConfig)
    training: TrainingConfig = Field(default_factory=TrainingConfig)
    output: OutputConfig = Field(default_factory=OutputConfig)

    @model_validator(mode="after")
    def _values_can_be_stored(self) -> RunConfig:
        for name, value in flatten(self).items():
            parts = value if isinstance(value, tuple) else (value,)
            if any(isinstance(part, int) and abs(part) >= 2**63 for part in parts):
                raise ConfigError(f"{name} is {show(value)}", remedy="Whole numbers have at most 63 bits.")
            if isinstance(value, str) and "\0" in value:
                raise ConfigError(f"{name} is {show(value)}", remedy="No name holds a zero byte.")
        return self

    @model_validator(mode="after")
    def _groups_divide_the_batch(self) -> RunConfig:
        part, group = self.training.batch_size // self.training.grad_accum, self.model.bn_group
        if 0 < group < part and part % group:  # a last, smaller group would have worse statistics than the others
            raise ConfigError(
                f"bn_group {group} does not divide the {part} pictures that pass through a network at once",
                remedy="Change bn_group, batch_size or grad_accum; bn_group 0 takes the whole batch.",
            )
        return self

    @model_validator(mode="after")
    def _streams_are_not_counted(self) -> RunConfig:
        if stream_path(self.data.data) is not None:
            for name, asked in (("balance", self.data.balance), ("fake_labels", self.training.fake_labels == "data")):
                if asked:
                    raise ConfigError(
                        f"{name} needs the pictures of each class counted, and those of a stream are not",
                        remedy=f"Leave out {name}; or train from files.",
                    )
        return self

    @model_validator(mode="after")
    def _penalties_see_one_picture(self) -> RunConfig:
        if self.training.penalised and self.model.d_norm == "batch":
            raise ConfigError(
                "gp, r1 and r2 look at the gradient of one picture's logit, and d_norm batch mixes pictures",
                remedy="Use d_norm layer or none with a penalty (WGAN-GP, section 4).",
            )
        return self


TABLES: dict[str, type[Record]] = {
    "data": DataConfig,
    "model": ModelConfig,
    "training": TrainingConfig,
    "output": OutputConfig,
}


class Slot(NamedTuple):
    """Where an option lives: its table ("" for the top of the file) and its field."""

    table: str
    field: FieldInfo


SLOTS: dict[str, Slot] = {"preset": Slot("", RunConfig.model_fields["preset"])} | {
    name: Slot(table, field) for table, record in TABLES.items() for name, field in record.model_fields.items()
}


class Change(NamedTuple):
    """One option that differs between two records."""

    name: str
    old: Any
    new: Any
    resume: Resume


def option_classes() -> dict[str, Resume]:
    """What may happen to each option when a run is resumed: free, schedule or structural (see `sagan.records`)."""
    extras = {name: cast(dict[str, Any], slot.field.json_schema_extra) for name, slot in SLOTS.items()}
    return {name: cast(Resume, extra["resume"]) for name, extra in extras.items()}


def flatten(config: RunConfig, *, only_set: bool = False) -> dict[str, Any]:
    """Every option of a record by its flat name; with `only_set`, those that a preset, a file or a person set."""
    nested = config.model_dump(exclude_unset=only_set)
    return {
        name: nested[name] if slot.table == "" else nested[slot.table][name]
        for name, slot in SLOTS.items()
        if name in (nested if slot.table == "" else nested.get(slot.table, {}))
    }


def build(options: Mapping[str, Any], *, origin: Mapping[str, str] | None = None) -> RunConfig:
    """A complete record from flat options; what they leave out is filled in.

    origin: for error messages, where an option came from (a file and its table), by option name.
    Raises ConfigError with one line: the option, its value, what it must be.
    """
    nested: dict[str, Any] = {table: {} for table in TABLES}
    for name, value in options.items():
        if name not in SLOTS:
            raise unknown("option", name, SLOTS)
        table = SLOTS[name].table
        (nested[table] if table else nested)[name] = value
    try:
        return RunConfig.model_validate({key: value for key, value in nested.items() if value != {}})
    except ValidationError as error:
        fields = {name: slot.field for name, slot in SLOTS.items()}
        raise config_error(error, fields, options, origin) from None


def loosely(options: Mapping[str, Any]) -> dict[str, Any]:
    """Those of some options, by flat name, that are right by themselves, as the record would hold them: '32' -> 32.

    For whoever must know what was asked for before there is a whole record. `build` says what is wrong with the others.
    """
    found = {}
    for name, value in options.items():
        if name not in SLOTS:
            continue
        field = SLOTS[name].field
        limited: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
        with suppress(ValidationError):
            found[name] = TypeAdapter(limited).validate_python(value)
    return found


def override(config: RunConfig, /, **options: Any) -> RunConfig:
    """`config` with some options changed, by flat name; options that nobody set are filled in again."""
    return build(flatten(config, only_set=True) | options)


def difference(old: RunConfig, new: RunConfig) -> list[Change]:
    """The options whose values differ, in the order of the record."""
    before, after, classes = flatten(old), flatten(new), option_classes()
    return [Change(name, before[name], after[name], classes[name]) for name in SLOTS if before[name] != after[name]]

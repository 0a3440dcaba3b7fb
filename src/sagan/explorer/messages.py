"""What requests may say, and the JSON that goes back. Unknown names, and numbers out of bounds, are refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from sagan.records import Record

MOST_PICTURES = 64
MOST_POINTS = 64

Seed = Annotated[int, Field(ge=0, lt=2**63, strict=True)]
Id = Annotated[str, Field(max_length=64, pattern=r"^[a-z0-9-]+$")]
Class = Annotated[str, Field(max_length=512)] | Annotated[int, Field(ge=0, lt=2**31, strict=True)]
Truncation = Annotated[float, Field(ge=0, le=100)]
Pixel = Annotated[int, Field(ge=0, lt=2**15, strict=True)]
Layer = Annotated[str, Field(max_length=64)]

CHECKPOINT = "Id of a checkpoint, from /api/v1/facts; the newest one when left out."


class Generate(Record):
    """Pictures as `sagan sample` draws them."""

    checkpoint: Id | None = Field(None, description=CHECKPOINT)
    seeds: Annotated[list[Seed], Field(min_length=1, max_length=MOST_PICTURES)] = Field(description="One a picture.")
    classes: Class | Annotated[list[Class], Field(max_length=MOST_PICTURES)] | None = Field(
        None, description="One class, by name or number, for all, or a list with one a seed; else what each seed draws."
    )
    truncation: Truncation = Field(0.0, description="Draw latents again beyond this bound; 0 for none.")
    format: Literal["png", "webp", "npz"] = Field("png", description="webp is lossless; npz holds the exact bytes too.")
    arrange: Literal["list", "sheet"] = Field(
        "list", description="list: one picture is a file, several are JSON with base64; sheet: one file, 8 in a row."
    )
    exact: bool = Field(True, description="The same seed gives the same pixels whatever else is drawn beside it.")


class GeneratedPicture(Record):
    """One of several pictures."""

    seed: int
    label: int
    name: str | None = Field(description="The class's name; null without classes.")
    data: str = Field(description="The file, in base64.")


class Generated(Record):
    """Several pictures."""

    media_type: str
    pictures: list[GeneratedPicture]


class Look(Record):
    """A picture that attention is asked about: a generated one, or one that was uploaded."""

    checkpoint: Id | None = Field(None, description=CHECKPOINT)
    network: Literal["G", "D"] = Field("G", description="Whose attention: the generator's or the discriminator's.")
    picture: Id | None = Field(None, description="An uploaded picture; network must be D. In place of the seed.")
    seed: Seed = 0
    label: Class | None = Field(None, description="Class by name or number; else what the seed draws.")
    truncation: Truncation = 0.0
    towards: Seed | None = Field(None, description="A second seed, to look at what lies between.")
    towards_label: Class | None = Field(None, description="A second class.")
    share: Annotated[float, Field(ge=0, le=1)] = Field(0.0, description="How far on the way to the second.")


class Rows(Look):
    """Attention rows of some places."""

    layer: Layer = Field(description="Such as G.attention@32, from /api/v1/facts.")
    points: Annotated[list[tuple[Pixel, Pixel]], Field(min_length=1, max_length=MOST_POINTS)] = Field(
        description="Pixels [x, y] from the top left."
    )


class RowsAnswer(Record):
    """maps: for each point, rows of the key map; they sum to one."""

    layer: str
    gamma: float
    points: list[tuple[int, int]]
    maps: list[list[list[float]]]


class Figure(Look):
    """The figure of `sagan attend`."""

    layers: Annotated[list[Layer], Field(max_length=16)] = Field([], description="All when empty.")
    points: Annotated[list[tuple[Pixel, Pixel]], Field(min_length=1, max_length=16)]
    format: Literal["png", "npz"] = "png"


class Grid(Record):
    """A few pictures in one file, of which the attention is kept: looking at one of them then costs nothing."""

    checkpoint: Id | None = Field(None, description=CHECKPOINT)
    seeds: Annotated[list[Seed], Field(min_length=1, max_length=16)]
    label: Class | None = None
    truncation: Truncation = 0.0


class Uploaded(Record):
    """id: names the picture from now on."""

    id: str


class Trouble(Record):
    """Why a request was not answered, in one line."""

    detail: str


class CheckpointFacts(Record):
    id: str
    step: int | None


class LayerFacts(Record):
    name: str
    map: int = Field(description="Side of the map of queries.")


class Facts(Record):
    """What is served."""

    name: str
    version: str
    resolution: int
    channels: int
    z_dim: int
    classes: list[str]
    step: int
    checkpoints: list[CheckpointFacts]
    best: str | None
    newest: str
    layers: list[LayerFacts]
    run: bool = Field(description="Whether there is a log and grids, at /api/v1/run.")
    palette: list[str] = Field(description="Colours of points, as #rrggbb.")
    warnings: list[str]


class RunFacts(Record):
    """How a run goes."""

    verdict: str
    step: int
    images: int
    seconds: float
    steps: list[int]
    columns: dict[str, list[float | None]]
    grids: list[int]
    checkpoints: list[int]


class Health(Record):
    status: Literal["ok"] = "ok"


def first_fault(errors: list[dict[str, Any]]) -> str:
    """One line for the faults that pydantic found in a body."""
    if not errors:
        return "the body is not what it should be"
    place = ".".join(str(part) for part in errors[0].get("loc", ()) if part != "body")
    return f"{place or 'body'}: {errors[0].get('msg', 'is not valid')}"

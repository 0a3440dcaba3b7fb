"""What each verb of the command line takes, beside the recorded options of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from pydantic import Field, ValidationError

from sagan.config import config_error
from sagan.presets.assemble import DEFAULT_PRESET
from sagan.records import Record

R = TypeVar("R", bound=Record)


class TrainWords(Record):
    """`sagan train`."""

    preset: str | None = Field(
        None,
        description="What to start from: auto, the default, chooses by your pictures and this machine; `sagan presets`"
        " lists the others.",
    )
    config: str | None = Field(None, description="A TOML file of options, such as the run.toml of a run.")
    resume: str = Field("auto", description="auto goes on where the run's folder stopped; off starts anew; or a PATH.")
    override: bool = Field(False, description="Allow a resumed run another schedule, such as other learning rates.")
    accept_data_change: bool = Field(False, description="Allow a resumed run other pictures, with as many classes.")
    dry_run: bool = Field(False, description="Print the whole record and what the run would cost, and stop.")


class SampleWords(Record):
    """`sagan sample`."""

    source: str = Field(description="A run's folder, a checkpoint, a generator.safetensors, or hf:user/name.")
    n: int = Field(64, description="How many pictures, with seeds from 0 (-n).", ge=1, le=1_000_000)
    seeds: str | None = Field(None, description="Which pictures, such as 0-63 or 3,7,11; in place of -n.")
    seeds_from: str | None = Field(None, description="A list of liked seeds, such as the explorer's, in place of -n.")
    classes: str | None = Field(None, description="Which classes, by number or name, such as 0,3; or all.")
    mix: str | None = Field(None, description="One mixture of classes for all pictures, such as cat:2,dog:1.")
    trunc: float = Field(0.0, description="Draw latents again beyond this bound, such as 0.7; 0 for none.", ge=0)
    keep_best: float = Field(
        1.0, description="Draw more and keep this share, by the discriminator's logit; 1 keeps all.", gt=0, le=1
    )
    stats: str = Field(
        "running", description="Of the batch norms: running (of training), standing, or standing:16x64 (batches)."
    )
    latents: str | None = Field(None, description="A file of latents in place of seeds, as sagan project writes.")
    direction: str | None = Field(None, description="Move along FILE:INDEX:STRENGTH, as sagan directions writes.")
    out: str | None = Field(None, description="File or folder to write (-o).")
    format: Literal["grid", "png", "npz"] = Field("grid", description="One grid, single pictures, or an array.")
    engine: Literal["torch", "live", "onnxruntime", "openvino"] = Field(
        "torch", description="What computes: torch, prepared (torch) or as in training (live); or a compiled engine."
    )
    precision: Literal["auto", "fp32", "bf16"] = Field("auto", description="auto takes bf16 where hardware has it.")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:N or mps.")


class AttendWords(Record):
    """`sagan attend`."""

    source: str = Field(description="A run's folder, a checkpoint, a generator.safetensors, or hf:user/name.")
    seed: int = Field(0, description="Which picture.", ge=0, lt=2**63)
    label: str | None = Field(None, description="Its class, by number or name.")
    trunc: float = Field(0.0, description="Draw latents again beyond this bound, such as 0.7; 0 for none.", ge=0)
    at: tuple[int, ...] | None = Field(None, description="Look from pixel X,Y; may be given several times.")
    points: int = Field(5, description="How many points to pick when none is given.", ge=1, le=64)
    layer: tuple[str, ...] | None = Field(None, description="Attention layers, such as G.attention@32; all otherwise.")
    image: str | None = Field(None, description="A real picture: what the discriminator looks at (needs the run).")
    out: str | None = Field(None, description="File to write (-o).")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:N or mps.")


class InterpolateWords(Record):
    """`sagan interpolate`."""

    source: str = Field(description="A run's folder, a checkpoint, a generator.safetensors, or hf:user/name.")
    seeds: str | None = Field(None, description="Where the way leads, such as 5,9,2; 0-3 when nothing else is named.")
    latents: str | None = Field(None, description="A file of latents where the way begins, as sagan project writes.")
    classes: str | None = Field(None, description="One class, or one for each seed, by number or name.")
    frames: int | None = Field(
        None, description="Pictures from one seed to the next; 24 in a film, 7 in a strip.", ge=1
    )
    fps: float = Field(24.0, description="Pictures a second of a film.", gt=0)
    loop: bool = Field(False, description="Go on from the last seed to the first.")
    bend: Literal["sphere", "line"] = Field("sphere", description="Along the sphere of latents, or straight.")
    trunc: float = Field(0.0, description="Draw latents again beyond this bound, such as 0.7; 0 for none.", ge=0)
    at: tuple[int, ...] | None = Field(None, description="Show attention from pixel X,Y; may be given several times.")
    layer: str | None = Field(None, description="Which attention layer, such as G.attention@32; the first otherwise.")
    size: int = Field(256, description="Least side of a film's pictures, in pixels.", ge=8, le=2048)
    out: str | None = Field(None, description="File to write (-o): .gif, .webp, .apng or .mp4, or .png for a strip.")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:N or mps.")


class DirectionsWords(Record):
    """`sagan directions`."""

    source: str = Field(description="A run's folder, a checkpoint, a generator.safetensors, or hf:user/name.")
    method: Literal["principal", "closed-form"] = Field(
        "principal", description="Of a layer's maps over many latents, or of the first layer's weight alone."
    )
    layer: int | None = Field(
        None, description="Whose maps, 1 otherwise: 0 is the first linear layer, then come the blocks.", ge=0, le=64
    )
    count: int = Field(8, description="How many directions.", ge=1, le=64)
    seeds: str = Field("0-2", description="Which pictures to move, such as 0-2 or 5,9.")
    label: str | None = Field(None, description="Their class, by number or name; directions are then those of it.")
    trunc: float = Field(0.0, description="Draw latents again beyond this bound, such as 0.7; 0 for none.", ge=0)
    reach: float = Field(3.0, description="How far to go, in standard deviations of a latent.", gt=0, le=20)
    steps: int = Field(7, description="Pictures in a row of the sheet.", ge=2, le=33)
    out: str | None = Field(None, description="The sheet, a .png (-o); the directions lie beside it as .safetensors.")
    film: str | None = Field(None, description="A film of one direction: .gif, .webp, .apng or .mp4.")
    index: int = Field(0, description="Which direction the film shows.", ge=0, le=63)
    fps: float = Field(24.0, description="Pictures a second of the film.", ge=0.1, le=120)
    size: int = Field(128, description="Least side of a film's pictures, in pixels.", ge=8, le=2048)
    device: str = Field("auto", description="auto, cpu, cuda, cuda:N or mps.")


class TimelapseWords(Record):
    """`sagan timelapse`."""

    run: str = Field(description="A run's folder.")
    fps: float = Field(8.0, description="Grids a second.", gt=0)
    frames: int = Field(240, description="So many grids at most, spread over the run.", ge=2, le=5000)
    out: str | None = Field(None, description="File to write (-o): .gif, .webp, .apng or .mp4.")


class EvaluateWords(Record):
    """`sagan evaluate`."""

    source: str = Field(
        description="A run's folder, a checkpoint, a generator.safetensors, hf:user/name, or a folder of pictures."
    )
    data: str | None = Field(
        None, description="The real pictures, as `sagan train` takes them; the run's own otherwise."
    )
    metrics: str = Field("frechet,kid,is,prdc,intra,cas", description="Which, separated by commas.")
    features: str = Field(
        "sagan-32", description="What compares: sagan-32, inception:FILE, onnx:FILE, or MODULE:FUNCTION of your own."
    )
    n: int = Field(10_000, description="How many pictures to draw (-n), or to take of a folder.", ge=2, le=1_000_000)
    real: int = Field(0, description="How many real pictures at most; 0 for all.", ge=0)
    seed: int = Field(0, description="Another seed is another sample.", ge=0, lt=2**32)
    against: str | None = Field(
        None, description="An earlier result, to show the change; refused if measured otherwise."
    )
    out: str | None = Field(None, description="JSON file to write (-o).")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:N or mps.")


class LeakWords(Record):
    """`sagan leak`."""

    source: str = Field(
        description="A run's folder, a checkpoint, a generator.safetensors, hf:user/name, or a folder of pictures."
    )
    data: str | None = Field(None, description="The training pictures; the run's own otherwise.")
    n: int = Field(1000, description="How many pictures to draw (-n), or to take of a folder.", ge=1, le=100_000)
    baseline: int = Field(
        2000, description="How many training pictures to look up in the same way.", ge=100, le=100_000
    )
    seed: int = Field(0, description="Another seed is another sample.", ge=0, lt=2**32)
    out: str | None = Field(None, description="The page of the nearest pairs, an HTML file (-o).")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:N or mps.")


class TruncationWords(Record):
    """`sagan truncation`."""

    source: str = Field(description="A run's folder, a checkpoint, a generator.safetensors, or hf:user/name.")
    data: str | None = Field(None, description="The real pictures; the run's own otherwise.")
    trunc: str = Field("0.3,0.5,0.7,1,1.5,2,none", description="The bounds to measure at; none is no truncation.")
    features: str = Field("sagan-32", description="What compares, as in sagan evaluate.")
    n: int = Field(5000, description="How many pictures to draw at each bound (-n).", ge=10, le=1_000_000)
    real: int = Field(0, description="How many real pictures at most; 0 for all.", ge=0)
    seed: int = Field(0, description="Another seed is another sample.", ge=0, lt=2**32)
    stats: str = Field(
        "running", description="Of the batch norms: running (of training), standing, or standing:16x64 (batches)."
    )
    out: str | None = Field(None, description="JSON file to write (-o); the figure lies beside it as .png.")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:N or mps.")


class NeighboursWords(Record):
    """`sagan neighbours`."""

    source: str = Field(description="A run's folder, a checkpoint, a generator.safetensors, or hf:user/name.")
    data: str | None = Field(None, description="The training pictures; the run's own otherwise.")
    seeds: str = Field("0-7", description="Which pictures, such as 0-7 or 3,7,11.")
    classes: str | None = Field(None, description="Which classes, by number or name, such as 0,3; or all.")
    trunc: float = Field(0.0, description="Draw latents again beyond this bound, such as 0.7; 0 for none.", ge=0)
    k: int = Field(4, description="How many neighbours of each kind.", ge=1, le=8)
    out: str | None = Field(None, description="The sheet, a PNG file (-o).")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:N or mps.")


class ProjectWords(Record):
    """`sagan project`."""

    source: str = Field(description="A run's folder, a checkpoint, a generator.safetensors, or hf:user/name.")
    picture: str = Field(description="The picture to look for.")
    label: str | None = Field(None, description="Its class, by number or name; several are tried otherwise.")
    starts: int = Field(12, description="From how many places to start.", ge=1, le=64)
    steps: int = Field(300, description="Steps of descent; the better half of the starts goes on.", ge=1, le=10_000)
    search: int = Field(1000, description="Random pictures of which the nearest are the starts.", ge=1, le=100_000)
    out: str | None = Field(None, description="The figure, a PNG (-o); the latent lies beside it as .safetensors.")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:N or mps.")


class ExploreWords(Record):
    """`sagan explore`."""

    source: str = Field(description="A run's folder, a checkpoint, a generator.safetensors, or hf:user/name.")
    host: str = Field("127.0.0.1", description="Address to listen on; the default is reached from this machine only.")
    port: int = Field(8765, description="Port to listen on; 0 takes a free one.", ge=0, le=65535)
    name: tuple[str, ...] | None = Field(None, description="A further name under which others reach this machine.")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:N or mps.")


class CheckWords(Record):
    """`sagan data check`."""

    resolution: int | None = Field(None, description="Side of the square pictures, as training would make them.", ge=1)
    channels: int = Field(3, description="1 for grey, 3 for RGB, 4 for RGB with transparency.", ge=1, le=4)
    out: str | None = Field(None, description="Where to write the preview (-o).")
    report: str | None = Field(
        None, description="Where to write all that is left out, and why, one JSON object a line."
    )


class PackWords(Record):
    """`sagan data pack`."""

    resolution: int | None = Field(None, description="Side of the square pictures, as training will ask it.", ge=1)
    channels: int = Field(3, description="1 for grey, 3 for RGB, 4 for RGB with transparency.", ge=1, le=4)
    out: str | None = Field(None, description="The folder to make (-o); PICTURES-RESOLUTION.pack otherwise.")


class VerifyWords(Record):
    """`sagan verify`."""

    run: str = Field(description="A run's folder, one checkpoint inside it, a generator.safetensors, or a pack.")


class DoctorWords(Record):
    """`sagan doctor`."""

    run: str = Field(description="A run's folder, or one checkpoint inside it.")


class ImportWords(Record):
    """`sagan import`."""

    source: str = Field(description="A foreign file or a folder of them; or the word inception, then its file.")
    file: str | None = Field(None, description="The file of the network, after the word inception.")
    out: str | None = Field(None, description="Folder to write (-o); for inception a .safetensors file.")
    d_pool: Literal["sum", "mean"] | None = Field(
        None, description="How its discriminator pools, where no tensor tells."
    )
    d_shortcut: Literal["plain", "rectified"] | None = Field(
        None, description="Whether its discriminator's ReLU worked in place (rectified), where no tensor tells."
    )


class PushWords(Record):
    """`sagan push`."""

    source: str = Field(
        description="A run's folder, a checkpoint, a generator.safetensors, or a folder to share as it is."
    )
    name: str = Field(description="Where to on the Hub: user/name.")
    private: bool = Field(False, description="Nobody else may see it; refused where it is there already and public.")
    message: str = Field("Upload a generator with sagan", description="What the commit says.", min_length=1)
    licence: str | None = Field(None, description="For the card, as the Hub calls it, such as cc-by-4.0.")
    discriminator: bool = Field(True, description="With what it was trained against, for others to train on from.")
    dry_run: bool = Field(False, description="Send nothing: write the folder, and list what would go.")
    out: str | None = Field(None, description="Folder to write in a dry run (-o); shared/NAME otherwise.")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:N or mps.")


class PullWords(Record):
    """`sagan pull`."""

    name: str = Field(description="A model on the Hub: user/name, or user/name@revision.")
    out: str | None = Field(None, description="Folder to write (-o); pulled/NAME otherwise.")


class ExportWords(Record):
    """`sagan export`."""

    source: str = Field(description="A run's folder, a checkpoint, or a generator.safetensors.")
    to: Literal["onnx", "openvino", "safetensors", "web"] = Field(
        "onnx", description="A model for ONNX or OpenVINO, numbers and a record for others, or a page that draws."
    )
    out: str | None = Field(None, description="File to write (-o); generator.onnx and the like otherwise.")
    attention: bool = Field(False, description="Give the attention maps too; the last two always have them.")
    check: str | None = Field(None, description="Prove this export against the source, and write nothing.")


class BenchWords(Record):
    """`sagan bench`."""

    preset: str = Field(DEFAULT_PRESET, description="What to time; `sagan presets` lists them.")
    rounds: int = Field(5, description="Steps that are timed, after one that is not.", ge=1, le=1000)


class AblateWords(Record):
    """`sagan ablate`."""

    preset: str | None = Field(None, description="What the rows start from; `sagan presets` lists them.")
    config: str | None = Field(None, description="A TOML file of options, such as the run.toml of a run.")
    rows: tuple[str, ...] | None = Field(
        None, description="Which questions: attention, spectral, rates, losses; all otherwise."
    )
    seeds: int = Field(3, description="How many seeds a row has, from --seed on.", ge=1, le=100)
    jobs: int = Field(0, description="Cells at a time; 0 for one a core, or one on an accelerator.", ge=0, le=256)
    out: str = Field("runs/ablation", description="The folder of the ablation; the same command goes on there (-o).")
    dry_run: bool = Field(False, description="Print the rows, the cells and how long they would take, and stop.")


class CompareWords(Record):
    """`sagan compare`."""

    runs: tuple[str, ...] = Field(description="Folders of runs, at least two.")
    out: str | None = Field(None, description="The page to write; compare.html otherwise (-o).")


def checked(record: type[R], words: Mapping[str, Any]) -> R:
    """The record of a verb's words; raises ConfigError in one line."""
    try:
        return record.model_validate(dict(words))
    except ValidationError as error:
        raise config_error(error, record.model_fields, words) from None

"""The model card: what to publish beside a generator, from the facts that its run, or its file alone, has kept.

The front matter is what Hugging Face's hub reads (github.com/huggingface/hub-docs, modelcard.md). What comes from outside
stands there in JSON's quotes alone, which YAML reads as the same text, so that no name of a class or folder can become
YAML; in the text such names are escaped. The licence is left to whoever publishes: it depends on the pictures.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sagan.checkpoint.generator_file import GeneratorRecord
from sagan.config import RunConfig
from sagan.errors import printable
from sagan.workflows.estimate import duration
from sagan.workflows.happenings import Score

CARD = "MODEL_CARD.md"
SHOWN_CLASSES = 20
MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|<>~$&-])")


@dataclass(frozen=True)
class Sharing:
    """How a card that goes out with its generator differs from the one that lies in a run.

    name: what the reader opens: a name on the Hub, or the generator's file.  licence: a checked identifier, '' for none yet.
    pictures: (file beside the card, what it shows).  options: the file of all options, '' where they are not known.
    """

    name: str = "generator.safetensors"
    licence: str = ""
    pictures: tuple[tuple[str, str], ...] = ()
    options: str = "run.toml"


IN_A_RUN = Sharing()


def model_card(
    name: str,
    config: RunConfig,
    data: Mapping[str, Any],
    machine: Mapping[str, Any],
    last: Mapping[str, float],
    scores: Sequence[Score],
    leak: Sequence[tuple[str, str]],
    shown: Sequence[tuple[str, str]],
    sharing: Sharing = IN_A_RUN,
) -> str:
    """The card of a run as Markdown.

    data, machine: data.json and environment.json.  last: the last value of every name in the log.  leak: rows, the verdict
    first, or none.  shown: the options that matter, as (name, value).
    """
    parts = [
        _front(name, bool(data["classes"]), str(data["name"]), scores, sharing),
        f"# {plain(name)}\n",
        f"A generator of {data['resolution']}x{data['resolution']} pictures: a self-attention GAN in the sense of"
        f" arXiv:1805.08318, trained with sagan {plain(machine['sagan'])}.\n",
        *_shown(sharing),
        f"## Trained on\n\n{_pictures(data)}\n",
        f"## How\n\n{_training(config, last, machine)}\n",
        _table(("option", "value"), shown),
        f"All options stand in `{sharing.options}`.\n",
        f"## Scores\n\n{_scores(scores)}\n",
        f"## Copies of training pictures\n\n{_leak(leak)}\n",
        f"## Limits\n\n{_limits('{:,} training pictures'.format(data['pictures']), data['resolution'])}\n",
        f"## How to draw from it\n\n{_sampling(bool(data['classes']), sharing)}",
    ]
    return "\n".join(parts)


def card_of_file(name: str, record: GeneratorRecord, origin: Sequence[str], sharing: Sharing) -> str:
    """The card of a generator whose run is not at hand, such as an imported one: what its record says, and no more.

    origin: lines on where it came from.
    """
    classes, side = record.classes, record.model.resolution
    source = plain(record.data_name) or "pictures that its record does not name"
    parts = [
        _front(name, bool(classes), record.data_name, (), sharing),
        f"# {plain(name)}\n",
        f"A generator of {side}x{side} pictures: a self-attention GAN in the sense of arXiv:1805.08318, written by sagan"
        f" {plain(record.library)}.\n",
        *_shown(sharing),
        f"## Trained on\n\n{source[:1].upper()}{source[1:]}; {_classes(classes)}.\n",
        f"## How\n\n{record.step:,} steps. How it was trained is not recorded here.\n",
        *([_list(origin) + "\n"] if origin else []),
        f"## Scores\n\n{_scores(())}\n",
        f"## Copies of training pictures\n\n{_leak(())}\n",
        f"## Limits\n\n{_limits('training pictures', side)}\n",
        f"## How to draw from it\n\n{_sampling(bool(classes), sharing)}",
    ]
    return "\n".join(parts)


NO_LICENCE = "# license: choose one that the training pictures allow, for example cc-by-4.0, before you publish"
FRONT = """---
{licence}
library_name: sagan
pipeline_tag: unconditional-image-generation
tags:
- gan
- sagan
- self-attention
- image-generation
- pytorch
- safetensors
- {kind}
{results}---
"""
SAMPLING = """```
sagan sample {name} -n 64{classes} -o samples.png
sagan attend {name} --seed 7 -o attention.png
```

```python
import sagan

opened = sagan.open_generator("{name}")
pictures = sagan.draw(opened.generator, seeds=range(16))  # uint8, (16, side, side, channels)
```

The file is safetensors: opening it runs no code. The same seed gives the same picture on every machine, up to rounding.
"""


def plain(text: object) -> str:
    """A text from outside as Markdown that shows just that text, on one line."""
    return MARKDOWN.sub(r"\\\1", " ".join(str(text).split()))


def _front(name: str, conditional: bool, data: str, scores: Sequence[Score], sharing: Sharing) -> str:
    licence = f"license: {sharing.licence}" if sharing.licence else NO_LICENCE
    results = _results(name, data, scores) if sharing is not IN_A_RUN else ""
    return FRONT.format(licence=licence, kind="conditional" if conditional else "unconditional", results=results)


def _results(name: str, data: str, scores: Sequence[Score]) -> str:
    """The scores as the hub reads them (`model-index`), one entry in JSON, which is YAML too; nothing without any."""
    metrics = [
        {
            "type": re.sub(r"[^a-z0-9]+", "-", score.name.lower()).strip("-") or "score",
            "name": _quotable(f"{score.name}, at step {score.step}: {score.protocol}"),
            "value": score.value,
        }
        for score in scores
        if math.isfinite(score.value)
    ]
    if not metrics:
        return ""
    data_set = {"name": _quotable(data) or "pictures", "type": "other"}
    result = {"task": {"type": "unconditional-image-generation"}, "dataset": data_set, "metrics": metrics}
    entry = {"name": _quotable(name), "results": [result]}
    return f"model-index:\n- {json.dumps(entry, ensure_ascii=False)}\n"


def _quotable(text: object) -> str:
    """A text that JSON's quotes hold and YAML reads the same: no control characters, on one line."""
    return printable(" ".join(str(text).split()))[:500]


def _shown(sharing: Sharing) -> list[str]:
    return [f"![{words}]({file})\n\n{words}\n" for file, words in sharing.pictures]


def _sampling(conditional: bool, sharing: Sharing) -> str:
    return SAMPLING.format(name=sharing.name, classes=" --classes all" if conditional else "")


def _classes(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN_CLASSES:,} more" if len(names) > SHOWN_CLASSES else ""
    return f"{len(names):,} classes: {', '.join(map(plain, names[:SHOWN_CLASSES]))}{more}" if names else "no classes"


def _pictures(data: Mapping[str, Any]) -> str:
    classes = _classes([entry["name"] for entry in data["classes"]])
    left_out = f"; {data['skipped_total']:,} could not be read and were left out" if data["skipped_total"] else ""
    return (
        f"{data['pictures']:,} pictures of the set {plain(data['name'])}, made {data['resolution']} pixels square; {classes}"
        f"{left_out}. Fingerprint of the set: `{re.sub('[^0-9a-f]', '', str(data['fingerprint']))}`."
    )


def _training(config: RunConfig, last: Mapping[str, float], machine: Mapping[str, Any]) -> str:
    done = "It has just begun."
    if {"step", "images", "seconds"} <= last.keys():
        done = (
            f"{last['step']:,.0f} steps, {last['images']:,.0f} pictures shown, {duration(last['seconds'])} of training"
        )
    start = f"Preset {plain(config.preset)}. " if config.preset else ""
    average = f"averaged with decay {config.training.ema:g}" if config.training.ema else "not averaged"
    return (
        f"{start}{done}, on {plain(machine['processor'])}, {plain(machine['device'])}, {plain(machine['precision'])}. "
        f"Loss: {plain(config.training.loss)}. The generator that is published is {average}."
    )


def _scores(scores: Sequence[Score]) -> str:
    if not scores:
        return "None was measured. Nothing is claimed about the quality of the pictures."
    rows = [(plain(score.name), f"{score.value:.4g}", f"{score.step:,}", plain(score.protocol)) for score in scores]
    words = "Numbers of two protocols must not be compared. None of them is an FID unless its protocol says so."
    return _table(("score", "value", "at step", "protocol"), rows) + f"\n{words}"


def _leak(leak: Sequence[tuple[str, str]]) -> str:
    if not leak:
        return "Not tested. A GAN can repeat pictures that it was trained on, the more so the smaller the set."
    return "\n".join(f"- {plain(name)}: {plain(value)}" for name, value in leak)


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {plain(line)}" for line in lines)


def _limits(pictures: str, resolution: int) -> str:
    return (
        f"It draws what its {pictures} are like and nothing else, with their gaps and their bias,"
        f" at {resolution} pixels. It does not understand words. Pictures of people that it draws show nobody, but may"
        " resemble somebody. Whether you may publish it or what it draws depends on the licence of the pictures."
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [
        head,
        ["---"] * len(head),
        *([plain(cell) if head[0] == "option" else cell for cell in row] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"

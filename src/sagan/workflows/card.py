"""The model card of a run: what to publish beside its generator, from the facts that the run has kept.

The front matter is what Hugging Face's hub reads (github.com/huggingface/hub-docs, modelcard.md). It holds nothing from
outside, so that no name of a class or folder can become YAML; in the text such names are escaped. The licence is left to
whoever publishes: it depends on the pictures.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sagan.config import RunConfig
from sagan.workflows.estimate import duration
from sagan.workflows.happenings import Score

CARD = "MODEL_CARD.md"
SHOWN_CLASSES = 20
MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|<>~$&-])")


def model_card(
    name: str,
    config: RunConfig,
    data: Mapping[str, Any],
    machine: Mapping[str, Any],
    last: Mapping[str, float],
    scores: Sequence[Score],
    leak: Sequence[tuple[str, str]],
    shown: Sequence[tuple[str, str]],
) -> str:
    """The card as Markdown.

    data, machine: data.json and environment.json.  last: the last value of every name in the log.  leak: rows, the verdict
    first, or none.  shown: the options that matter, as (name, value).
    """
    title = plain(name)
    parts = [
        FRONT.format(kind="conditional" if data["classes"] else "unconditional"),
        f"# {title}\n",
        f"A generator of {data['resolution']}x{data['resolution']} pictures: a self-attention GAN in the sense of"
        f" arXiv:1805.08318, trained with sagan {plain(machine['sagan'])}.\n",
        f"## Trained on\n\n{_pictures(data)}\n",
        f"## How\n\n{_training(config, last, machine)}\n",
        _table(("option", "value"), shown),
        "All options stand in `run.toml`.\n",
        f"## Scores\n\n{_scores(scores)}\n",
        f"## Copies of training pictures\n\n{_leak(leak)}\n",
        f"## Limits\n\n{_limits(data)}\n",
        f"## How to draw from it\n\n{SAMPLING.format(classes=' --classes all' if data['classes'] else '')}",
    ]
    return "\n".join(parts)


FRONT = """---
# license: choose one that the training pictures allow, for example cc-by-4.0, before you publish
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
---
"""
SAMPLING = """```
sagan sample generator.safetensors -n 64{classes} -o samples.png
sagan attend generator.safetensors --seed 7 -o attention.png
```

```python
import sagan

opened = sagan.open_generator("generator.safetensors")
pictures = sagan.draw(opened.generator, seeds=range(16))  # uint8, (16, side, side, channels)
```

The file is safetensors: opening it runs no code. The same seed gives the same picture on every machine, up to rounding.
"""


def plain(text: object) -> str:
    """A text from outside as Markdown that shows just that text, on one line."""
    return MARKDOWN.sub(r"\\\1", " ".join(str(text).split()))


def _pictures(data: Mapping[str, Any]) -> str:
    names = [entry["name"] for entry in data["classes"]]
    more = f" and {len(names) - SHOWN_CLASSES:,} more" if len(names) > SHOWN_CLASSES else ""
    classes = f"{len(names):,} classes: {', '.join(map(plain, names[:SHOWN_CLASSES]))}{more}" if names else "no classes"
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


def _limits(data: Mapping[str, Any]) -> str:
    return (
        f"It draws what its {data['pictures']:,} training pictures are like and nothing else, with their gaps and their bias,"
        f" at {data['resolution']} pixels. It does not understand words. Pictures of people that it draws show nobody, but may"
        " resemble somebody. Whether you may publish it or what it draws depends on the licence of the pictures."
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [
        head,
        ["---"] * len(head),
        *([plain(cell) if head[0] == "option" else cell for cell in row] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"

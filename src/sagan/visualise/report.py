"""A run on one page, put together from the parts of `visualise.page`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from sagan.visualise.page import (
    Rows,
    Section,
    bullets,
    code,
    columns,
    figures,
    folded,
    image,
    note,
    numbers,
    pairs,
    scroll,
    whole_page,
)


@dataclass(frozen=True, kw_only=True)
class ReportFacts:
    """All that a report shows. Texts are plain, never HTML; pictures are whole PNG files; what is empty is left out."""

    title: str  # the run's name
    verdict: str  # one sentence: is it working?
    subtitle: str = ""  # when, on what machine, with which version
    record: Rows = ()  # the options that matter, as (name, value)
    record_toml: str = ""  # all of them, as in run.toml
    data: Rows = ()
    environment: Rows = ()
    log: Rows = ()  # last values of the log: the big numbers
    curves: bytes | None = None
    grids: Sequence[tuple[str, bytes]] = ()  # (caption, picture), oldest first; the last one is also shown large
    reals: tuple[str, bytes] | None = None  # (caption, picture), shown beside the newest grid and first in the strip
    attention: bytes | None = None
    attention_caption: str = ""
    scores: Sequence[tuple[str, str, str, str]] = ()  # (score, value, step, protocol)
    health: Sequence[str] = ()  # what went wrong and was noticed, oldest first
    leak: Rows = ()  # the verdict of the leak test first
    card: str = ""  # the model card, as it lies beside the page
    events: Sequence[str] = ()
    next_commands: Sequence[str] = ()


def render_report(facts: ReportFacts) -> str:
    """The page as text, to be written as UTF-8. Errors: DataError when a picture is not a PNG file."""
    pictures = ([facts.grids[-1]] if facts.grids else []) + ([facts.reals] if facts.reals else [])
    sections: list[Section] = [
        ("now", "Where it stands", numbers(facts.log)),
        ("samples", "Samples", figures(pictures)),
        ("time", "Samples over time", _strip(facts)),
        ("curves", "Curves", _curves(facts)),
        ("attention", "Attention", _attention(facts)),
        ("scores", "Scores", _scores(facts)),
        ("health", "Health", bullets(facts.health)),
        ("leak", "Leak test", pairs(facts.leak)),
        ("next", "What to do next", code(facts.next_commands)),
        ("events", "Events", bullets(facts.events)),
        ("record", "Record", _record(facts)),
        ("card", "Model card", _card(facts)),
        ("data", "Data", pairs(facts.data)),
        ("environment", "Environment", pairs(facts.environment)),
    ]
    return whole_page(
        kind="training run",
        title=facts.title,
        verdict=facts.verdict,
        subtitle=facts.subtitle,
        sections=sections,
        narrow=("data", "environment"),
    )


def _strip(facts: ReportFacts) -> str:
    if len(facts.grids) < 2:
        return ""  # one grid alone is already shown large
    frames = []
    for index, (caption, png) in enumerate(([facts.reals] if facts.reals else []) + list(facts.grids)):
        frames.append(
            f'<figure id="frame-{index}"><a class="close" href="#time">Close</a>'
            f'<a href="#frame-{index}">{image(png, caption)}</a><figcaption>{escape(caption)}</figcaption></figure>\n'
        )
    words = (
        "The latents are the same in every frame: each place shows one picture growing. Choose a frame to enlarge it."
    )
    return note(words) + scroll("strip", "Samples over time", "".join(frames))


def _curves(facts: ReportFacts) -> str:
    if facts.curves is None:
        return ""
    alt = "Charts of the log over the training step: losses, logits, attention and rate."
    return scroll("scroll", "Curves", f"<figure>{image(facts.curves, alt)}</figure>\n")


def _attention(facts: ReportFacts) -> str:
    if facts.attention is None:
        return ""
    words = "Left: a picture with numbered points. Right: where the network looked, in white, for each of them."
    caption = f"<figcaption>{escape(facts.attention_caption)}</figcaption>" if facts.attention_caption else ""
    alt = f"Attention maps. {facts.attention_caption}".strip()
    figure = f'<figure class="natural">{image(facts.attention, alt)}{caption}</figure>\n'
    return note(words) + scroll("scroll", "Attention maps", figure)


def _scores(facts: ReportFacts) -> str:
    if not facts.scores:
        return ""
    words = "Two scores can be compared only where their protocols are the same, word for word."
    return note(words) + columns(("score", "value", "at step", "protocol"), facts.scores, "Scores")


def _record(facts: ReportFacts) -> str:
    table, whole = pairs(facts.record), code([facts.record_toml] if facts.record_toml else [])
    return table + folded("All options (run.toml)", whole) if table and whole else table or whole


def _card(facts: ReportFacts) -> str:
    if not facts.card:
        return ""
    words = "What to publish beside the generator; it lies in the run as MODEL_CARD.md. The licence is yours to choose."
    return note(words) + folded("MODEL_CARD.md", code([facts.card]))

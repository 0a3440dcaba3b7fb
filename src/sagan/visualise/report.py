"""A run on one page: a single HTML file that needs no network, no script and no other file.

Everything that came from outside (class names, paths, options) is escaped; pictures are inside as base64. The page's
content security policy forbids all else, so that even a mistake here could load or run nothing.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from sagan.errors import DataError
from sagan.visualise.report_style import style_sheet

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

Rows = Sequence[tuple[str, str]]


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
    events: Sequence[str] = ()
    next_commands: Sequence[str] = ()


def render_report(facts: ReportFacts) -> str:
    """The page as text, to be written as UTF-8. Errors: DataError when a picture is not a PNG file."""
    sections = [
        ("now", "Where it stands", _numbers(facts.log)),
        ("samples", "Samples", _newest(facts)),
        ("time", "Samples over time", _strip(facts)),
        ("curves", "Curves", _curves(facts)),
        ("attention", "Attention", _attention(facts)),
        (
            "next",
            "What to do next",
            "".join(f"<pre><code>{escape(line)}</code></pre>\n" for line in facts.next_commands),
        ),
        ("events", "Events", _events(facts.events)),
        ("record", "Record", _record(facts)),
        ("data", "Data", _table(facts.data)),
        ("environment", "Environment", _table(facts.environment)),
    ]
    shown = [(name, title, body) for name, title, body in sections if body]
    links = "".join(f'<li><a href="#{name}">{title}</a></li>' for name, title, _ in shown)
    wide = [part for part in shown if part[0] not in ("data", "environment")]
    narrow = [part for part in shown if part[0] in ("data", "environment")]
    subtitle = f'<p class="subtitle">{escape(facts.subtitle)}</p>' if facts.subtitle else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{escape(facts.title)} · sagan</title>
<style>
{style_sheet()}
</style>
</head>
<body>
<div class="page">
<header>
<p class="kind">sagan · training run</p>
<h1>{escape(facts.title)}</h1>
<p class="verdict">{escape(facts.verdict)}</p>
{subtitle}
<nav aria-label="On this page"><ul>{links}</ul></nav>
</header>
<main>
{"".join(_section(*part) for part in wide)}<div class="facts">
{"".join(_section(*part) for part in narrow)}</div>
</main>
<footer>Made by sagan, a self-attention GAN. This page is one file: it loads nothing and can be sent to anyone.</footer>
</div>
</body>
</html>
"""


def _section(name: str, title: str, body: str) -> str:
    return (
        f'<section id="{name}" aria-labelledby="{name}-title">\n<h2 id="{name}-title">{title}</h2>\n{body}</section>\n'
    )


def _numbers(rows: Rows) -> str:
    cells = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>\n" for name, value in rows)
    return f'<dl class="numbers">\n{cells}</dl>\n' if cells else ""


def _table(rows: Rows) -> str:
    cells = "".join(f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>\n' for name, value in rows)
    return f"<table>\n<tbody>\n{cells}</tbody>\n</table>\n" if cells else ""


def _image(png: bytes, alt: str) -> str:
    if not png.startswith(PNG_SIGNATURE) or len(png) < 24:
        raise DataError("not a PNG picture", where=alt, remedy="Draw it again, or delete it.")
    width, height = int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")  # the IHDR chunk
    source = base64.b64encode(png).decode("ascii")
    return f'<img src="data:image/png;base64,{source}" alt="{escape(alt)}" width="{width}" height="{height}">'


def _newest(facts: ReportFacts) -> str:
    pictures = ([facts.grids[-1]] if facts.grids else []) + ([facts.reals] if facts.reals else [])
    figures = "".join(
        f'<figure class="whole">{_image(png, caption)}<figcaption>{escape(caption)}</figcaption></figure>\n'
        for caption, png in pictures
    )
    return f'<div class="facts">\n{figures}</div>\n' if figures else ""


def _strip(facts: ReportFacts) -> str:
    if len(facts.grids) < 2:
        return ""  # one grid alone is already shown large
    frames = []
    for index, (caption, png) in enumerate(([facts.reals] if facts.reals else []) + list(facts.grids)):
        frames.append(
            f'<figure id="frame-{index}"><a class="close" href="#time">Close</a>'
            f'<a href="#frame-{index}">{_image(png, caption)}</a><figcaption>{escape(caption)}</figcaption></figure>\n'
        )
    note = (
        "The latents are the same in every frame: each place shows one picture growing. Choose a frame to enlarge it."
    )
    return f'<p class="note">{note}</p>\n{_scroll("strip", "Samples over time", "".join(frames))}'


def _curves(facts: ReportFacts) -> str:
    if facts.curves is None:
        return ""
    alt = "Charts of the log over the training step: losses, logits, attention and rate."
    return _scroll("scroll", "Curves", f"<figure>{_image(facts.curves, alt)}</figure>\n")


def _attention(facts: ReportFacts) -> str:
    if facts.attention is None:
        return ""
    note = "Left: a picture with numbered points. Right: where the network looked, in white, for each of them."
    caption = f"<figcaption>{escape(facts.attention_caption)}</figcaption>" if facts.attention_caption else ""
    alt = f"Attention maps. {facts.attention_caption}".strip()
    figure = f'<figure class="natural">{_image(facts.attention, alt)}{caption}</figure>\n'
    return f'<p class="note">{note}</p>\n{_scroll("scroll", "Attention maps", figure)}'


def _scroll(kind: str, label: str, body: str) -> str:
    """A region that scrolls sideways, also by keyboard."""
    return f'<div class="{kind}" tabindex="0" role="region" aria-label="{label}">\n{body}</div>\n'


def _events(events: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(event)}</li>\n" for event in events)
    return f'<ul class="events">\n{items}</ul>\n' if items else ""


def _record(facts: ReportFacts) -> str:
    whole = f"<pre><code>{escape(facts.record_toml)}</code></pre>\n" if facts.record_toml else ""
    table = _table(facts.record)
    if not (whole and table):
        return table or whole
    return f"{table}<details>\n<summary>All options (run.toml)</summary>\n{whole}</details>\n"

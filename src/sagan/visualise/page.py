"""What every page of ours is made of: one HTML file that needs no network, no script and no other file.

Everything that came from outside (class names, paths, options) is escaped; pictures are inside as base64. The page's
content security policy forbids all else, so that even a mistake here could load or run nothing.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Sequence
from html import escape

from sagan.errors import DataError
from sagan.visualise.report_style import style_sheet

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

Rows = Sequence[tuple[str, str]]
Section = tuple[str, str, str]  # (name in the address, title, body as HTML); one with an empty body is left out


def whole_page(
    *,
    kind: str,
    title: str,
    verdict: str,
    sections: Sequence[Section],
    subtitle: str = "",
    narrow: Collection[str] = (),
    style: str = "",
) -> str:
    """The page as text, to be written as UTF-8.

    kind: what sort of page it is, above the title.  verdict: one sentence.  narrow: names of sections that stand side by
    side at the end.  style: rules of this kind of page, besides those of all. Titles and bodies of sections are HTML made
    here; everything else is plain text.
    """
    shown = [part for part in sections if part[2]]
    links = "".join(f'<li><a href="#{name}">{heading}</a></li>' for name, heading, _ in shown)
    wide = "".join(_section(*part) for part in shown if part[0] not in narrow)
    beside = "".join(_section(*part) for part in shown if part[0] in narrow)
    below = f'<p class="subtitle">{escape(subtitle)}</p>' if subtitle else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{escape(title)} · sagan</title>
<style>
{style_sheet()}{style}
</style>
</head>
<body>
<div class="page">
<header>
<p class="kind">sagan · {escape(kind)}</p>
<h1>{escape(title)}</h1>
<p class="verdict">{escape(verdict)}</p>
{below}
<nav aria-label="On this page"><ul>{links}</ul></nav>
</header>
<main>
{wide}<div class="facts">
{beside}</div>
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


def numbers(rows: Rows) -> str:
    """The big numbers."""
    cells = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>\n" for name, value in rows)
    return f'<dl class="numbers">\n{cells}</dl>\n' if cells else ""


def pairs(rows: Rows) -> str:
    """Names and values, one pair a line."""
    cells = "".join(f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>\n' for name, value in rows)
    return f"<table>\n<tbody>\n{cells}</tbody>\n</table>\n" if cells else ""


def columns(head: Sequence[str], rows: Sequence[Sequence[str]], label: str) -> str:
    """A table with a heading for each column; the first cell of a row names it. It scrolls sideways where it must."""
    if not rows:
        return ""
    top = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in rest)}</tr>\n'
        for first, *rest in rows
    )
    table = f'<table class="columns">\n<thead><tr>{top}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n'
    return scroll("scroll", label, table)


def note(text: str) -> str:
    """A sentence of explanation."""
    return f'<p class="note">{escape(text)}</p>\n' if text else ""


def bullets(lines: Sequence[str]) -> str:
    """A list of sentences."""
    items = "".join(f"<li>{escape(line)}</li>\n" for line in lines)
    return f'<ul class="events">\n{items}</ul>\n' if items else ""


def code(lines: Sequence[str]) -> str:
    """Commands or a file, as they are typed."""
    return "".join(f"<pre><code>{escape(line)}</code></pre>\n" for line in lines)


def folded(summary: str, body: str) -> str:
    """A part that opens when it is chosen."""
    return f"<details>\n<summary>{escape(summary)}</summary>\n{body}</details>\n" if body else ""


def image(png: bytes, alt: str) -> str:
    """A picture. Raises DataError when it is not a PNG file."""
    if not png.startswith(PNG_SIGNATURE) or len(png) < 24:
        raise DataError("not a PNG picture", where=alt, remedy="Draw it again, or delete it.")
    width, height = int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")  # the IHDR chunk
    source = base64.b64encode(png).decode("ascii")
    return f'<img src="data:image/png;base64,{source}" alt="{escape(alt)}" width="{width}" height="{height}">'


def figures(pictures: Sequence[tuple[str, bytes]]) -> str:
    """Pictures side by side, each with its caption and no wider than the page."""
    shown = "".join(
        f'<figure class="whole">{image(png, caption)}<figcaption>{escape(caption)}</figcaption></figure>\n'
        for caption, png in pictures
    )
    return f'<div class="facts">\n{shown}</div>\n' if shown else ""


def scroll(kind: str, label: str, body: str) -> str:
    """A region that scrolls sideways, also by keyboard. label: plain text."""
    return f'<div class="{kind}" tabindex="0" role="region" aria-label="{escape(label)}">\n{body}</div>\n'

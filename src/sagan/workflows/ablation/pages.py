"""What an ablation looks like: the table in Markdown, the chart, one page of HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from PIL import Image

from sagan.visualise.axes import number
from sagan.visualise.dots import DotPanel, DotRow, render_dots
from sagan.visualise.page import Rows, bullets, code, columns, image, note, pairs, scroll, whole_page
from sagan.workflows.ablation.measures import Measure
from sagan.workflows.ablation.outcome import GroupOutcome, RowOutcome, verdict_of
from sagan.workflows.ablation.published import BESIDE, CAUTION


@dataclass(frozen=True)
class PageFacts:
    """What an ablation's page and table show besides the outcomes themselves."""

    title: str
    subtitle: str
    done: int  # cells
    cells: int
    setting: Rows  # (name, value): data, budget, seeds, machine
    record_toml: str
    measure: Measure
    command: str


def headings(outcome: GroupOutcome) -> list[str]:
    """The columns of a group's table."""
    measure = outcome.rows[0].measure
    others = _other_numbers(outcome)
    sign = "" if measure.better == "neither" else f" ({measure.better} is better)"
    against = [] if measure.better == "neither" else ["against the first", "better in"]
    return ["row", f"{measure.headline}{sign}", "lowest to highest", *against, *others, "steps", "note"]


def cells_of(outcome: GroupOutcome) -> list[list[str]]:
    """The table of a group, as texts."""
    return [_cells(row, _other_numbers(outcome)) for row in outcome.rows]


def _cells(row: RowOutcome, others: Sequence[str]) -> list[str]:
    spread, measure = row.spread(measure_name(row)), row.measure
    value, reach = "-", "-"
    if spread is not None:
        value = show(spread.mean) + (f" ± {show(spread.deviation)}" if len(spread.numbers) > 1 else "")
        reach = f"{show(min(spread.numbers))} to {show(max(spread.numbers))}, n = {len(spread.numbers)}"
    against = []
    if measure.better != "neither":
        differences, count = row.differences(), row.better_in()
        is_first = row.cells == row.first
        difference = f"{sum(differences) / len(differences):+.3g}" if differences and not is_first else ""
        against = [difference, "" if count is None else f"{count} of {len(differences)}"]
    more = [show(found.mean) if (found := row.spread(name)) else "-" for name in others]
    steps = row.training("step")
    return [row.row.label, value, reach, *against, *more, f"{steps.mean:,.0f}" if steps else "-", remark(row)]


def measure_name(row: RowOutcome) -> str:
    """The number that rows are compared by."""
    return row.measure.headline


def _other_numbers(outcome: GroupOutcome) -> list[str]:
    names = dict.fromkeys(name for row in outcome.rows for cell in row.cells.values() for name in cell.values)
    return [name for name in names if name != outcome.rows[0].measure.headline]


def show(value: float) -> str:
    """A number in three figures; shares keep three decimals."""
    return f"{value:.3f}" if abs(value) < 10 else number(value)


def remark(row: RowOutcome) -> str:
    """What else is to be known of a row: seeds that failed, that went back, that are still missing."""
    words = [f"seed {seed} failed: {reason}" for seed, reason in sorted(row.failures.items())]
    back = sum(cell.rollbacks for cell in row.cells.values() if not cell.failed)
    words += [f"went back {back} times" if back > 1 else "went back once"] if back else []
    words += ["nothing yet"] if not row.cells else []
    return "; ".join(words)


def markdown(facts: PageFacts, found: Sequence[GroupOutcome]) -> str:
    """The tables as one Markdown text."""
    lines = [f"# {facts.title}", "", f"{facts.subtitle}. {facts.done} of {facts.cells} cells are finished.", ""]
    lines += [f"Measured: {facts.measure.protocol}. {facts.measure.note}".strip(), ""]
    for outcome in found:
        head, rows = headings(outcome), cells_of(outcome)
        lines += [f"## {outcome.group.title}", "", verdict_of(outcome), "", outcome.group.note, ""]
        lines += [_line(head), _line(["---"] * len(head)), *(_line(row) for row in rows), ""]
        if outcome.group.name in BESIDE:
            beside = BESIDE[outcome.group.name]
            lines += [f"{beside.title}. {CAUTION}", "", _line(beside.columns), _line(["---"] * len(beside.columns))]
            lines += [*(_line(row) for row in beside.rows), ""]
    lines += [
        "## Setting",
        "",
        *(f"- {name}: {value}" for name, value in facts.setting),
        "",
        "```",
        facts.command,
        "```",
    ]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|').replace(chr(10), ' ') for cell in cells)} |"


def chart(found: Sequence[GroupOutcome], measure: Measure) -> Image.Image:
    """Every cell as a dot, every row with its mean, group by group on one axis."""
    panels = []
    for outcome in found:
        rows = []
        for row in outcome.rows:
            spread = row.spread(measure.headline)
            failed = f"{len(row.failures)} failed" if row.failures else ""
            rows.append(DotRow(row.row.label, spread.numbers if spread else (), failed))
        panels.append(DotPanel(outcome.group.title, tuple(rows)))
    return render_dots(panels, measure.headline)


def page(facts: PageFacts, found: Sequence[GroupOutcome], drawn: bytes) -> str:
    """The page. drawn: the chart as a PNG file."""
    alt = f"Dots: {facts.measure.headline} of every cell, by row; a bar at the mean of each row."
    words = (
        "A dot is one seed, a bar the mean of a row, the grey line the mean of the group's first row. So few seeds tell large"
        " differences alone; what is better in every seed may still be chance."
    )
    sections = [
        ("short", "In short", bullets([verdict_of(outcome) for outcome in found])),
        ("chart", "Chart", note(words) + scroll("scroll", "Chart", f"<figure>{image(drawn, alt)}</figure>\n")),
    ]
    sections += [(outcome.group.name, escape(outcome.group.title), _group(outcome)) for outcome in found]
    sections += [
        ("measure", "What was measured", note(f"{facts.measure.protocol}. {facts.measure.note}")),
        ("again", "Do it again", code([facts.command])),
        ("setting", "Setting", pairs(facts.setting)),
        ("record", "Base record", code([facts.record_toml])),
    ]
    return whole_page(
        kind="ablation",
        title=facts.title,
        verdict=f"{facts.done} of {facts.cells} cells are finished.",
        subtitle=facts.subtitle,
        sections=sections,
    )


def _group(outcome: GroupOutcome) -> str:
    body = note(outcome.group.note) + columns(headings(outcome), cells_of(outcome), outcome.group.title)
    used = _use_of_attention(outcome) if outcome.group.name == "attention" else []
    if used:
        body += "<h3>How far attention was used</h3>\n"
        body += note(
            "At the end, mean over the seeds. Branch: the norm of what attention adds over the norm of its input."
        )
        body += columns(
            ("row", "layer", "gate (gamma, absolute)", "branch", "entropy", "distance"), used, "Use of attention"
        )
    if outcome.group.name in BESIDE:
        beside = BESIDE[outcome.group.name]
        body += (
            f"<h3>{escape(beside.title)}</h3>\n" + note(CAUTION) + columns(beside.columns, beside.rows, beside.title)
        )
    return body


def _use_of_attention(outcome: GroupOutcome) -> list[list[str]]:
    """One line a layer of every row that has attention."""
    lines = []
    for row in outcome.rows:
        tables = [cell.attention for cell in row.cells.values() if not cell.failed]
        layers = dict.fromkeys(name.rpartition("/")[0] for table in tables for name in table)
        for layer in layers:
            numbers = []
            for what in ("gamma", "branch_ratio", "entropy", "distance"):
                found = [abs(table[f"{layer}/{what}"]) for table in tables if f"{layer}/{what}" in table]
                numbers.append(show(sum(found) / len(found)) if found else "-")
            lines.append([row.row.label, layer, *numbers])
    return lines

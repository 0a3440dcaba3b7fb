"""The look of a run's report: one style sheet, light and dark, for a telephone and for a desk.

Colours are kept apart from the rules, so that a test can compute every contrast.
"""

from __future__ import annotations

LIGHT = {
    "page": "#f6f5f2",
    "card": "#ffffff",
    "ink": "#1d1f23",
    "muted": "#5a5f68",
    "line": "#dedcd6",
    "accent": "#0a5f96",
    "code": "#f1f0ec",
}
DARK = {
    "page": "#131519",
    "card": "#1c1f25",
    "ink": "#e9eaec",
    "muted": "#a3a9b3",
    "line": "#343941",
    "accent": "#7cc4f5",
    "code": "#14161a",
}

RULES = """
* { box-sizing: border-box; }
html { color-scheme: light dark; -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
.page { max-width: 76rem; margin: 0 auto; padding: 0 1rem 3rem; }
header { padding: 2.5rem 0 1.25rem; }
.kind { margin: 0; color: var(--accent); font-size: .8rem; font-weight: 650; letter-spacing: .09em;
  text-transform: uppercase; }
h1 { margin: .2rem 0 .5rem; font-size: clamp(1.6rem, 5vw, 2.5rem); line-height: 1.15; letter-spacing: -.02em; }
h1, h2, p, td, th, dd, li { overflow-wrap: anywhere; }
.verdict { margin: 0; max-width: 62ch; font-size: 1.15rem; }
.subtitle { margin: .4rem 0 0; color: var(--muted); }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1.1rem; margin: 1.1rem 0 0; padding: 0; list-style: none; }
a { color: var(--accent); text-underline-offset: .2em; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; border-radius: .25rem; }
section { margin-top: 1.25rem; padding: 1.25rem; background: var(--card); border: 1px solid var(--line);
  border-radius: .9rem; }
h2 { margin: 0 0 .9rem; font-size: 1.25rem; letter-spacing: -.01em; }
.note { margin: -.5rem 0 .9rem; max-width: 70ch; color: var(--muted); font-size: .92rem; }
.numbers { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: .75rem; margin: 0; }
.numbers div { padding: .7rem .9rem; background: var(--code); border-radius: .6rem; }
.numbers dt { color: var(--muted); font-size: .82rem; }
.numbers dd { margin: .1rem 0 0; font-size: 1.2rem; font-weight: 620; font-variant-numeric: tabular-nums; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr)); gap: 1.25rem; }
.facts > * { min-width: 0; }
.facts section { margin: 0; }
main > .facts { margin-top: 1.25rem; }
table { width: 100%; border-collapse: collapse; font-size: .94rem; }
th, td { padding: .4rem 0; border-top: 1px solid var(--line); text-align: left; vertical-align: top; }
tr:first-child > * { border-top: 0; }
th { width: 42%; padding-right: 1rem; color: var(--muted); font-weight: 500; }
td { font-variant-numeric: tabular-nums; }
.columns th, .columns td { width: auto; padding-right: 1.25rem; min-width: 5.5rem; overflow-wrap: break-word; }
.columns tbody th { min-width: 9rem; color: var(--ink); }
.columns thead th { color: var(--muted); font-size: .85rem; }
.columns tbody tr:first-child > * { border-top: 1px solid var(--line); }
h3 { margin: 1.4rem 0 .6rem; font-size: 1.05rem; }
figure { margin: 0; }
figcaption { padding-top: .5rem; color: var(--muted); font-size: .9rem; }
img { display: block; height: auto; border-radius: .5rem; background: #fcfcfb; }
.whole img { max-width: 100%; }
.scroll { overflow-x: auto; padding-bottom: .5rem; }
.scroll > figure > img { width: 100%; min-width: 45rem; }
.scroll > .natural > img { width: auto; max-width: none; min-width: 0; }
.strip { display: flex; gap: 1rem; overflow-x: auto; padding: .25rem .25rem 1rem; scroll-snap-type: x proximity; }
.strip figure { flex: 0 0 min(26rem, 85%); scroll-snap-align: start; }
.strip img { width: 100%; }
.strip .close { display: none; }
.strip figure:target { position: fixed; inset: 0; z-index: 1; padding: 1rem; overflow: auto; background: var(--page); }
.strip figure:target img { width: auto; margin: 0 auto; max-width: 100%; max-height: calc(100vh - 6rem); }
.strip figure:target figcaption { text-align: center; }
.strip figure:target .close { display: block; padding: .5rem; text-align: right; }
pre { margin: 0; padding: .8rem 1rem; overflow-x: auto; background: var(--code); border: 1px solid var(--line);
  border-radius: .6rem; font: .88rem/1.6 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
pre + pre { margin-top: .6rem; }
details { margin-top: 1rem; }
summary { cursor: pointer; color: var(--accent); padding: .25rem 0 .6rem; }
.events { margin: 0; padding-left: 1.2rem; }
footer { margin-top: 1.5rem; color: var(--muted); font-size: .88rem; }
@media (min-width: 60rem) { section { padding: 1.6rem 1.75rem; } .page { padding: 0 2rem 4rem; } }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
@media print { section { break-inside: avoid; border-color: #bbb; } nav, .close { display: none; } }
""".strip()


def style_sheet() -> str:
    """The whole style sheet; it refers to nothing outside itself."""
    light = " ".join(f"--{name}: {value};" for name, value in LIGHT.items())
    dark = " ".join(f"--{name}: {value};" for name, value in DARK.items())
    return f":root {{ {light} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n{RULES}"

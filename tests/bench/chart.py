#!/usr/bin/env python3
"""Draw the figures of bench.py: chart.py FIGURES.json FOLDER

Writes throughput.svg and cost.svg there. Their colours can be read on light and on dark ground.
"""
import dataclasses
import json
import pathlib
import sys
import xml.sax.saxutils

from bench import FIGURES, number
from workloads import WORKLOADS

TEXT, OURS, OTHERS = "#768390", "#d97706", "#8b9bb0"
FONT = "font-family=\"-apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif\""
ROW, HEAD, GAP, COLUMN, NAMES, BAR = 19, 26, 18, 430, 92, 230


@dataclasses.dataclass(frozen=True)
class Panel:
    """One workload: a bar for each server."""
    title: str
    bars: list[tuple[str, float, str]]  # the server, how long, and what stands behind it

    def height(self) -> int:
        return HEAD + ROW * len(self.bars) + GAP


def text(x: float, y: float, words: str, colour: str = TEXT, anchor: str = "start", weight: str = "normal") -> str:
    return (f'<text x="{x:g}" y="{y:g}" fill="{colour}" font-size="12" {FONT} text-anchor="{anchor}" '
            f'font-weight="{weight}">{xml.sax.saxutils.escape(words)}</text>')


def draw_panel(panel: Panel, left: float, top: float) -> list[str]:
    longest = max(length for _, length, _ in panel.bars) or 1
    parts = [text(left, top + 14, panel.title, weight="bold")]
    for row, (server, length, label) in enumerate(panel.bars):
        y = top + HEAD + ROW * row
        colour = OURS if server == "kvolt" else OTHERS
        width = max(1, BAR * length / longest)
        parts.append(text(left + NAMES - 8, y + 10, server, anchor="end"))
        parts.append(f'<rect x="{left + NAMES}" y="{y}" width="{width:.1f}" height="13" rx="2" fill="{colour}"/>')
        parts.append(text(left + NAMES + width + 6, y + 10, label))
    return parts


def draw(panels: list[Panel], caption: str) -> str:
    """Two columns of panels, in rows."""
    parts, top = [], 0
    for first in range(0, len(panels), 2):
        pair = panels[first:first + 2]
        for column, panel in enumerate(pair):
            parts += draw_panel(panel, column * COLUMN, top)
        top += max(panel.height() for panel in pair)
    parts.append(text(0, top + 8, caption))
    width, height = 2 * COLUMN, top + 16
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'role="img" aria-label={xml.sax.saxutils.quoteattr(caption)}>\n' + "\n".join(parts) + "\n</svg>\n")


def panels_of(report: dict, names: list[str]) -> list[Panel]:
    """The best server of each is on top."""
    panels = []
    for workload in (known for name in names for known in WORKLOADS if known.name == name):
        figure = FIGURES[workload.figure]
        limited = " at least" if figure.more_is_better else " at most"
        bars = []
        for result in report["results"]:
            if result["workload"] == workload.name and result["threads"] == 1:
                value = result["figures"]["value"]
                bars.append((result["server"], value, number(value) + limited * result["load_was_limit"]))
        bars.sort(key=lambda bar: -bar[1] if figure.more_is_better else bar[1])
        if bars:
            panels.append(Panel(f"{workload.title}: {figure.unit.format(units=workload.units)}", bars))
    return panels


def caption_of(report: dict) -> str:
    return f"One thread; {report['machine']['cpu']}; medians of {report['rounds']} rounds"


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    report = json.loads(pathlib.Path(sys.argv[1]).read_text())
    folder = pathlib.Path(sys.argv[2])
    charts = {"throughput": panels_of(report, ["plaintext", "pipelined", "echo64", "fan64", "busy100", "rooms"]),
              "cost": panels_of(report, ["steady", "idle"])}
    for name, panels in charts.items():
        if panels:
            (folder / f"{name}.svg").write_text(draw(panels, caption_of(report)))
    return 0


if __name__ == "__main__":
    sys.exit(main())

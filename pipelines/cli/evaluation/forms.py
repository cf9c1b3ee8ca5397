"""One table of results as CSV, JSON, Markdown and LaTeX, each number with its source and convention."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from camera.evaluation.numbers import Number, Spread, spread
from pipelines.cli.evaluation.pictures import ROWS
from pipelines.cli.evaluation.results import ResultScores


@dataclass(frozen=True, eq=False)
class Group:
    """Results of all seeds of one method, weights and move."""

    method: str
    weights: str
    move: str
    results: tuple[ResultScores, ...]

    @property
    def label(self) -> str:
        random = "" if self.weights in ("", "real") else f" ({self.weights} random weights)"
        name = self.method or (self.results[0].name if len(self.results) == 1 else "poses")
        seeds = f", {len(self.results)} seeds" if len(self.results) > 1 else ""
        return f"{name}{random}, move {self.move}{seeds}"

    @property
    def placed(self) -> str:
        return f"{sum(one.placed for one in self.results)} of {sum(one.frames for one in self.results)}"

    def cell(self, number: Number) -> Spread | None:
        return spread([one.numbers.get(number.key) for one in self.results])


def group_results(results: Iterable[ResultScores]) -> list[Group]:
    """Group results by method, weights and move; a result without a method forms its own group."""
    groups: dict[tuple[str, ...], list[ResultScores]] = {}
    for one in results:
        key = (one.method, one.weights, one.move) if one.method else ("", one.name, one.move)
        groups.setdefault(key, []).append(one)
    return [Group(all[0].method, all[0].weights, all[0].move, tuple(all)) for all in groups.values()]


def as_csv(results: Sequence[ResultScores]) -> str:
    """One line per result; the second and third line give the sources and conventions of the metrics."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    facts = ("result", "method", "weights", "move", "seed", "frames", "placed", "verdict")
    writer.writerow([*facts, *(number.label for number in ROWS)])
    writer.writerow(["source", *[""] * (len(facts) - 1), *(number.source for number in ROWS)])
    writer.writerow(["convention", *[""] * (len(facts) - 1), *(number.convention for number in ROWS)])
    for one in results:
        known = [one.numbers.get(number.key) for number in ROWS]
        cells = [one.name, one.method, one.weights, one.move, one.seed, one.frames, one.placed, one.report.verdict]
        writer.writerow([*map(_safe, cells), *("" if value is None else repr(value) for value in known)])
    return out.getvalue()


def _safe(cell: object) -> object:
    """Quote a text that a spreadsheet would treat as a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in "=+-@" and cell else cell


def as_json(results: Sequence[ResultScores]) -> str:
    rows = [
        {
            "number": number.key, "label": number.label, "source": number.source, "convention": number.convention,
            "better": number.better,
            "groups": [
                {"group": group.label, "mean": cell.mean, "deviation": cell.deviation, "count": cell.count}
                for group in group_results(results)
                if (cell := group.cell(number)) is not None
            ],
        }
        for number in ROWS
    ]  # fmt: skip
    each = [
        {
            "result": one.name, "method": one.method, "weights": one.weights, "move": one.move, "seed": one.seed,
            "frames": one.frames, "placed": one.placed, "verdict": one.report.verdict, "numbers": one.numbers,
            "notes": list(one.notes),
        }
        for one in results
    ]  # fmt: skip
    return json.dumps({"rows": rows, "results": each}, indent=2, allow_nan=False) + "\n"


def as_markdown(results: Sequence[ResultScores]) -> str:
    groups = group_results(results)
    head = ["number", "source", "convention", *(group.label for group in groups)]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines.append("| frames placed | | unplaced frames are failures | " + " | ".join(g.placed for g in groups) + " |")
    for number in ROWS:
        arrow = "↓" if number.better == "low" else "↑"
        cells = [
            f"{number.label} {arrow}",
            number.source,
            number.convention,
            *(_text(group, number) for group in groups),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def as_latex(results: Sequence[ResultScores]) -> str:
    """A tabular of booktabs."""
    groups = group_results(results)
    lines = [rf"\begin{{tabular}}{{lp{{6cm}}{'r' * len(groups)}}}", r"\toprule"]
    lines.append(" & ".join(["number", "source, convention", *(_latex(group.label) for group in groups)]) + r" \\")
    lines.append(r"\midrule")
    lines.append(" & ".join(["frames placed", "", *(group.placed for group in groups)]) + r" \\")
    for number in ROWS:
        arrow = r"$\downarrow$" if number.better == "low" else r"$\uparrow$"
        about = _latex(", ".join(filter(None, (number.source, number.convention))))
        cells = [_latex(_text(group, number)).replace("±", r"$\pm$") for group in groups]
        lines.append(" & ".join([f"{_latex(number.label)} {arrow}", about, *cells]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _text(group: Group, number: Number) -> str:
    cell = group.cell(number)
    return "–" if cell is None else str(cell)


def _latex(text: str) -> str:
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return "".join(special.get(letter, f"\\{letter}" if letter in "&%$#_{}" else letter) for letter in text)

"""`python -m pipelines evaluate RESULTS... --out FOLDER`: the command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from camera.errors import InputError

if TYPE_CHECKING:
    from pipelines.cli.evaluation.lpips import Lpips
    from pipelines.cli.evaluation.results import ResultScores


def evaluate(given: argparse.Namespace, shoot: Callable[[list[str]], int]) -> int:
    """Score the given results and write the table in all formats; returns 1 if something could not be scored.

    ``shoot`` runs a command line of `python -m pipelines`, for ``--matrix``.
    """
    from pipelines.cli.evaluation import forms
    from pipelines.cli.evaluation.page import as_html, png
    from pipelines.media.video import complete

    refused: list[str] = []

    def say(words: str) -> None:
        refused.append(words)
        print(words, file=sys.stderr)

    results = list(_score_all(given, say, shoot))
    if not results:
        raise InputError("Nothing could be scored.")
    given.out.mkdir(parents=True, exist_ok=True)
    tables = {"csv": forms.as_csv, "json": forms.as_json, "md": forms.as_markdown, "tex": forms.as_latex}
    for name, form in {**{f"table.{end}": form for end, form in tables.items()}, "report.html": as_html}.items():
        with complete(given.out / name) as part:
            part.write_text(form(results), encoding="utf-8")
    for one in results:
        if one.report.turn_degrees:
            png(one.report, given.out / f"{one.name}-errors.png")
    print(forms.as_markdown(results))
    print(f"{len(results)} results, tables in {given.out}")
    return int(bool(refused))


def _score_all(
    given: argparse.Namespace, say: Callable[[str], None], shoot: Callable[[list[str]], int]
) -> list[ResultScores]:
    from pipelines.cli.evaluation.results import score_all, score_poses

    results = list(given.results)
    if given.matrix is not None:
        from pipelines.cli.evaluation.matrix import shot_all

        results += shot_all(given.matrix, given.out / "shots", say, shoot)
    if given.poses is not None and not results:
        if given.path is None:
            raise InputError("--poses alone needs the requested path: add --path.")
        return [score_poses(given.poses, given.path)]
    if not results:
        raise InputError("There are no results to score: name folders, mp4s, --matrix, or --poses with --path.")
    if given.poses is not None and len(results) != 1:
        raise InputError("--poses belongs to one video; name one, or none and --path.")
    return list(
        score_all(
            results,
            say,
            path=given.path,
            poses=given.poses,
            model=given.model,
            cache=given.out / "takes",
            truth=given.truth,
            data=given.data,
            lpips=_read_lpips(given),
        )
    )


def _read_lpips(given: argparse.Namespace) -> Lpips | None:
    if given.lpips is None:
        return None
    if given.truth is None and given.data is None:
        raise InputError("--lpips compares with true frames; add --truth or --data.")
    from pipelines.cli.evaluation.lpips import read_lpips

    return read_lpips(given.lpips)

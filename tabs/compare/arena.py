"""The blind arena: two shots of one move without names, a vote, then their names; scores, and every vote as CSV."""

from __future__ import annotations

import hashlib
import shutil
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from camera.errors import InputError
from camera.path import CameraPath
from camera.rotation import angle_degrees
from pipelines.media.video import complete, probe
from pipelines.registry import NAMES, method
from pipelines.results.arena import Arena, Entry, Pair, arena_folder
from pipelines.results.record import restore
from pipelines.results.take_report import read_report
from tabs.browser.players import clips, players
from tabs.evaluation.table import sortable_table
from tabs.parts.form import wrap_handler
from tabs.project.project import Project

COLUMNS = ("method", "score", "from", "to", "won", "lost")
CHOICES = {"Left is better": "left", "No difference": "tie", "Right is better": "right"}
SAME_DEGREES, SAME_SHARE, SAMPLES = 2.0, 0.05, 9
"""Tolerances for one move of two methods: rotation, position as a share of the path length, and number of compared moments at equal shares of the time."""


def arena(project: gr.State, shots: Mapping[str, gr.State]) -> None:
    """Place the arena; ``shots`` contain the mp4s of the last shots by title."""
    pair = gr.State()
    with gr.Accordion("Blind arena: which of two shots is better?", open=False, elem_id="arena"):
        with gr.Row():
            enter = gr.Button("Enter these shots", size="sm", elem_id="arena-enter")
            show = gr.Button("Show two shots of one move", size="sm", variant="primary", elem_id="arena-show")
        status = gr.Markdown(elem_classes="told", elem_id="arena-told")
        screen = players("arena-pair")
        with gr.Row():
            votes = [
                gr.Button(label, interactive=False, elem_id=f"arena-{outcome}") for label, outcome in CHOICES.items()
            ]
        table = sortable_table("arena-scores")
        with gr.Row():
            ranks, export = gr.Button("Scores", size="sm"), gr.Button("All votes as CSV", size="sm")
        file = gr.File(label="Votes", visible=False, interactive=False, height=70, elem_id="arena-file")

    def enter_shots(*videos: str | None):
        """Enter the last shots of one move into the arena, with their measured errors."""
        return enter_all(_arena(), [video for video in videos if video])

    def show_pair(project: Project):
        """Show two shots of one move by different methods, without names."""
        found = _arena().pair()
        videos = {
            side: _copy_unnamed(project, one.video) for side, one in (("Left", found.left), ("Right", found.right))
        }
        fps = probe(videos["Left"]).fps
        open_votes = [gr.Button(interactive=True)] * len(CHOICES)
        return found, "Watch both, then choose.", clips(videos, fps), *open_votes

    def vote(pair: Pair | None, choice: str):
        """Vote for "left", "right" or "tie" of the current pair; returns both methods' names, and the scores."""
        if pair is None:
            raise InputError("Show two shots first; each pair accepts one vote.")
        store = _arena()
        store.vote(pair, choice)
        closed = [gr.Button(interactive=False)] * len(CHOICES)
        return None, reveal(pair), gr.update(value=score_rows(store)), *closed

    def show_scores():
        """Scores of all methods (Bradley-Terry, log odds against the average) with 95 % intervals."""
        return gr.update(value=score_rows(_arena()))

    def export_votes(project: Project):
        """Every vote with the measured errors of both shots as CSV."""
        target = project.file("arena-votes.csv")
        with complete(target) as part:
            part.write_text(_arena().as_csv())
        return gr.File(str(target), visible=True)

    quick: dict[str, Any] = {"queue": False, "show_progress": "hidden"}
    enter.click(wrap_handler(enter_shots), list(shots.values()), status, api_name="arena_enter", **quick)
    show.click(wrap_handler(show_pair), project, [pair, status, screen, *votes], api_name="arena_pair", **quick)
    choice = gr.Textbox(visible=False)
    for button, outcome in zip(votes, CHOICES.values()):
        button.click(
            wrap_handler(lambda pair, outcome=outcome: vote(pair, outcome)), pair, [pair, status, table, *votes],
            api_visibility="private", **quick,
        )  # fmt: skip
    gr.Button(visible=False).click(
        wrap_handler(vote), [pair, choice], [pair, status, table, *votes], api_name="arena_vote", **quick
    )
    ranks.click(wrap_handler(show_scores), None, table, api_name="arena_scores", **quick)
    export.click(wrap_handler(export_votes), project, file, api_name="arena_votes", **quick)


def _arena() -> Arena:
    return Arena(arena_folder() / "arena.sqlite")


def enter_all(store: Arena, videos: Sequence[str]) -> str:
    """Enter all shots; returns a message that names shots left out because they follow another move than the first."""
    if len(videos) < 2:
        raise InputError("Shoot one move with two methods first; then you can compare the shots blind.")
    made = {video: restore(video) for video in videos}
    first = next(iter(made.values())).path
    same = [video for video, one in made.items() if same_move(first, one.path)]
    if len(same) < 2:
        raise InputError("These shots follow different moves; choose film moves or keys, which all methods follow.")
    for video in same:
        report = read_report(video)
        errors = (None, None) if report is None else (_mean(report.turn_degrees), _mean(report.distance))
        name = _name(made[video].method, made[video].weights)
        store.keep(Entry(move_id(first), name, video, *errors, "" if report is None else report.verdict))
    left_out = len(videos) - len(same)
    status = f"{len(same)} shots of one move entered."
    return status + (f" {left_out} follow another move and are left out." if left_out else "")


def same_move(one: CameraPath, other: CameraPath) -> bool:
    """Whether two paths, possibly of different numbers of frames and sizes, are one move."""
    a, b = (path.resampled(SAMPLES).relative_to_first() for path in (one, other))
    turned = angle_degrees(a.world_from_camera[:, :3, :3], b.world_from_camera[:, :3, :3]).max()
    size = float(np.linalg.norm(np.concatenate([a.centres, b.centres]), axis=1).max())
    away = float(np.linalg.norm(a.centres - b.centres, axis=1).max())
    return bool(turned <= SAME_DEGREES and away <= SAME_SHARE * max(size, 1e-9))


def move_id(path: CameraPath) -> str:
    """A short deterministic name of a path's move."""
    poses = path.resampled(SAMPLES).relative_to_first().world_from_camera
    return hashlib.sha256(np.round(poses, 3).tobytes()).hexdigest()[:8]


def reveal(pair: Pair) -> str:
    """The methods' names with their measured errors."""
    return "  \n".join(
        f"{side}: **{one.method}**{_describe_errors(one)}" for side, one in (("Left", pair.left), ("Right", pair.right))
    )


def score_rows(store: Arena) -> dict[str, Any]:
    """The table of all methods, strongest first."""
    rows = [
        {"cells": [one.name, *(round(value, 2) for value in (one.score, one.low, one.high)), one.won, one.lost]}
        for one in store.table()
    ]
    return {"columns": COLUMNS, "rows": rows, "sorted": {"column": 1, "down": True}}


def _describe_errors(one: Entry) -> str:
    known = [("turn", one.turn_degrees, "°"), ("place", one.distance, "")]
    errors = [f"{name} off by {value:.2g}{unit}" for name, value, unit in known if value is not None]
    return f", {', '.join(errors)} on average" if errors else ", not measured"


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _name(name: str, weights: str) -> str:
    title = method(name).title if name in NAMES else name
    return title if weights == "real" else f"{title} ({weights} random weights)"


def _copy_unnamed(project: Project, video: str) -> Path:
    """A copy in this session's folder, under an anonymous name."""
    own = project.file(f"arena-{uuid.uuid4().hex[:12]}.mp4")
    with complete(own) as part:
        shutil.copyfile(video, part)
    return own

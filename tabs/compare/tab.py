"""Side by side: one scene, one move, every method that can take it; rehearsed or shot, watched in step."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from camera.errors import InputError
from camera.path import CameraPath
from camera.trajectories import film_script
from camera.trajectories.film import MOVES
from camera.view import Scene
from pipelines import NAMES, generate, method
from pipelines.environment import offered
from pipelines.method import Clip, Method, Progress
from pipelines.options import RunOptions
from pipelines.registry import FIVE
from pipelines.rehearsal import Rehearsal, rehearse
from pipelines.results.embedded_scene import carrying
from pipelines.results.record import record, save
from pipelines.shot import Shot
from tabs.browser.players import clips, players
from tabs.evaluation.table import table
from tabs.parts.form import cancelled_by, said
from tabs.parts.send_to_scene import lift_button
from tabs.parts.session import Take, forget
from tabs.parts.source import source

KINDS = ("still", "clip", "views")


def build() -> None:
    """Places the tab; call inside a `gr.Tab`."""
    methods = {method(name).title: method(name) for name in offered(NAMES) if name in FIVE}
    take = gr.State(Take(), time_to_live=6 * 3600, delete_callback=forget)
    gr.Markdown(
        "**One scene and one move, shown to several methods.** Each frames the scene in its own size and length; the "
        "players keep them at the same share of the move."
    )
    with gr.Row():
        with gr.Column(scale=4, min_width=340):
            source("compare", KINDS, take)
            gr.Markdown("### 2 · Camera move")
            film = gr.Textbox(
                "arc 25 ease", label="Moves", info=f"; then, + at the same time. {', '.join(MOVES)}", lines=2
            )
            chosen = gr.CheckboxGroup(list(methods), value=list(methods), label="Methods")
            weights = gr.Dropdown(list(RunOptions.controls()["weights"].choices or ()), value="real", label="Weights")
            with gr.Row():
                watch = gr.Button("Rehearse all", variant="primary", elem_id="compare-rehearse")
                shoot = gr.Button("Shoot all", variant="primary", elem_id="compare-shoot")
                stop = gr.Button("Cancel", min_width=80)
        with gr.Column(scale=7, min_width=340):
            status = gr.Markdown(elem_classes="told", elem_id="compare-status")
            screen = players("compare-result")
            shots = {title: gr.State() for title in methods}
            with gr.Row():
                for title, made in shots.items():
                    lift_button(f"compare-{methods[title].name}", made, label=f"Make 3D of {title}'s")
            table("compare", shots)

    def rehearse_all(take: Take, film_moves: str, methods_chosen: list[str]):
        """Rehearse one move as each of the methods would frame it."""
        for words, videos in _in_turn(take, film_moves, [methods[title] for title in methods_chosen or ()], _rehearsed):
            yield words, gr.skip() if videos is None else clips(videos, 24), *(None for _ in shots)

    def shoot_all(take: Take, film_moves: str, methods_chosen: list[str], weights: str):
        """Shoot one move with each of the methods, one after another."""

        def shot(take: Take, chosen: Method, scene: Scene, path: CameraPath) -> Iterator[Progress | Path]:
            yield from _shot(take, chosen, scene, path, RunOptions(weights=weights))

        for words, videos in _in_turn(take, film_moves, [methods[title] for title in methods_chosen or ()], shot):
            if videos is None:
                yield words, gr.skip(), *(gr.skip() for _ in shots)
            else:
                yield words, clips(videos, 24), *(str(videos[title]) if title in videos else None for title in shots)

    shared = {"outputs": [status, screen, *shots.values()], "show_progress": "hidden", "concurrency_limit": 2}
    runs: list[Any] = [
        watch.click(said(rehearse_all), [take, film, chosen], api_name="compare_rehearse", **shared),
        shoot.click(said(shoot_all), [take, film, chosen, weights], api_name="compare_shoot", **shared),
    ]
    cancelled_by(stop, runs, status)


def _in_turn(take: Take, film: str, methods: list[Method], make):
    """Words and, when one more is done, all videos so far by title: ``make(take, method, scene, path)`` for each method.

    What one of them cannot do is told, the others go on.
    """
    if take.scene is None:
        raise InputError("There is no scene yet: pick an example or give a picture first.")
    if not methods:
        raise InputError("Choose at least one method.")
    videos: dict[str, Path] = {}
    notes: list[str] = []
    for chosen in methods:
        try:
            for step in make(take, chosen, *_framed(take.scene, film, chosen)):
                if isinstance(step, Progress):
                    yield "  \n".join([f"**{chosen.title}** {step.phase} {step.step} of {step.steps}", *notes]), None
                else:
                    videos[chosen.title] = step
        except InputError as error:
            notes.append(f"{chosen.title}: {error}")
        yield "  \n".join(notes), videos


def _framed(scene: Scene, film: str, chosen: Method) -> tuple[Scene, CameraPath]:
    if scene.kind not in chosen.scenes:
        raise InputError(f"takes {' or '.join(chosen.scenes)}, not {scene.kind}.")
    moves = chosen.moves()
    framed = scene.fitted(moves.width, moves.height, "crop")
    return framed, film_script.path_of(film, framed.first, frames=moves.frames, fps=moves.fps)


def _rehearsed(take: Take, chosen: Method, scene: Scene, path: CameraPath) -> Iterator[Progress | Path]:
    for step in rehearse(scene, path, take.file(f"{chosen.name}-{uuid.uuid4().hex[:8]}.mp4")):
        yield step.video if isinstance(step, Rehearsal) else step


def _shot(take: Take, chosen: Method, scene: Scene, path: CameraPath, options: RunOptions) -> Iterator[Progress | Path]:
    shot = Shot(chosen, scene, path, chosen.settings(), options)
    for step in generate(shot):
        if isinstance(step, Progress):
            yield step
        elif isinstance(step, Clip):
            made = record(shot)
            carries = carrying(step, scene, goes_on=False)
            yield save(take.folder, f"{chosen.name}-{uuid.uuid4().hex[:8]}", step, made, carries=carries).video

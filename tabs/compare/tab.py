"""Side by side: one scene and one move for every method that can use them; rehearsed or shot, and played in sync."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import gradio as gr

from camera.errors import InputError
from camera.path import CameraPath
from camera.trajectories import film_script
from camera.view import Scene
from pipelines import generate
from pipelines.cli.batch import is_finished
from pipelines.method import Clip, Method, Progress
from pipelines.options import RunOptions
from pipelines.project.framing import scene_for_method
from pipelines.registry import FIVE
from pipelines.rehearsal import Rehearsal, rehearse
from pipelines.results.embedded_scene import scene_to_embed
from pipelines.results.record import record, save
from pipelines.runtime.pool.together import interleave, parallel_shots
from pipelines.shot import Shot
from tabs.browser.players import clips, players
from tabs.compare.arena import arena
from tabs.evaluation.table import table
from tabs.parts.form import cancel_with, wrap_handler
from tabs.parts.send_to_scene import scene_button
from tabs.project.project import Project
from tabs.shared.old_endpoints import Shared, old_openings
from tabs.shared.studio import Studio

ID = "compare"


def build(studio: Studio, shared: Shared) -> None:
    """Place the tab; call inside a `gr.Tab`."""
    methods = {each.title: each for each in studio.methods.values() if each.name in FIVE}
    gr.Markdown(
        "**Run the scene and the move above with several methods.** Each method frames the scene in its own size and length; the "
        "players stay synchronised along the move. If the move comes from *This method's moves*, each method follows the "
        "presets of its own tab."
    )
    chosen = gr.CheckboxGroup(list(methods), value=list(methods), label="Methods")
    weights = gr.Dropdown(list(RunOptions.controls()["weights"].choices or ()), value="real", label="Weights")
    film = gr.Textbox("", visible=False)
    with gr.Row(elem_classes="shoot-bar"):
        with gr.Column(scale=5, min_width=160):
            status = gr.Markdown(elem_classes="status", elem_id="compare-status")
        watch = gr.Button("Rehearse all", variant="primary", elem_id="compare-rehearse", min_width=120)
        shoot = gr.Button("Shoot all", variant="primary", elem_id="compare-shoot", min_width=120)
        stop = gr.Button("Cancel", min_width=80)
    with studio.viewing, studio.results[ID]:
        screen = players("compare-result")
        shots = {title: gr.State() for title in methods}
        with gr.Row():
            for title, made in shots.items():
                scene_button(f"compare-{methods[title].name}", made, label=f"Send {title}'s shot to Scene")
        table("compare", shots)
        arena(studio.project, shots)
    old_openings(shared, ID)

    def rehearse_all(project: Project, film_moves: str, methods_chosen: list[str]):
        """Rehearse one move in the frame of each method: film moves if given, else the project's move."""
        for words, videos in _run_methods(
            project, film_moves, [methods[title] for title in methods_chosen or ()], _rehearse
        ):
            yield words, gr.skip() if videos is None else clips(videos, 24), *(None for _ in shots)

    def shoot_all(project: Project, film_moves: str, methods_chosen: list[str], weights: str):
        """Shoot one move with each of the methods, one after another, or at the same time on a pool: film moves if given,
        else the project's move."""

        def shot(project: Project, chosen: Method, scene: Scene, path: CameraPath) -> Iterator[Progress | Path]:
            yield from _shoot(project, chosen, scene, path, RunOptions(weights=weights))

        chosen = [methods[title] for title in methods_chosen or ()]
        for words, videos in _run_methods(project, film_moves, chosen, shot, parallel_shots()):
            if videos is None:
                yield words, gr.skip(), *(gr.skip() for _ in shots)
            else:
                noise = () if weights == "real" else [*videos]
                yield (
                    words,
                    clips(videos, 24, noise=noise),
                    *(str(videos[title]) if title in videos else None for title in shots),
                )

    running: dict[str, Any] = {
        "outputs": [status, screen, *shots.values()],
        "show_progress": "hidden",
        "concurrency_limit": 2,
    }
    runs: list[Any] = [
        watch.click(wrap_handler(rehearse_all), [studio.project, film, chosen], api_name="compare_rehearse", **running),
        shoot.click(
            wrap_handler(shoot_all), [studio.project, film, chosen, weights], api_name="compare_shoot", **running
        ),
    ]
    cancel_with(stop, runs, status)


def _run_methods(project: Project, film: str, methods: list[Method], make, limit: int = 1):
    """Yield a message and, whenever a method has finished, all videos so far by title; runs ``make(project, method, scene, path)`` for
    each method, ``limit`` at a time.

    If a method cannot shoot it, the message says why, and the others continue.
    """
    if project.scene is None:
        raise InputError("There is no scene yet: choose an example or open a picture first.")
    if not methods:
        raise InputError("Choose at least one method.")
    videos: dict[str, Path] = {}
    running: dict[str, str] = {}
    notes: list[str] = []

    def run(chosen: Method) -> Iterator[Progress | Path]:
        yield from make(project, chosen, *_frame(project, film, chosen))

    for title, step in interleave({chosen.title: run(chosen) for chosen in methods}, limit):
        if isinstance(step, Progress):
            running[title] = f"**{title}** {step.phase} {step.step} of {step.steps}"
            yield "  \n".join([*running.values(), *notes]), None
        elif isinstance(step, Path):
            videos[title] = step
        else:
            running.pop(title, None)
            notes += [] if step is None else [f"{title}: {step}"]
            yield "  \n".join([*running.values(), *notes]), videos


def _frame(project: Project, film: str, chosen: Method) -> tuple[Scene, CameraPath]:
    assert project.scene is not None
    if project.scene.kind not in chosen.scenes:
        raise InputError(f"takes {' or '.join(chosen.scenes)}, not {project.scene.kind}.")
    if not film.strip():
        return project.seen_by(chosen.name).ready()
    moves = chosen.moves()
    framed = scene_for_method(project.scene, chosen).fitted(moves.width, moves.height, "crop")
    return framed, film_script.path_of(film, framed.first, frames=moves.frames, fps=moves.fps)


def _rehearse(project: Project, chosen: Method, scene: Scene, path: CameraPath) -> Iterator[Progress | Path]:
    for step in rehearse(scene, path, project.file(f"{chosen.name}-{uuid.uuid4().hex[:8]}.mp4")):
        yield step.video if isinstance(step, Rehearsal) else step


def _shoot(
    project: Project, chosen: Method, scene: Scene, path: CameraPath, options: RunOptions
) -> Iterator[Progress | Path]:
    """Shoot the move, but skip shots that are already finished in this project, after Cancel or failures of other shots."""
    shot = Shot(chosen, scene, path, chosen.settings(), options)
    name = f"{chosen.name}-{sha256(record(shot).to_json().encode()).hexdigest()[:12]}"
    if is_finished(video := project.folder / f"{name}.mp4", shot):
        yield video
        return
    clip: Clip | None = None
    for step in generate(shot):
        if isinstance(step, Progress):
            yield step
        elif isinstance(step, Clip):
            clip = step
            yield _save(project, f"{chosen.name}-{uuid.uuid4().hex[:8]}", shot, clip)
        elif clip is not None:
            yield _save(project, name, shot, clip, step)


def _save(project: Project, name: str, shot: Shot, clip: Clip, report: Any = None) -> Path:
    """Save the clip under a new name, because players cache their files; with its ``report`` if it is finished."""
    carries = scene_to_embed(clip, shot.scene, goes_on=False)
    return save(project.folder, name, clip, record(shot, report=report), carries=carries).video

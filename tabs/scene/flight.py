"""Fly-throughs of the reconstruction in the Scene tab, along any path."""

from __future__ import annotations

import uuid
from dataclasses import replace
from pathlib import Path

import gradio as gr

from camera.errors import InputError
from camera.formats import read
from camera.formats.account import Account
from camera.trajectories.film import MOVES
from pipelines.media.video import mp4_writer
from tabs.parts.form import cancel_with, wrap_handler
from tabs.scene.session import AS_SHOT, FILM, FLIGHTS, ID, OWN_FILE, PASSES, PRIVATE, STANDS, TIMES, SceneTabState
from tabs.shared.path_file import LINES


def flight(solid: gr.State) -> tuple[gr.Row, gr.Video]:
    """Place the fly-through; returns the controls of time (hidden for static scenes) and the video (hidden until there is one)."""
    gr.Markdown("### 4 · Fly through it")
    source = gr.Radio(list(FLIGHTS), value=AS_SHOT, show_label=False, elem_id=f"{ID}-flight-from")
    film = gr.Textbox(
        "arc 30 ease; arc -60 ease; arc 30 ease", label="Moves", visible=False,
        info=f"; then, + at the same time. {', '.join(MOVES)}",
    )  # fmt: skip
    with gr.Group(visible=False) as own:
        file = gr.File(label="Path file", height=130, elem_id=f"{ID}-flight-path")
        file_status = gr.Markdown(LINES, padding=True)
    with gr.Row():
        frames = gr.Slider(2, 241, 49, step=1, label="Frames", info="For film moves and the ellipse.")
        longest = gr.Slider(64, 1280, 384, step=16, label="Longest side", info="Width of the video in pixels.")
    with gr.Row(visible=False) as timing:
        passing = gr.Radio(list(TIMES), value=PASSES, label="Time", elem_id=f"{ID}-time")
        moment = gr.Slider(
            0,
            1,
            0,
            step=0.01,
            label="Moment",
            info="The time at which the scene is frozen, as a share of the clip.",
            visible=False,
        )
    with gr.Row():
        start = gr.Button("Fly", variant="primary", elem_id=f"{ID}-fly")
        stop = gr.Button("Cancel", min_width=80)
    video = gr.Video(label="Fly-through", autoplay=True, loop=True, height=360, elem_id=f"{ID}-flight", visible=False)

    def open_path(solid: SceneTabState, path_file: str):
        """Read a path file for the fly-through."""
        if not path_file:
            raise InputError("Choose a path file.")
        account = Account(Path(path_file).name)
        like = solid.made.path if solid.made else None
        own = read(account.name, Path(path_file).read_bytes(), like=like, account=account)
        size = f"{len(own)} frames, {own.width} x {own.height}, {own.fps:g} per second."
        return replace(solid, flight=own), f"{size} {account.text()}".rstrip()

    def fly(
        solid: SceneTabState, flight_from: str, film_moves: str, frames: int, longest_side: int, time: str = PASSES, moment: float = 0.0,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ):  # fmt: skip
        """Render a flight through the reconstruction along any path; returns the video. For points in motion, time passes once,
        or is frozen at a share of it."""
        path = solid.path(flight_from, film_moves, int(frames), int(longest_side))
        yield gr.Video(None, visible=True)
        target = solid.file(f"flight-{uuid.uuid4().hex[:8]}.mp4")
        with mp4_writer(target, path.fps) as write:
            for number, frame in enumerate(solid.frames(path, time, float(moment)), 1):
                write(frame)
                progress((number, len(path)), desc="Flying", unit="frames")
                yield gr.skip()
        yield str(target)

    source.change(
        lambda chosen: (gr.Textbox(visible=chosen == FILM), gr.Group(visible=chosen == OWN_FILE)), source, [film, own],
        **PRIVATE,
    )  # fmt: skip
    passing.change(lambda time: gr.Slider(visible=time == STANDS), passing, moment, **PRIVATE)
    file.upload(wrap_handler(open_path), [solid, file], [solid, file_status], api_name=f"{ID}_open_path")
    running = start.click(
        wrap_handler(fly), [solid, source, film, frames, longest, passing, moment], video, api_name=f"{ID}_fly", concurrency_id=ID,
        concurrency_limit=2, show_progress_on=video,
    )  # fmt: skip
    cancel_with(stop, [running], video, gr.Video(None, visible=False))
    return timing, video

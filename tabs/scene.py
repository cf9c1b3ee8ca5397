"""The Scene tab: any result, or any frames with cameras, as points, mesh or Gaussian splats."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace
from pathlib import Path

import gradio as gr

from camera import timeline
from camera.errors import InputError
from camera.formats import read
from examples import EXAMPLES, load
from pipelines.depth import MODELS
from pipelines.method import Progress
from pipelines.reconstruct import making
from pipelines.reconstruct.making import CAMERAS, KINDS, Made, Shots
from pipelines.reconstruct.splat_settings import SplatSettings
from pipelines.video import mp4_writer
from tabs import form
from tabs.form import said
from tabs.lift import offers
from tabs.solid import AS_SHOT, FILM, FLIGHTS, OWN_FILE, Solid, of_files, of_result
from tabs.take import Take, forget

ID = "scene"
TELL_SECONDS = 0.3
EXAMPLE_FRAMES, EXAMPLE_SIDE = 16, 384
BY_LABEL = {model.label: key for key, model in MODELS.items()}
SPLATS, OUTLINES, PLAIN = "Splats", "With the cameras", "Without the cameras"
PRIVATE = {"api_visibility": "private", "queue": False, "show_progress": "hidden"}


def build(page: gr.Blocks, tabs: gr.Tabs) -> None:
    """Places the tab; call inside a `gr.Tab` of ``page``, after the tabs whose results it takes."""
    gr.Markdown(
        "**From video to 3D.** Any result, or any frames with cameras, becomes points, a mesh or Gaussian splats that you "
        "can turn, fly through and take home with the cameras."
    )
    solid = gr.State(Solid(), time_to_live=6 * 3600, delete_callback=forget)
    with gr.Row():
        with gr.Column(scale=4, min_width=340):
            opening = _source(solid)
            made_by = _making()
        with gr.Column(scale=7, min_width=340):
            shown = _screen(solid)
            _flight(solid)
    _connect_making(solid, made_by, shown)
    _connect_offers(page, tabs, solid, opening)


# --- 1 · frames with cameras ---------------------------------------------------------------------------------------


def _source(solid: gr.State) -> list:
    """Places the ways in; returns what opening something updates: state, picture, words."""
    gr.Markdown("### 1 · Frames with cameras")
    result = gr.File(label="A result of Reshoot (mp4)", height=90, file_types=[".mp4"], elem_id=f"{ID}-result-in")
    with gr.Accordion("Your own frames", open=False):
        frames = gr.File(
            label="A video, pictures in order, or a zip that brings its cameras", file_count="multiple", height=110
        )
        cameras = gr.File(label="Their cameras (COLMAP, nerfstudio, Reshoot JSON ...)", height=90)
        gr.Markdown("Without a camera file, cameras are estimated where that is possible.", padding=True)
        take_in = gr.Button("Open these frames", size="sm")
    with gr.Accordion("Try it with an example", open=False):
        example = gr.Dropdown(
            [(each.title, each.name) for each in EXAMPLES if each.kind != "clip"], value="still_life", label="Example"
        )
        film = gr.Textbox(
            "arc 24 ease", label="Camera move", info="Of a single picture; several views are taken as they are."
        )
        try_it = gr.Button("Open the example", size="sm", elem_id=f"{ID}-try")
    picture = gr.Image(label="First frame", height=170, interactive=False)
    told = gr.Markdown(elem_classes="told", elem_id=f"{ID}-opened")
    outputs = [solid, picture, told]

    def open_result(solid: Solid, result_file: str):
        """Open a result's mp4: its frames and the path it was shot on."""
        if not result_file:
            raise InputError("Choose an mp4 made by Reshoot.")
        return _opened(solid, of_result(result_file))

    def open_frames(solid: Solid, frame_files: list[str], camera_file: str | None = None):
        """Open frames of your own: a video or pictures with a camera file, or files that bring their cameras."""
        if not frame_files:
            raise InputError("Give frames first: a video, pictures, or a zip.")
        return _opened(solid, of_files(frame_files, camera_file))

    def open_example(solid: Solid, example: str, film_moves: str):
        """Open an example: several views as they are, a picture re-shot from its own exact depth along film moves."""
        scene = load(example)
        sides = scene.first.width, scene.first.height
        width, height = (round(side * min(1.0, EXAMPLE_SIDE / max(sides)) / 2) * 2 for side in sides)
        scene = scene.fitted(width, height)
        if scene.kind == "views":
            yield _opened(solid, making.shots_of_views(scene))
            return
        steps = making.shots_along(scene, timeline.path_of(film_moves, scene.first, frames=EXAMPLE_FRAMES))
        while True:
            try:
                next(steps)
            except StopIteration as end:
                yield _opened(solid, end.value)
                return

    result.upload(said(open_result), [solid, result], outputs, api_name=f"{ID}_open_result", show_progress_on=told)
    take_in.click(
        said(open_frames), [solid, frames, cameras], outputs, api_name=f"{ID}_open_frames", show_progress_on=told
    )
    try_it.click(
        said(open_example), [solid, example, film], outputs, api_name=f"{ID}_open_example", show_progress_on=told
    )
    return outputs


def _opened(solid: Solid, shots: Shots) -> tuple[Solid, gr.Image, str]:
    return solid.opened(shots), gr.Image(shots.frames[0]), shots.sentence()


def _connect_offers(page: gr.Blocks, tabs: gr.Tabs, solid: gr.State, opening: list) -> None:
    """Each "Make 3D of this" opens its result here and turns to this tab."""

    def open_shot(solid: Solid, shot: str, take: Take):
        if not shot:
            raise InputError("Shoot something first; then 3D can be made of it.")
        return *_opened(solid, of_result(shot, take)), gr.Tabs(selected=ID)

    for offer in offers(page):
        offer.button.click(said(open_shot), [solid, offer.shot, offer.take], [*opening, tabs], **PRIVATE)


# --- 2 · making ----------------------------------------------------------------------------------------------------


def _making() -> dict:
    """Places what can be chosen about the making."""
    gr.Markdown("### 2 · Make 3D")
    kind = gr.Radio(list(KINDS), value="points", label="Make", elem_id=f"{ID}-kind")
    cameras = gr.Dropdown(list(CAMERAS), label="Cameras", info="Estimate them where the method was not told the path.")
    depth = gr.Dropdown(list(BY_LABEL), label="Depth model", info="For frames without depth of their own.")
    with gr.Accordion("Splats", open=False):
        settings = form.controls(SplatSettings, form.basic(SplatSettings))
        with gr.Accordion("Finer settings", open=False):
            settings |= form.controls(SplatSettings, form.advanced(SplatSettings))
    with gr.Row():
        start = gr.Button("Make 3D", variant="primary", elem_id=f"{ID}-make")
        stop = gr.Button("Cancel", min_width=80, elem_id=f"{ID}-cancel")
    inputs = [kind, cameras, depth, *(settings[name] for name in SplatSettings.controls())]
    return {"inputs": inputs, "start": start, "stop": stop}


def _connect_making(solid: gr.State, made_by: dict, shown: dict) -> None:
    def make(solid: Solid, kind: str, cameras: str, depth_model: str, settings: SplatSettings):
        """Make points, a mesh or splats of the frames; splats come again and again, each better than the one before."""
        shots = solid.ready()
        choices = {"cameras": CAMERAS.get(cameras, cameras), "depth_model": BY_LABEL.get(depth_model, depth_model)}
        told_at, model, quiet = 0.0, gr.skip(), [gr.skip()] * 4
        for step in making.run(shots, kind, settings=settings, **choices):
            if isinstance(step, Made):
                solid = replace(solid, made=step)
                view = SPLATS if step.fitted is not None else OUTLINES
                model = _model(solid, view)
                views = gr.Radio(_views(step), value=view, visible=True)
                yield solid, step.sentence(), gr.skip(), model, views, gr.File(visible=False)
            elif step.preview is not None:
                yield gr.skip(), _words(step), gr.Image(step.preview, visible=True), *quiet[1:]
            elif time.monotonic() - told_at > TELL_SECONDS:
                told_at = time.monotonic()
                yield gr.skip(), _words(step), *quiet
        yield gr.skip(), solid.thing().sentence(), gr.Image(visible=False), model, *quiet[2:]

    outputs = [solid, *(shown[name] for name in ("status", "early", "model", "view", "files"))]
    running = made_by["start"].click(
        form.handler(
            make, SplatSettings, before={"solid": Solid, "kind": str, "cameras": str, "depth_model": str}, name=f"{ID}_make"
        ),
        [solid, *made_by["inputs"]], outputs, api_name=f"{ID}_make", concurrency_id=ID, concurrency_limit=2,
        show_progress="hidden",
    )  # fmt: skip

    def cancelled(solid: Solid):
        kept = f"Stopped; kept: {solid.made.sentence()}" if solid.made is not None else "Cancelled."
        return kept, gr.Image(visible=False)

    made_by["stop"].click(
        cancelled, solid, [shown["status"], shown["early"]], cancels=[running], **PRIVATE
    )  # fmt: skip


def _words(step: Progress) -> str:
    count = f" {step.step} of {step.steps}" if step.steps > 1 else ""
    return f"**{step.phase}**{count}" + (f" · {step.note}" if step.note else "")


# --- what was made -------------------------------------------------------------------------------------------------


def _screen(solid: gr.State) -> dict:
    """Places the thing in 3D and its files."""
    status = gr.Markdown(elem_classes="told", elem_id=f"{ID}-status")
    early = gr.Image(label="So far", visible=False, height=220, interactive=False, elem_id=f"{ID}-early")
    model = gr.Model3D(
        label="3D", height=460, clear_color=(0.1, 0.1, 0.1, 1.0), interactive=False, elem_id=f"{ID}-model"
    )
    view = gr.Radio([OUTLINES, PLAIN], label="Show", visible=False, elem_id=f"{ID}-view")
    pack = gr.Button("Files: points, mesh or splats, COLMAP and nerfstudio folders", size="sm", elem_id=f"{ID}-pack")
    files = gr.File(label="Files", file_count="multiple", visible=False, interactive=False, elem_id=f"{ID}-files")

    def show(solid: Solid, view: str):
        """The thing in 3D: splats, or points or mesh with or without the cameras."""
        return _model(solid, view)

    def pack_files(solid: Solid):
        """Points (PLY, GLB), a COLMAP and a nerfstudio folder, and the mesh (PLY, GLB) or the splats (PLY, .splat)."""
        from pipelines.reconstruct import display

        written = []
        for name, data in display.files(solid.thing()).items():
            target = solid.file(name)
            target.write_bytes(data)
            written.append(str(target))
        return gr.File(written, visible=True)

    view.input(said(show), [solid, view], model, api_name=f"{ID}_show", show_progress_on=model)
    pack.click(said(pack_files), solid, files, api_name=f"{ID}_files")
    return {"status": status, "early": early, "model": model, "view": view, "files": files}


def _views(made: Made) -> list[str]:
    return [SPLATS, OUTLINES, PLAIN] if made.fitted is not None else [OUTLINES, PLAIN]


def _model(solid: Solid, view: str) -> str:
    """A new file for the viewer."""
    from pipelines.reconstruct import display

    made = solid.thing()
    if view not in _views(made):
        raise InputError(f"What was made can be shown as {', '.join(_views(made))}; got {view!r}.")
    name = f"shown-{uuid.uuid4().hex[:8]}"
    for old in solid.folder.glob("shown-*"):
        old.unlink(missing_ok=True)
    if view == SPLATS:
        target, data = solid.file(f"{name}.ply"), display.shown_splats(made)
    else:
        target, data = solid.file(f"{name}.glb"), display.shown_glb(made, cameras=view == OUTLINES)
    target.write_bytes(data)
    return str(target)


# --- 3 · flying through --------------------------------------------------------------------------------------------


def _flight(solid: gr.State) -> None:
    """Places the fly-through along any path."""
    gr.Markdown("### 3 · Fly through it")
    source = gr.Radio(list(FLIGHTS), value=AS_SHOT, show_label=False, elem_id=f"{ID}-flight-from")
    film = gr.Textbox(
        "arc 30 ease; arc -60 ease; arc 30 ease", label="Moves", info="; then, + at the same time", visible=False
    )
    with gr.Group(visible=False) as own:
        file = gr.File(label="Path file", height=90)
        file_told = gr.Markdown(
            "COLMAP, nerfstudio, RealEstate10K, TUM, GEN3C, DualCamCtrl or Reshoot JSON.", padding=True
        )
    with gr.Row():
        frames = gr.Slider(2, 241, 49, step=1, label="Frames", info="Of moves and of the ellipse.")
        longest = gr.Slider(64, 1280, 384, step=16, label="Longest side")
    with gr.Row():
        start = gr.Button("Fly", variant="primary", elem_id=f"{ID}-fly")
        stop = gr.Button("Cancel", min_width=80)
    video = gr.Video(label="Fly-through", autoplay=True, loop=True, height=360, elem_id=f"{ID}-flight")

    def open_path(solid: Solid, path_file: str):
        """Read a path file for the fly-through."""
        if not path_file:
            raise InputError("Choose a path file.")
        own = read(Path(path_file).name, Path(path_file).read_bytes(), like=solid.made.path if solid.made else None)
        return replace(solid, flight=own), f"{len(own)} frames, {own.width} x {own.height}, {own.fps:g} per second."

    def fly(
        solid: Solid, flight_from: str, film_moves: str, frames: int, longest_side: int,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ):  # fmt: skip
        """Render a flight through what was made, along any path; returns the video."""
        from pipelines.reconstruct import display

        path = solid.path(flight_from, film_moves, int(frames), int(longest_side))
        target = solid.file(f"flight-{uuid.uuid4().hex[:8]}.mp4")
        with mp4_writer(target, path.fps) as write:
            for number, frame in enumerate(display.flight(solid.thing(), path), 1):
                write(frame)
                progress((number, len(path)), desc="Flying", unit="frames")
                yield gr.skip()
        yield str(target)

    source.change(
        lambda chosen: (gr.Textbox(visible=chosen == FILM), gr.Group(visible=chosen == OWN_FILE)), source, [film, own],
        **PRIVATE,
    )  # fmt: skip
    file.upload(said(open_path), [solid, file], [solid, file_told], api_name=f"{ID}_open_path")
    running = start.click(
        said(fly), [solid, source, film, frames, longest], video, api_name=f"{ID}_fly", concurrency_id=ID,
        concurrency_limit=2, show_progress_on=video,
    )  # fmt: skip
    stop.click(None, cancels=[running], api_visibility="private")

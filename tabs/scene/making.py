"""Reconstruction in the Scene tab: its options, their defaults for the open frames, and the run."""

from __future__ import annotations

import time
from typing import Any

import gradio as gr

from camera.errors import InputError
from pipelines.estimation.depth import MODELS
from pipelines.method import Progress
from pipelines.reconstruct import pipeline
from pipelines.reconstruct.dynamic_points import MovingPoints, find_moving_points
from pipelines.reconstruct.gaussians.settings import SplatSettings
from pipelines.reconstruct.pipeline import BACKGROUNDS, CAMERAS, KEEPS, KINDS, Reconstruction
from tabs.parts import form
from tabs.parts.form import wrap_handler
from tabs.scene.session import ID, PRIVATE, OpenedFrames, SceneTabState
from tabs.scene.viewer import Screen

MOTION = "points in motion"
TELL_SECONDS = 0.3
BY_LABEL = {model.label: key for key, model in MODELS.items()}
CAMERA_WORDS, KEEP_WORDS, BACKGROUND_WORDS = (
    {value: words for words, value in each.items()} for each in (CAMERAS, KEEPS, BACKGROUNDS)
)


class ReconstructionForm:
    """The reconstruction controls of one visitor; ``chosen``: those that are set or reset when frames are opened."""

    def __init__(self, solid: gr.State) -> None:
        self.solid = solid
        self.kind = gr.Radio([*KINDS, MOTION], value="points", label="Make", elem_id=f"{ID}-kind", render=False)
        self.cameras = gr.Dropdown(
            list(CAMERAS), label="Cameras", info="Estimate the cameras if the method did not receive the path.", elem_id=f"{ID}-cameras",
            render=False,
        )  # fmt: skip
        self.texture = gr.Checkbox(
            label="Also with a texture", info="A second, low-polygon mesh with its colours in one texture: small, for other programs.",
            visible=False, elem_id=f"{ID}-texture", render=False,
        )  # fmt: skip
        self.closed = gr.Checkbox(
            label="The camera comes back to where it began", info="As in a 360 degree orbit: joins its end to its beginning.",
            elem_id=f"{ID}-closed", render=False,
        )  # fmt: skip
        self.keep = gr.Radio(list(KEEPS), value=next(iter(KEEPS)), label="Keep", elem_id=f"{ID}-keep", render=False)

    @property
    def chosen(self) -> list:
        return [self.kind, self.cameras, self.closed, self.keep, self.masks, self.masked, self.movers, self.moved]

    def suited(self, opened: OpenedFrames) -> tuple[list, str]:
        """Updates of the controls `chosen` to suitable defaults for the opened frames, and the reason if they are unusual."""
        nominal = opened.shots.nominal
        cameras = CAMERA_WORDS["estimated" if nominal else "given"]
        words = (
            f"Selected below: cameras {cameras}, because the drawn path is only the path requested from the method."
            if nominal
            else ""
        )
        kind = gr.Radio(value=MOTION if opened.moves else "points")
        return [
            kind,
            gr.Dropdown(value=cameras),
            gr.Checkbox(value=opened.closes),
            gr.Radio(value=KEEP_WORDS["everything"]),
            *[gr.File(None), gr.Markdown("", visible=False)] * 2,
        ], words

    def controls(self) -> None:
        """Place the controls."""
        gr.Markdown("### 2 · Make 3D")
        with gr.Group():
            self.kind.render()
            self.texture.render()
            self.cameras.render()
            self.depth = gr.Dropdown(list(BY_LABEL), label="Depth model", info="For frames without their own depth.")
        with gr.Accordion("Whole orbits, objects, background", open=False):
            self.closed.render()
            self.keep.render()
            self.masks = gr.File(
                label="Masks of the object, one per frame", file_count="multiple", height=130, visible=False,
                elem_id=f"{ID}-masks",
            )  # fmt: skip
            self.masked = gr.Markdown(elem_classes="told", padding=True, visible=False)
            self.movers = gr.File(
                label="Masks of moving parts (left out), one per frame", file_count="multiple",
                height=130, elem_id=f"{ID}-movers",
            )  # fmt: skip
            self.moved = gr.Markdown(elem_classes="told", padding=True, visible=False)
            self.behind = gr.Radio(
                list(BACKGROUNDS), value=next(iter(BACKGROUNDS)), label="Behind everything",
                info="A distant dome in the frames' colours, so that flights do not show black.",
            )  # fmt: skip
        with gr.Accordion("Splats", open=False):
            settings = form.controls(SplatSettings, form.basic_names(SplatSettings))
            with gr.Accordion("Finer settings", open=False):
                settings |= form.controls(SplatSettings, form.advanced_names(SplatSettings))
        self.settings = [settings[name] for name in SplatSettings.controls()]
        with gr.Row():
            self.start = gr.Button("Make 3D", variant="primary", elem_id=f"{ID}-make")
            self.stop = gr.Button("Cancel", min_width=80, elem_id=f"{ID}-cancel")

    def connect(self, screen: Screen) -> None:
        """Connect controls and run; call after the screen is placed."""

        def open_masks(solid: SceneTabState, mask_files: list[str]):
            """Mark the object of the open frames: a picture for each, in the order of their names; no files unmark it."""
            return solid.marked(mask_files or []), _count_masks(mask_files)

        def open_moving_masks(solid: SceneTabState, mask_files: list[str]):
            """Mark moving parts of the open frames, which are left out: a picture for each, in the order of their names; no files
            unmark them."""
            return solid.marked(mask_files or [], moving=True), _count_masks(mask_files)

        for given, report_line, opens in (
            (self.masks, self.masked, open_masks),
            (self.movers, self.moved, open_moving_masks),
        ):
            given.change(
                wrap_handler(opens), [self.solid, given], [self.solid, report_line], api_name=f"{ID}_{opens.__name__}"
            )
        self.kind.change(lambda kind: gr.Checkbox(visible=kind == "mesh"), self.kind, self.texture, **PRIVATE)
        self.keep.change(
            lambda keep: gr.File(visible=keep == KEEP_WORDS["masks"]), self.keep, self.masks, **PRIVATE
        )  # fmt: skip
        before: dict[str, Any] = {
            "solid": SceneTabState,
            "kind": str,
            "cameras": str,
            "depth_model": str,
            "closed": bool,
            "keep": str,
            "behind": str,
            "texture": bool,
        }
        inputs = [
            self.solid,
            self.kind,
            self.cameras,
            self.depth,
            self.closed,
            self.keep,
            self.behind,
            self.texture,
            *self.settings,
        ]
        running = self.start.click(
            form.handler(_make, SplatSettings, before=before, name=f"{ID}_make"), inputs, screen.outputs, api_name=f"{ID}_make",
            concurrency_id=ID, concurrency_limit=2, show_progress="hidden",
        )  # fmt: skip
        running.success(wrap_handler(Screen.viewed), self.solid, [screen.model, screen.view], **PRIVATE)
        stopped = [screen.status, screen.running, screen.model, screen.view]
        form.cancel_with(self.stop, [running], stopped, _describe_kept, self.solid)


def _make(
    solid: SceneTabState, kind: str, cameras: str, depth_model: str, closed: bool, keep: str, behind: str, texture: bool,
    settings: SplatSettings,
):  # fmt: skip
    """Reconstruct points, a mesh, splats or moving points from the frames; splats appear repeatedly, each better than the previous
    ones."""
    opened = solid.ready()
    cameras, depth_model = CAMERAS.get(cameras, cameras), BY_LABEL.get(depth_model, depth_model)
    around = {"closed": closed, "keep": KEEPS.get(keep, keep), "background": BACKGROUNDS.get(behind, behind)}
    around |= {"cameras": cameras, "depth_model": depth_model}
    if kind == MOTION:
        steps = pipeline.in_queue(lambda: find_moving_points(opened.shots, opened.moments, **around))
    else:
        steps = pipeline.run(opened.shots, kind, settings=settings, texture=texture, **around)
    yield from _screen_updates(solid, steps)


def _screen_updates(solid: SceneTabState, steps):
    """Updates of the screen for each step; errors are shown there too, and remain."""
    shown_at = 0.0
    begun = {"running": gr.Column(visible=True), "doing": "**Begins** ...", "early": gr.Image(None, visible=False)}
    yield Screen.update(status="", flown=gr.Video(None, visible=False), **begun)
    try:
        for step in steps:
            if isinstance(step, Reconstruction | MovingPoints):
                solid = solid.with_made(step)
                yield Screen.update(solid=solid, **Screen.showing(solid))
            elif step.preview is not None:
                yield Screen.update(doing=_progress_text(step), early=gr.Image(step.preview, visible=True))
            elif time.monotonic() - shown_at > TELL_SECONDS:
                shown_at = time.monotonic()
                yield Screen.update(doing=_progress_text(step))
    except InputError as error:
        yield Screen.update(status=f"**Not made.** {error}", running=gr.Column(visible=False))
        raise
    yield Screen.update(status=solid.sentence(), running=gr.Column(visible=False))


def _count_masks(masks: list[str]) -> gr.Markdown:
    return gr.Markdown(f"{len(masks)} masks, one for each frame." if masks else "", visible=bool(masks))


def _progress_text(step: Progress) -> str:
    count = f" {step.step} of {step.steps}" if step.steps > 1 else ""
    return f"**{step.phase}**{count}" + (f" · {step.note}" if step.note else "")


def _describe_kept(solid: SceneTabState):
    """What is kept."""
    if solid.made is None:
        return "Cancelled.", gr.Column(visible=False), gr.skip(), gr.skip()
    return f"Stopped; kept: {solid.sentence()}", gr.Column(visible=False), *Screen.viewed(solid)

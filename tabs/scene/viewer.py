"""The output of the Scene tab: 3D viewer, view from the cameras, and files."""

from __future__ import annotations

import uuid
from typing import Any

import gradio as gr

from camera.errors import InputError
from pipelines.media.video import complete
from pipelines.reconstruct.pipeline import Reconstruction
from tabs.parts.form import wrap_handler
from tabs.scene import orbit
from tabs.scene.session import ID, SceneTabState

SPLATS, OUTLINES, PLAIN = "Splats", "With the cameras", "Without the cameras"
BACKDROP = (0.1, 0.1, 0.1, 1.0)
BEFORE = "You can rotate, fly through and download the reconstruction."


class Screen:
    """The reconstruction in 3D, the views from its cameras, and its files; ``made`` contains all of it.

    The viewer stays in the page while it is empty: Gradio's does not load a file that arrives before the viewer exists.
    """

    def __init__(self, solid: gr.State) -> None:
        self.solid = solid
        self.status = gr.Markdown(BEFORE, elem_classes="told", elem_id=f"{ID}-status", render=False)
        self.running = gr.Column(visible=False, elem_id=f"{ID}-running", render=False)
        self.doing = gr.Markdown(elem_classes="told", elem_id=f"{ID}-doing", render=False)
        self.early = gr.Image(
            label="So far",
            visible=False,
            height=220,
            interactive=False,
            elem_id=f"{ID}-early",
            buttons=[],
            render=False,
        )
        self.made = gr.Column(render=False)
        self.timing: gr.Row
        """Controls of time of the flight, which are placed later."""
        self.flown: gr.Video
        """Video of the flight, placed later."""

    @property
    def outputs(self) -> list:
        """State and components that a run updates, in the order of `update`."""
        return [
            self.solid,
            self.status,
            self.running,
            self.doing,
            self.early,
            self.stage,
            self.seeing,
            self.files,
            self.timing,
            self.flown,
        ]

    def place_progress(self) -> None:
        """Place the progress of a run beside the button that starts it.

        The progress has its own component: steps that reach the page after a cancel stay hidden with it.
        """
        self.status.render()
        self.running.render()
        with self.running:
            self.doing.render()
            self.early.render()

    def place(self) -> None:
        """Place the rest."""
        self.made.render()
        with self.made:
            gr.Markdown("### 3 · Look at it")
            self.model = gr.Model3D(
                label="3D", height=460, clear_color=BACKDROP, interactive=False, elem_id=f"{ID}-model"
            )
            self.view = gr.Radio(
                [SPLATS, OUTLINES, PLAIN], value=OUTLINES, show_label=False, visible=False, elem_id=f"{ID}-view"
            )
            gr.Markdown(
                "**The cameras and their views.** Drag the points to rotate them, or the picture to look around; fly with W A S D Q E."
            )
            self.stage, self.seeing = orbit.orbit(ID, self.solid)
            pack = gr.Button("Files: the whole reconstruction, with the cameras", size="sm", elem_id=f"{ID}-pack")
            self.files = gr.File(
                label="Files", file_count="multiple", visible=False, interactive=False, elem_id=f"{ID}-files"
            )

        def show(solid: SceneTabState, view: str):
            """The reconstruction in 3D: splats, or points, mesh or the centres of splats with or without the cameras."""
            return _model(solid, view)

        def pack_files(solid: SceneTabState):
            """Points (PLY, GLB), a COLMAP and a nerfstudio folder, and the mesh (PLY, GLB, also textured if made) or
            the splats (PLY, .splat); of points in motion a folder for each moment and a page that plays them."""
            return gr.File(_pack(solid), visible=True)

        self.view.input(
            wrap_handler(show), [self.solid, self.view], self.model, api_name=f"{ID}_show", show_progress_on=self.model
        )
        pack.click(
            wrap_handler(pack_files), self.solid, self.files, api_name=f"{ID}_files", show_progress_on=self.files
        )

    @staticmethod
    def update(**changes) -> tuple:
        """Updates of `outputs` by name; the others are unchanged."""
        names = ("solid", "status", "running", "doing", "early", "stage", "seeing", "files", "timing", "flown")
        return tuple(changes.get(name, gr.skip()) for name in names)

    @staticmethod
    def showing(solid: SceneTabState) -> dict[str, Any]:
        """The arguments of `update`, except the state, for a reconstruction."""
        return {
            "status": solid.sentence(),
            "stage": orbit.orbit_value(solid),
            "seeing": orbit.OrbitView(),
            "files": gr.File(visible=False),
            "timing": gr.Row(visible=solid.moving is not None),
        }

    @staticmethod
    def viewed(solid: SceneTabState) -> tuple[gr.Model3D, gr.Radio]:
        """Updates of the viewer and of its choices.

        Uses a separate event: values yielded by a generator are sent twice, and Gradio's viewer never shows a file that arrives a
        second time while the viewer itself is still loading.
        """
        from pipelines.reconstruct import display

        if solid.moving is not None:
            return gr.Model3D(None, visible="hidden"), gr.Radio(visible=False)
        views = _views(solid.thing())
        model = gr.Model3D(_model(solid, views[0]), camera_position=display.viewpoint(solid.thing()), visible=True)
        return model, gr.Radio(views, value=views[0], visible=True)


def _views(made: Reconstruction) -> list[str]:
    return [SPLATS, OUTLINES, PLAIN] if made.fitted is not None else [OUTLINES, PLAIN]


def _model(solid: SceneTabState, view: str) -> str:
    """A new file for the viewer."""
    from pipelines.reconstruct import display

    made = solid.thing()
    if view not in _views(made):
        raise InputError(f"The reconstruction can be shown as {', '.join(_views(made))}; got {view!r}.")
    name = f"shown-{uuid.uuid4().hex[:8]}"
    for old in solid.folder.glob("shown-*"):
        old.unlink(missing_ok=True)
    if view == SPLATS:
        return _write(solid, f"{name}.ply", display.splats_for_viewer(made))
    return _write(solid, f"{name}.glb", display.glb_for_viewer(solid.thing(), cameras=view == OUTLINES))


def _pack(solid: SceneTabState) -> list[str]:
    from pipelines.reconstruct import display

    if solid.moving is not None:
        found = solid.moving.files() | {"points_in_motion.html": orbit.animation_page(solid.moving)}
    else:
        found = display.files(solid.thing())
    return [_write(solid, name, data) for name, data in found.items()]


def _write(solid: SceneTabState, name: str, data: bytes) -> str:
    target = solid.file(name)
    with complete(target) as part:
        part.write_bytes(data)
    return str(target)

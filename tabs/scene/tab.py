"""The Scene tab: any result, or any frames with cameras, as points, mesh, Gaussian splats or points in motion."""

from __future__ import annotations

import gradio as gr

from camera.errors import InputError
from camera.path import CameraPath
from camera.trajectories import film_script
from camera.view import Fit, Scene
from examples import EXAMPLES, load
from pipelines.reconstruct import pipeline as making
from tabs.parts.form import wrap_handler
from tabs.parts.send_to_scene import offers
from tabs.project.project import Project, forget
from tabs.scene.flight import flight
from tabs.scene.making import ReconstructionForm
from tabs.scene.session import ID, PRIVATE, OpenedFrames, SceneTabState, read_frames, read_result
from tabs.scene.viewer import BEFORE, Screen

EXAMPLE_FRAMES, EXAMPLE_SIDE = 16, 384


def build(page: gr.Blocks, tabs: gr.Tabs, project: gr.State) -> None:
    """Place the tab; call inside a `gr.Tab` of ``page``, after the tabs whose results it uses."""
    gr.Markdown(
        "**From video to 3D.** Any result, or any frames with cameras, becomes points, a mesh, Gaussian splats or points in "
        "motion that you can turn, fly through and download with the cameras."
    )
    solid = gr.State(SceneTabState(), time_to_live=6 * 3600, delete_callback=forget)
    screen, making = Screen(solid), ReconstructionForm(solid)
    with gr.Row():
        with gr.Column(scale=4, min_width=340):
            source = _Source(solid, making, screen, project)
            making.controls()
            screen.place_progress()
        with gr.Column(scale=7, min_width=340):
            screen.place()
            with screen.made:
                screen.timing, screen.flown = flight(solid)
    source.connect()
    making.connect(screen)
    _connect_offers(page, tabs, source)


class _Source:
    """The inputs: results, frames with cameras, examples."""

    def __init__(self, solid: gr.State, making: ReconstructionForm, screen: Screen, project: gr.State) -> None:
        self.solid, self.making, self.screen, self.project = solid, making, screen, project
        gr.Markdown("### 1 · Frames with cameras")
        self.result = gr.File(
            label="A result of Reshoot (mp4; of a 4D result all files)", height=130, file_types=[".mp4", ".json"],
            file_count="multiple", elem_id=f"{ID}-result-in",
        )  # fmt: skip
        self.of_project = gr.Button(
            "Use the scene and the move of the methods' tabs", size="sm", elem_id=f"{ID}-of-project"
        )
        with gr.Accordion("Your own frames", open=False):
            self.frames = gr.File(
                label="A video, pictures in order, or a zip with cameras", file_count="multiple", height=130
            )
            self.cameras = gr.File(label="Their cameras (COLMAP, nerfstudio, Reshoot JSON ...)", height=130)
            gr.Markdown("Without a camera file, cameras are estimated if possible.", padding=True)
            self.take_in = gr.Button("Open these frames", size="sm")
        with gr.Accordion("Try it with an example", open=False):
            self.example = gr.Dropdown(
                [(each.title, each.name) for each in EXAMPLES], value="still_life", label="Example"
            )
            self.film = gr.Textbox(
                "arc 24 ease",
                label="Camera move",
                info="For a single picture; clips and several views are used unchanged.",
            )
            self.try_it = gr.Button("Open the example", size="sm", elem_id=f"{ID}-try")
        self.picture = gr.Image(
            label="First frame", height=170, interactive=False, visible=False, elem_id=f"{ID}-first", buttons=[]
        )
        self.opened_line = gr.Markdown(elem_classes="told", elem_id=f"{ID}-opened")

    @property
    def outputs(self) -> list:
        """Components that are updated when something is opened."""
        return [self.solid, self.picture, self.opened_line, *self.making.chosen, self.screen.status, self.screen.flown]

    def opened(self, solid: SceneTabState, opened: OpenedFrames) -> tuple:
        picture = gr.Image(opened.shots.frames[0], visible=True)
        chosen, words = self.making.suited(opened)
        opened_line = "  \n".join(filter(None, [opened.sentence(), words]))
        return solid.with_opened(opened), picture, opened_line, *chosen, BEFORE, gr.Video(None, visible=False)

    def connect(self) -> None:
        """Connect the inputs; call when all components that they update are placed."""
        shared = {"outputs": self.outputs, "show_progress_on": self.opened_line}

        def open_result(solid: SceneTabState, result_files: list[str]):
            """Open a result's mp4: its frames and the path it was shot on; of a 4D result all its files."""
            if not result_files:
                raise InputError("Choose an mp4 made by Reshoot.")
            return self.opened(solid, read_result(result_files))

        def open_frames(solid: SceneTabState, frame_files: list[str], camera_file: str | None = None):
            """Open your own frames: a video or pictures with a camera file, or files that contain their cameras."""
            if not frame_files:
                raise InputError("Choose frames first: a video, pictures, or a zip.")
            return self.opened(solid, read_frames(frame_files, camera_file))

        def open_example(solid: SceneTabState, example: str, film_moves: str):
            """Open an example: a clip or several views unchanged, a picture re-shot from its own exact depth along film
            moves."""
            return self.opened(solid, _example(example, film_moves))

        def open_project(solid: SceneTabState, project: Project):
            """Open the project's scene: a clip or several views unchanged, a picture re-shot from its depth along the move."""
            return self.opened(solid, _open_project_scene(project))

        self.of_project.click(
            wrap_handler(open_project), [self.solid, self.project], api_name=f"{ID}_open_project", **shared
        )
        self.result.upload(wrap_handler(open_result), [self.solid, self.result], api_name=f"{ID}_open_result", **shared)
        self.take_in.click(
            wrap_handler(open_frames), [self.solid, self.frames, self.cameras], api_name=f"{ID}_open_frames", **shared
        )
        self.try_it.click(
            wrap_handler(open_example), [self.solid, self.example, self.film], api_name=f"{ID}_open_example", **shared
        )


def _example(name: str, film: str) -> OpenedFrames:
    scene = _scale_down(load(name))
    if scene.kind != "still":
        return OpenedFrames(making.shots_of_views(scene), moves=scene.kind == "clip")
    return _shoot_along(scene, film_script.path_of(film, scene.first, frames=EXAMPLE_FRAMES))


def _open_project_scene(project: Project) -> OpenedFrames:
    if project.scene is None:
        raise InputError("There is no scene yet: choose an example or open a picture on a method's tab first.")
    if project.scene.kind != "still":
        scene = _scale_down(project.scene)
        return OpenedFrames(making.shots_of_views(scene), moves=scene.kind == "clip")
    scene, path = project.ready()
    small = _scale_down(scene, "stretch")
    path = path.resized(small.first.width, small.first.height)
    return _shoot_along(small, path.resampled(min(len(path), EXAMPLE_FRAMES)))


def _scale_down(scene: Scene, fit: Fit = "crop") -> Scene:
    sides = scene.first.width, scene.first.height
    width, height = (round(side * min(1.0, EXAMPLE_SIDE / max(sides)) / 2) * 2 for side in sides)
    return scene.fitted(width, height, fit)


def _shoot_along(scene: Scene, path: CameraPath) -> OpenedFrames:
    """Frames rendered from a picture's depth along ``path``."""
    steps = making.shots_along(scene, path)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return OpenedFrames(end.value)


def _connect_offers(page: gr.Blocks, tabs: gr.Tabs, source: _Source) -> None:
    """Connect each button beside a result to open it here and select this tab."""

    def open_shot(solid: SceneTabState, shot: str):
        if not shot:
            raise InputError("Shoot something first; then you can make 3D of it.")
        return *source.opened(solid, read_result([shot])), gr.Tabs(selected=ID)

    for offer in offers(page):
        offer.button.click(wrap_handler(open_shot), [source.solid, offer.shot], [*source.outputs, tabs], **PRIVATE)

"""More of the same place: a second capture, masks of moving parts of a clip, and its depth over time as a table."""

from __future__ import annotations

import gradio as gr

from camera.errors import InputError
from tabs.parts.form import wrap_handler
from tabs.project.project import Project
from tabs.shared.source import describe_scene, gather_files, table_file
from tabs.shared.studio import PRIVATE, Studio, signal

NO_MASKS = "Without masks, motion is detected from the geometry alone."


class Captures:
    """The section."""

    def __init__(self, studio: Studio, status: gr.Markdown) -> None:
        project = studio.project
        with gr.Accordion("Second capture, moving parts, depth over time", open=False, elem_id="captures"):
            second = gr.File(
                label="A second capture of this place: clip, pictures or views", file_count="multiple", height=130,
                elem_id="second-capture",
            )  # fmt: skip
            words = gr.Markdown(
                "It is registered by points visible in both captures, and fills areas that the first does not show. Everything in it is assumed to be static.",
                padding=True, elem_id="second-words",
            )  # fmt: skip
            masks = gr.File(
                label="Masks of moving parts of the clip: a video, a zip, or a picture per frame", file_count="multiple", height=130,
                elem_id="moving-masks",
            )  # fmt: skip
            masked = gr.Markdown(NO_MASKS, padding=True, elem_id="moving-words")
            table = gr.Button("Depth over time as a table (CSV)", size="sm", elem_id="depth-table-make")
            csv = gr.File(label="Depth over time", height=70, visible=False, interactive=False, elem_id="depth-table")
        second.upload(
            wrap_handler(add_capture), [project, second], [project, words, status, studio.opened], api_name="add_capture",
            show_progress_on=words, concurrency_id="scene-parts", concurrency_limit=2,
        )  # fmt: skip
        gr.on(
            [masks.upload, masks.clear], wrap_handler(set_moving_masks), [project, masks], [project, masked, studio.redraw], api_name="set_moving_masks",
            show_progress_on=masked,
        )  # fmt: skip
        table.click(
            wrap_handler(depth_table), project, csv, api_name="depth_over_time", show_progress_on=csv, concurrency_id="scene-parts",
            concurrency_limit=2,
        )  # fmt: skip
        studio.opened.change(lambda: gr.File(None, visible=False), None, csv, **PRIVATE)
        studio.follow(_masks_words, masked)


def add_capture(project: Project, files: list[str]):
    """Register a second capture of the open place: a clip, several pictures, or one; its pictures fill areas that the first does not show."""
    from pipelines.estimation.second_capture import add_capture as register
    from pipelines.inputs.open import read_second

    if project.scene is None:
        raise InputError("Open the first capture before the second.")
    if not files:
        raise InputError("Choose a clip, pictures or views of the same place.")
    with gather_files(project, files) as together:
        second, note = read_second(together)
    found = register(project.scene, second)
    project = project.changed("add a second capture", scene=found.scene, example="")
    return project, f"{found.sentence()} {note} Undo removes it.", describe_scene(found.scene), signal()


def set_moving_masks(project: Project, files: list[str] | None):
    """Mark moving parts of the open clip, one mask per frame, bright on them; they are excluded from its static parts. None removes the masks."""
    from pipelines.reconstruct.object_mask import read_masks

    if not files:
        changed = project if project.content.moving is None else project.changed("remove the masks", moving=None)
        return changed, NO_MASKS, signal()
    if project.scene is None or project.scene.kind != "clip":
        raise InputError("Masks mark moving parts of a clip; open a clip first.")
    masks = read_masks(files, len(project.scene.views))
    project = project.changed("mask moving parts", moving=masks)
    return project, _masks_words(project), signal()


def _masks_words(project: Project) -> str:
    masks = project.content.moving
    if masks is None:
        return NO_MASKS
    return f"{len(masks)} masks, {masks.mean():.1%} of the pictures. Choose *Show what stands still at other times of the clip* and rehearse."


def depth_table(project: Project):
    """Scale, offset and residuals of the clip's depth, a line per frame, before and after it is stabilised; the scene is unchanged."""
    from pipelines.estimation.depth_over_time import steady_scene

    if project.scene is None:
        raise InputError("Open a clip first.")
    file = table_file(project)
    if not file.is_file():
        _, found = steady_scene(project.scene, moving=_moving(project))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(found.table())
    return gr.File(str(file), visible=True)


def _moving(project: Project):
    from camera.completion.masks import fit_masks

    masks, scene = project.content.moving, project.scene
    if masks is None or scene is None:
        return None
    return fit_masks(masks, scene.first.width, scene.first.height, "stretch")

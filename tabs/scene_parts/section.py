"""Select a part of the picture by a click, a box or a mask, and remove, move or duplicate it; every edit can be undone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import gradio as gr
import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.view import View
from tabs.parts.event_values import pair, read_event
from tabs.parts.form import VISITORS, wrap_handler
from tabs.project.project import Project
from tabs.shared.source import describe_scene
from tabs.shared.studio import PRIVATE, Studio, signal

CLICK, BOX, MASK, PAINT = "A click", "A box: two clicks", "A mask file", "Painting"
MOST_SIDE = 960
"""Longer side of the clickable picture, in pixels."""
TINT = np.array([235, 64, 122], np.float32)
NOTHING = "Click on an object in the picture."
Change = Literal["remove", "move", "duplicate"]


@dataclass(frozen=True, eq=False)
class Selection:
    """``mask`` (H,W) of picture number ``index``, None without a selection; ``corner``: the first corner of a box, in its pixels."""

    index: int = 0
    mask: NDArray[np.bool_] | None = None
    corner: tuple[float, float] | None = None


class SceneParts:
    """The section. Its picture is drawn when the section is opened, and again after the scene has changed."""

    def __init__(self, studio: Studio, status: gr.Markdown) -> None:
        self.studio, self.status = studio, status
        self.chosen, self.is_open = gr.State(Selection()), gr.State(False)
        self.shown = gr.Textbox("", visible=False)
        """Identifier of the scene that the picture shows."""
        with gr.Accordion("Remove, move or duplicate a part", open=False, elem_id="scene-parts") as self.section:
            self._place()
        self._connect()

    def _place(self) -> None:
        with gr.Row():
            self.by = gr.Radio([CLICK, BOX, MASK, PAINT], value=CLICK, label="Chosen by", elem_id="part-by")
            self.index = gr.Number(
                0,
                label="Picture",
                precision=0,
                minimum=0,
                info="Frame of a clip, or number of a view, from 0.",
                min_width=100,
            )
        self.picture = gr.Image(
            label="The part", interactive=False, format="jpeg", height=320, elem_id="part-picture", buttons=[], type="numpy"
        )  # fmt: skip
        self.mask = gr.File(label="Mask: a picture, bright on the part", height=130, visible=False, elem_id="part-mask")
        self.canvas = gr.ImageEditor(
            label="Paint over the part", type="numpy", visible=False, height=360, elem_id="part-canvas", layers=False,
            sources=[], transforms=[], buttons=[],
        )  # fmt: skip
        self.use_painting = gr.Button("Use the painted area", size="sm", visible=False, elem_id="part-take")
        self.words = gr.Markdown(NOTHING, padding=True, elem_id="part-words")
        with gr.Row():
            self.right, self.ahead, self.up, self.turn = (
                gr.Number(0.0, label=label, step=step, min_width=90, info=info)
                for label, info, step in (
                    ("Right", "In units of its distance", 0.05), ("Ahead", "1: twice as far away", 0.05),
                    ("Up", "From the ground", 0.05), ("Turn", "Degrees, only in splats", 5),
                )
            )  # fmt: skip
        with gr.Row():
            self.buttons: dict[Change, gr.Button] = {
                "remove": gr.Button("Remove", min_width=80, elem_id="part-remove"),
                "move": gr.Button("Move", min_width=80, elem_id="part-move"),
                "duplicate": gr.Button("Duplicate", min_width=80, elem_id="part-duplicate"),
            }

    @property
    def _outputs(self) -> list:
        return [self.chosen, self.picture, self.words]

    def _connect(self) -> None:
        project, views = self.studio.project, [self.picture, self.canvas]
        self.studio.follow(lambda project: str(id(project.scene)) if project.scene else "", self.shown)
        self.section.expand(
            wrap_handler(lambda project, index: (True, *drawn(project, index))), [project, self.index], [self.is_open, self.chosen, *views],
            **PRIVATE,
        )  # fmt: skip
        self.shown.change(
            wrap_handler(lambda project, index, is_open: drawn(project, index) if is_open else (Selection(), gr.skip(), gr.skip())),
            [project, self.index, self.is_open], [self.chosen, *views], **PRIVATE,
        )  # fmt: skip
        self.index.submit(wrap_handler(drawn), [project, self.index], [self.chosen, *views], **PRIVATE)
        self.by.input(
            lambda by: (gr.Image(visible=by != PAINT), gr.File(visible=by == MASK), gr.ImageEditor(visible=by == PAINT), gr.Button(visible=by == PAINT)),
            self.by, [self.picture, self.mask, self.canvas, self.use_painting], **PRIVATE,
        )  # fmt: skip
        self.picture.select(
            wrap_handler(clicked), [project, self.chosen, self.by, self.index], self._outputs, show_progress_on=self.words,
            api_visibility="private",
        )  # fmt: skip
        self.mask.upload(
            wrap_handler(choose_by_mask),
            [project, self.mask, self.index],
            self._outputs,
            api_name="choose_part_by_mask",
        )
        self.use_painting.click(
            wrap_handler(painted), [project, self.canvas, self.index], self._outputs, api_visibility="private"
        )
        numbers = [gr.Number(value, visible=False) for value in (0, 0, -1, -1)]
        self.studio.endpoint(choose_part, [project, *numbers, self.index], self._outputs, name="choose_part")
        for change, button in self.buttons.items():
            button.click(
                wrap_handler(_changing(change)), [project, self.chosen, self.right, self.ahead, self.up, self.turn],
                [project, self.words, self.status, self.studio.opened], api_name=f"{change}_part", show_progress_on=self.words,
                concurrency_id="scene-parts", concurrency_limit=min(VISITORS, 2),
            )  # fmt: skip


def drawn(project: Project, index: int = 0) -> tuple[Selection, Any, Any]:
    """Clear the selection and show the unchanged picture, ready for clicks and painting."""
    if project.scene is None:
        return Selection(), None, None
    index = min(max(int(index or 0), 0), len(project.scene.views) - 1)
    picture = _small(project.scene.views[index].colour)
    return Selection(index), picture, {"background": picture, "layers": [], "composite": picture}


def clicked(project: Project, chosen: Selection, by: str, picture: int, event: gr.SelectData):
    """Select the object at a pixel of the shown picture, or set the second corner of a box."""
    view = _view(project, picture)
    scale = max(view.width, view.height) / min(MOST_SIDE, max(view.width, view.height))
    (place,) = read_event(event, index=pair)
    x, y = ((value + 0.5) * scale - 0.5 for value in place)
    if by != BOX:
        return choose_part(project, x, y, picture=picture)
    if chosen.corner is None:
        return Selection(int(picture or 0), None, (x, y)), gr.skip(), "Now click the other corner of the box."
    return choose_part(project, *chosen.corner, x, y, picture)


def choose_part(project: Project, left: float, top: float, right: float = -1, bottom: float = -1, picture: int = 0):
    """Select the object at a pixel (left, top) of a picture of the scene, or in a box, if right and bottom are given; by the
    server's own SAM if it has one, otherwise by depth."""
    from camera.scene_parts.choose import part_at, part_in_box, view_to_choose_in
    from pipelines.estimation.segmenting import own_sam

    if left is None or top is None:
        raise InputError("Choose a pixel of the picture, from its left and its top, or a box.")
    right, bottom = (-1 if side is None else side for side in (right, bottom))
    view, sam = _view(project, picture), own_sam()
    if sam is not None:
        return _shown(project, int(picture or 0), sam(view.colour, left, top, right, bottom), " by SAM")
    assert project.scene is not None
    view = view_to_choose_in(project.scene, int(picture or 0))
    mask = part_at(view, left, top) if right < 0 else part_in_box(view, (left, top, right, bottom))
    return _shown(project, int(picture or 0), mask)


def choose_by_mask(project: Project, mask: str, picture: int = 0):
    """Select the bright or opaque pixels of a mask of any size."""
    from pipelines.reconstruct.object_mask import masks_of_files

    view = _view(project, picture)
    if not mask:
        raise InputError("Choose a mask that is bright on the part.")
    return _shown(project, int(picture or 0), masks_of_files([mask], 1, view.width, view.height)[0])


def painted(project: Project, canvas: dict[str, Any], picture: int = 0):
    """Select the painted area."""
    import cv2

    view = _view(project, picture)
    layers = [layer for layer in (canvas or {}).get("layers") or [] if layer is not None and layer.shape[-1] == 4]
    over = np.zeros(view.known.shape, bool)
    for layer in layers:
        over |= cv2.resize(layer[..., 3], (view.width, view.height), interpolation=cv2.INTER_NEAREST) > 127
    if not over.any():
        raise InputError("Nothing is painted yet; paint over the part.")
    return _shown(project, int(picture or 0), over)


def _changing(change: Change):
    def edit_part(
        project: Project, chosen: Selection, right: float = 0.0, ahead: float = 0.0, up: float = 0.0, turn: float = 0.0
    ):
        from camera.scene_parts.choose import spread
        from camera.scene_parts.edit import Shift, change_part

        scene = project.scene
        if scene is None or chosen.mask is None or chosen.index >= len(scene.views):
            raise InputError("Choose a part of the picture first: click on it.")
        if change != "remove" and not any((right, ahead, up, turn)):
            raise InputError(
                "Set how far it moves: right, ahead or up, in units of its distance from the camera, or how far it turns."
            )
        masks = spread(scene, chosen.index, chosen.mask)
        made = change_part(
            scene, masks, change, Shift(right or 0, up or 0, ahead or 0, turn or 0), reference=chosen.index
        )
        project = project.changed(f"{change} a part", scene=made.scene, example="")
        return project, f"{made.note} Undo reverts it.", describe_scene(made.scene), signal()

    doings = {"remove": "Remove", "move": "Move", "duplicate": "Duplicate"}
    edit_part.__doc__ = (
        f"{doings[change]} the chosen part; the picture and its depth are created anew, for all methods. In a scene of splats, the "
        "Gaussians of the part are changed."
    )
    return edit_part


def _view(project: Project, picture: int) -> View:
    if project.scene is None:
        raise InputError("Choose an example or open a picture first.")
    index = int(picture or 0)
    if not 0 <= index < len(project.scene.views):
        raise InputError(f"The scene has pictures 0 to {len(project.scene.views) - 1}; got {index}.")
    return project.scene.views[index]


def _shown(
    project: Project, index: int, mask: NDArray[np.bool_], maker: str = ""
) -> tuple[Selection, NDArray[np.uint8], str]:
    """Tint the selection and outline it in white, which keeps it visible on an object of the tint's colour. ``maker``: what made the selection."""
    import cv2

    from camera.scene_parts.edit import distance_of, in_words

    view = _view(project, index)
    assert project.scene is not None
    known = (mask & view.known).any()
    away = f", {in_words(distance_of(view, mask), project.scene.unit)} away" if known else ""

    width = 2 * max(1, round(max(mask.shape) / MOST_SIDE)) + 1
    rim = np.asarray(cv2.dilate(mask.view(np.uint8), np.ones((width, width), np.uint8))).astype(bool) & ~mask
    tinted = np.where(mask[..., None], 0.45 * view.colour + 0.55 * TINT, view.colour).astype(np.uint8)
    tinted[rim] = 255
    words = f"{mask.mean():.1%} of the picture is chosen{maker}{away}. Remove, move or duplicate it."
    return Selection(index, mask), _small(tinted), words


def _small(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    import cv2

    scale = MOST_SIDE / max(picture.shape[:2])
    if scale >= 1:
        return picture
    size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)

"""The panel of objects in the scene: added from files, placed by sliders or a click, animated and keyframed; drawn after every change."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import gradio as gr
import numpy as np

from camera.errors import InputError
from camera.objects.bundle import BESIDE, MODELS
from camera.objects.model import Model
from camera.objects.scene import (
    Key,
    Motion,
    Placement,
    SceneObject,
    empty_stage,
    new_object,
    stage_objects,
)
from examples import EXAMPLES
from pipelines.method import Method
from pipelines.methods.i2v3d.method import NO_PICTURE
from pipelines.settings import Settings, setting
from tabs.i2v3d.placing import (
    NO_SCENE,
    describe_object,
    find_object,
    names,
    objects_of,
    read_model,
    replace_key,
    small_scene,
    spot_at,
    with_objects,
)  # fmt: skip
from tabs.parts import form
from tabs.parts.event_values import pair, read_event
from tabs.parts.shoot import Shoot
from tabs.project.on_stage import stage_update
from tabs.project.project import Project
from tabs.shared.old_endpoints import Shared
from tabs.shared.studio import signal

READY = {example.title: example.mesh for example in EXAMPLES if example.mesh is not None}
NONE = "No object yet"
STILL = "stands still"
ACCEPTED = [*MODELS, *BESIDE, ".zip", ".fbx"]
"""File types to accept; for FBX, an error explains how to convert it."""
MOTIONS: dict[str, Motion] = {"at one speed": "even", "soft at every key": "soft", "in one curve": "smooth"}


@dataclass(frozen=True, kw_only=True)
class PlacementSettings(Settings):
    """Controls for a `camera.objects.scene.Placement`."""

    right: float = setting(0.0, "Right", minimum=-5, maximum=5, step=0.01, help="In distances to the subject.")
    up: float = setting(
        -0.25, "Up", minimum=-5, maximum=5, step=0.01, help="Height of its feet relative to the camera."
    )
    ahead: float = setting(1.0, "Ahead", minimum=-5, maximum=20, step=0.01)
    size: float = setting(0.5, "Size", minimum=0.01, maximum=10, step=0.01, help="Size of its longest side.")
    turn: float = setting(0.0, "Turn", minimum=-720, maximum=720, step=1, help="Degrees about the vertical.")
    tilt: float = setting(0.0, "Tilt", minimum=-180, maximum=180, step=1)
    roll: float = setting(0.0, "Roll", minimum=-180, maximum=180, step=1)


class Objects:
    """The panel of one tab; `controls`, then `picture`, then `connect`."""

    def __init__(self, method: Method, project: gr.State) -> None:
        self.method, self.project = method, project

    # what stands where

    def controls(self) -> None:
        """Place the panel."""
        name = self.method.name
        with gr.Accordion("Objects in the scene", open=False, elem_id=f"{name}-objects"):
            self.file = gr.File(
                label="Add a model (GLB, glTF, OBJ, PLY, zip)",
                file_types=ACCEPTED, file_count="multiple", height=140, elem_id=f"{name}-object-file",
            )  # fmt: skip
            with gr.Row():
                self.ready = [gr.Button(f"Add the {title.lower()}", size="sm") for title in READY]
                self.bare = gr.Button("Start without a picture", size="sm")
            self.chosen = gr.Dropdown([NONE], value=NONE, label="Object", elem_id=f"{name}-object")
            with gr.Row():
                self.copy, self.remove = gr.Button("Copy", size="sm"), gr.Button("Remove", size="sm")
                self.swap = gr.UploadButton("Replace", file_types=ACCEPTED, file_count="multiple", size="sm")
            self.moment = gr.Slider(
                0, 1, 0, step=0.01, label="Moment", elem_id=f"{name}-moment",
                info="0 is the first frame, 1 the last. Place the object at another time to make it move there.",
            )  # fmt: skip
            with gr.Group():
                self.place = form.controls(PlacementSettings)
            with gr.Row():
                self.motion = gr.Dropdown(list(MOTIONS), value="at one speed", label="It moves", min_width=120)
                with gr.Column(min_width=120):
                    self.hold = gr.Button("Set a key at this time", size="sm")
                    self.drop_key = gr.Button("Delete this key", size="sm")
            with gr.Row():
                self.animation = gr.Dropdown([STILL], value=STILL, label="Animation", min_width=120)
                self.speed = gr.Slider(-4, 4, 1, step=0.05, label="Its speed", min_width=120)
            self.status = gr.Markdown(
                "Choose all files of a model at once, as an OBJ with its MTL and pictures, or a zip of them.",
                elem_classes="status", elem_id=f"{name}-objects-status",
            )  # fmt: skip

    def picture(self) -> None:
        """Place the picture of the scene."""
        self.render = gr.Image(
            label="Coarse render: click to put the object there", interactive=False, height=320, visible=False,
            elem_id=f"{self.method.name}-coarse", format="jpeg", buttons=[],
        )  # fmt: skip

    # what happens

    def empty(self, shoot: Shoot, opened: gr.State) -> None:
        """Connect the button for scenes without a picture; ``opened``: the signal of a new scene."""

        def open_empty_stage(project: Project):
            """Start on an empty stage, for scenes made of objects alone."""
            stage = empty_stage()
            project = project.opened(replace(stage, objects=objects_of(project)))
            return project, NO_PICTURE, "An empty stage; add objects.", signal()

        self.bare.click(
            form.wrap_handler(open_empty_stage), self.project, [self.project, shoot.settings["background"], self.status, opened],
            api_name=f"{self.method.name}_open_empty_stage", show_progress="hidden",
        )  # fmt: skip

    def connect(self, shoot: Shoot, shared: Shared) -> None:
        """Connect the controls; an opened scene may contain objects."""
        name = self.method.name
        state = [self.project, self.chosen, self.moment, self.motion, self.animation, self.speed, *self.place.values(), self.status]  # fmt: skip
        quiet = {"queue": False, "show_progress": "hidden"}
        private = {"api_visibility": "private", **quiet}
        look = form.handler(
            self._look,
            self.method.settings,
            before={"project": Project, "moment": float},
            name=f"{name}_look",
            method=name,
        )
        look_inputs = [self.project, self.moment, *shoot.settings.values()]
        changed = [
            self.file.upload(self._handler(self._add), [self.project, self.file], state, api_name=f"{name}_add_object", **quiet),
            self.copy.click(self._handler(self._copy), [self.project, self.chosen], state, api_name=f"{name}_copy_object", **quiet),
            self.remove.click(self._handler(self._remove), [self.project, self.chosen], state, api_name=f"{name}_remove_object", **quiet),
            self.swap.upload(self._handler(self._swap), [self.project, self.swap, self.chosen], state, api_name=f"{name}_replace_object", **quiet),
            self.hold.click(self._handler(self._hold), [self.project, self.chosen, self.moment], state, api_name=f"{name}_hold_moment", **quiet),
            self.drop_key.click(self._handler(self._drop_key), [self.project, self.chosen, self.moment], state, api_name=f"{name}_forget_moment", **quiet),
        ]  # fmt: skip
        self.file.upload(lambda: None, None, self.file, **private)  # ready for the next one
        shared.studio.opened.change(self._handler(self._first), self.project, state, **private)
        for button, model in zip(self.ready, READY.values()):
            changed.append(button.click(self._handler(self._add_preset(model)), self.project, state, **private))
        shown = gr.on(
            [self.chosen.input, self.moment.input], self._handler(self._show), [self.project, self.chosen, self.moment], state,
            **private,
        )  # fmt: skip
        placing = form.handler(
            self._place, PlacementSettings, name=f"{name}_place_object", method=name,
            before={"project": Project, "chosen": str, "moment": float, "motion": str, "animation": str, "speed": float},
        )  # fmt: skip
        sliders = [self.motion, self.animation, self.speed, *self.place.values()]
        changed.append(
            gr.on(
                [component.input for component in sliders],  # type: ignore[attr-defined]
                placing, [self.project, self.chosen, self.moment, *sliders], [self.project, self.status],
                api_name=f"{name}_place_object", trigger_mode="always_last", **quiet,
            )
        )  # fmt: skip
        pointed = self.render.select(
            self._handler(self._point), [self.project, self.chosen, self.moment], state, **private
        )
        changed.append(pointed)
        shared.studio.api.click(look, look_inputs, self.render, api_name=f"{name}_look", **quiet)
        shared.studio.drawn[name].change(look, look_inputs, self.render, trigger_mode="always_last", **private)
        for event in filter(None, (shoot.stored, shown, *changed)):
            event.success(look, look_inputs, self.render, trigger_mode="always_last", **private)
        for event in changed:
            event.success(
                self._handler(self._on_stage), [self.project, self.moment], [shared.stage.view, shared.studio.edited], trigger_mode="always_last",
                **private,
            )  # fmt: skip

    def _handler(self, fn: Callable) -> Callable:
        return form.wrap_handler(fn, self.method.name)

    # handlers

    def _on_stage(self, project: Project, moment: float):
        """Draw the path in 3D with the objects at their current places."""
        if project.framed is None or project.path is None:
            return gr.skip(), signal()
        at = round(float(np.clip(moment, 0, 1)) * (len(project.path) - 1))
        return stage_update(project, at=at), signal()

    def _add(self, project: Project, object_files: list[str]):
        """Add an object to the scene: a GLB, glTF, OBJ or PLY file with its material and pictures."""
        return self._add_model(project, read_model(object_files))

    def _add_preset(self, model: Path):
        return lambda project: self._add_model(project, read_model([str(model)]))

    def _first(self, project: Project):
        """Select the first object of an opened scene."""
        return project, *self._controls(objects_of(project), 0, 0.0)

    def _add_model(self, project: Project, model: Model):
        if project.scene is None:
            raise InputError(NO_SCENE)
        objects, scene = objects_of(project), project.framed or project.scene
        item = new_object(model, stage_objects(scene).standing_place())
        return self._show_objects(project, (*objects, item), len(objects), 0.0, f"add {model.name}")

    def _copy(self, project: Project, chosen: str):
        """Put a copy of an object beside it."""
        objects, index = find_object(project, chosen)
        item = objects[index]
        copied_keys = tuple(
            Key(key.at, replace(key.placement, right=key.placement.right + key.placement.size)) for key in item.keys
        )
        return self._show_objects(
            project, (*objects, replace(item, keys=copied_keys)), len(objects), 0.0, f"copy {item.model.name}"
        )

    def _remove(self, project: Project, chosen: str):
        """Remove an object from the scene."""
        objects, index = find_object(project, chosen)
        left = (*objects[:index], *objects[index + 1 :])
        name = f"remove {objects[index].model.name}"
        return self._show_objects(project, left, min(index, len(left) - 1), 0.0, name)

    def _swap(self, project: Project, object_files: list[str], chosen: str):
        """Replace an object's model; it keeps its keys."""
        objects, index = find_object(project, chosen)
        model, old = read_model(object_files), objects[index]
        animation = old.animation if old.animation in model.animations else next(iter(model.animations), "")
        item = replace(old, model=model, animation=animation)
        objects = (*objects[:index], item, *objects[index + 1 :])
        return self._show_objects(project, objects, index, 0.0, f"replace {old.model.name}")

    def _show(self, project: Project, chosen: str, moment: float):
        objects, index = find_object(project, chosen)
        return self._show_objects(project, objects, index, moment)

    def _place(
        self, project: Project, chosen: str, moment: float, motion: str, animation: str, speed: float, place: Settings
    ):
        """Place an object at a time of the video between 0 (first frame) and 1 (last frame); it moves between the times set in this way."""
        objects, index = find_object(project, chosen)
        if motion not in MOTIONS:
            raise InputError(f"Motion must be {', '.join(MOTIONS)}; got {motion!r}.")
        keys, placed = objects[index].keys, Placement(**place.values())
        if not np.allclose(placed.values(), objects[index].placement(moment).values(), atol=6e-4):
            keys = replace_key(keys, Key(float(moment), placed))
        item = replace(
            objects[index], keys=keys, motion=MOTIONS[motion], animation="" if animation == STILL else animation,
            speed=float(speed),
        )  # fmt: skip
        objects = (*objects[:index], item, *objects[index + 1 :])
        return with_objects(project, objects, f"place {item.model.name}", merges=True), describe_object(item)

    def _hold(self, project: Project, chosen: str, moment: float):
        """Set a key at a time with the object's current placement, so that later edits of other keys do not move it there."""
        objects, index = find_object(project, chosen)
        item = objects[index]
        held = replace(item, keys=replace_key(item.keys, Key(float(moment), item.placement(moment))))
        objects = (*objects[:index], held, *objects[index + 1 :])
        return self._show_objects(project, objects, index, moment, f"hold {item.model.name}")

    def _drop_key(self, project: Project, chosen: str, moment: float):
        """Delete the key of an object at a time."""
        objects, index = find_object(project, chosen)
        keys = tuple(key for key in objects[index].keys if abs(key.at - moment) > 5e-3)
        if not keys or len(keys) == len(objects[index].keys):
            at = ", ".join(f"{key.at:g}" for key in objects[index].keys)
            raise InputError(f"Its keys are at {at}; go to one of these times, and keep at least one key.")
        item = replace(objects[index], keys=keys)
        objects = (*objects[:index], item, *objects[index + 1 :])
        return self._show_objects(project, objects, index, moment, f"delete a key of {item.model.name}")

    def _point(self, project: Project, chosen: str, moment: float, event: gr.EventData):
        """Place the object on the surface at the clicked pixel."""
        objects, index = find_object(project, chosen)
        (pixel,) = read_event(event, index=pair)
        right, up, ahead = spot_at(project, moment, *pixel)
        spot = {"right": round(right, 3), "up": round(up, 3), "ahead": round(ahead, 3)}
        try:
            PlacementSettings.of(spot)
        except InputError as error:
            raise InputError(
                "That place is too far away for an object to be visible; click on something nearer."
            ) from error
        placed = replace(objects[index].placement(moment), **spot)
        item = replace(objects[index], keys=replace_key(objects[index].keys, Key(float(moment), placed)))
        objects = (*objects[:index], item, *objects[index + 1 :])
        return self._show_objects(project, objects, index, moment, f"place {item.model.name}")

    def _look(self, project: Project, moment: float, settings: Settings):
        """Draw the scene with its objects from the camera at a time between 0 (first frame) and 1 (last frame)."""
        from pipelines.methods.i2v3d.scene.coarse import render_frames

        _warm_up_once()
        if not objects_of(project) or project.framed is None or project.path is None:
            return gr.Image(visible=bool(objects_of(project)))
        scene, path = small_scene(project)
        at = round(float(np.clip(moment, 0, 1)) * (len(path) - 1))
        frame = next(iter(render_frames(scene, path, settings, frames=range(at, at + 1))))  # type: ignore[arg-type]
        return gr.Image(frame.colour, visible=True)

    def _show_objects(
        self, project: Project, objects: Sequence[SceneObject], index: int, moment: float, name: str = ""
    ) -> tuple:
        """The project with ``objects``, as an edit called ``name`` if given, and the values of the controls of one object."""
        if name:
            project = with_objects(project, objects, name)
        return project, *self._controls(tuple(objects), index, moment)

    def _controls(self, objects: Sequence[SceneObject], index: int, moment: float) -> tuple:
        """Values of every control for one of the objects."""
        if not objects:
            empty = [gr.skip()] * len(self.place)
            return gr.Dropdown([NONE], value=NONE), 0, *[gr.skip()] * 3, *empty, ""
        item, called = objects[index], names(objects)
        place = item.placement(moment)
        motion = next(label for label, kind in MOTIONS.items() if kind == item.motion)
        animations = gr.Dropdown([STILL, *item.model.animations], value=item.animation or STILL)
        values = [round(getattr(place, key), 3) for key in self.place]
        return (
            gr.Dropdown(called, value=called[index]), moment, motion, animations, item.speed, *values, describe_object(item),
        )  # fmt: skip


DRAWN = ("background", "foreground_reach", "light", "ambient", "light_around", "light_above")
"""Settings that change the coarse render."""


@lru_cache(maxsize=1)
def _warm_up_once() -> None:
    """Compile the object renderer in the background while the visitor looks at the scene."""

    def work() -> None:
        from camera.render.triangles import warm_up

        warm_up()

    threading.Thread(target=work, name="warm-up objects", daemon=True).start()

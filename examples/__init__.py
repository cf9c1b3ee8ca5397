"""Example scenes with exact depth and known cameras, rendered by `examples.render`, free of rights (CC0).

`EXAMPLES` lists them, `load` opens one. Nothing is rendered here; the files are beside this module.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Literal
from weakref import WeakValueDictionary

from camera.errors import InputError
from camera.view import Scene
from examples.store import FOLDER, read

Kind = Literal["still", "clip", "views", "mesh"]


@dataclass(frozen=True)
class Example:
    """One example. ``caption``: one line that also serves as a prompt. ``mesh``: the model file, if any."""

    name: str
    title: str
    caption: str
    kind: Kind = "still"
    mesh: Path | None = None

    @property
    def thumbnail(self) -> Path:
        """A small JPEG of the first picture."""
        return FOLDER / self.name / "thumbnail.jpg"


EXAMPLES: tuple[Example, ...] = (
    Example(
        "reading_room",
        "Reading room",
        "A cosy reading room in the late afternoon, sunlight falling through a tall window onto a patterned rug, "
        "a teal armchair, a bookcase and a floor lamp.",
    ),
    Example(
        "mountain_lake",
        "Mountain lake",
        "A calm alpine lake in the morning, snowy peaks and a spruce forest mirrored in the water, "
        "a wooden jetty with a red rowing boat.",
    ),
    Example(
        "street_at_dusk",
        "Street at dusk",
        "An old European street at dusk after rain, glowing windows and lanterns reflected in wet cobblestones, "
        "a clock tower against a violet sky.",
    ),
    Example(
        "still_life",
        "Still life",
        "A still life on a wooden table: pears, grapes and a lemon, a bowl of oranges, a glazed jug, "
        "a copper pot with herbs, a linen cloth and a burning candle.",
    ),
    Example(
        "lighthouse",
        "Lighthouse",
        "A red and white lighthouse on a cliff at golden hour, a winding path with a fence through flowering grass, "
        "the sea with rock stacks below.",
    ),
    Example(
        "temple_garden",
        "Temple garden",
        "A Japanese temple garden in autumn, a pagoda and a red arched bridge behind a pond with stepping stones, "
        "a stone lantern and a crimson maple.",
    ),
    Example(
        "toy_train",
        "Toy train",
        "A wooden toy train with a red engine drives round its track past blocks, trees and a small station, "
        "a teddy bear watching.",
        "clip",
    ),
    Example(
        "courtyard",
        "Courtyard",
        "A stone fountain in the middle of a sunny courtyard with arcades, patterned tiles and lemon trees in "
        "terracotta pots.",
        "views",
    ),
    Example(
        "fox",
        "Fox",
        "A plush fox with a striped teal scarf stands on a tree stump in a birch glade with toadstools.",
        "mesh",
        FOLDER / "fox" / "fox.glb",
    ),
)


_OPEN: WeakValueDictionary[str, Scene] = WeakValueDictionary()
_READING = Lock()


def load(name: str) -> Scene:
    """The scene ``name`` from its files: metric depth, cameras in one world. Raises `InputError` for an unknown name.

    A mesh example gives a still of its model in its surroundings. All callers share one cached scene, which must not be modified.
    """
    for example in EXAMPLES:
        if example.name == name:
            with _READING:
                scene = _OPEN.get(name)
                if scene is None:
                    scene = _OPEN[name] = read(name, example.title)
            return scene
    raise InputError(f"Unknown example {name!r}; known are {', '.join(each.name for each in EXAMPLES)}.")

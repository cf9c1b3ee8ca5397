"""Everything with weights: one folder per method, and the code they share.

Public functions: `open_picture`, `rehearse` and `shoot`; `NAMES` and `method` (records, cheap to import: no torch); `Shot`,
`generate` and `forecast` for callers that fit scene and path to a method's frame themselves.
"""

from camera._moved import install
from pipelines import _moved
from pipelines.api import control_pack, open_picture, open_splats, rehearse, scene_file, shoot
from pipelines.registry import NAMES, method
from pipelines.runtime.dispatch import forecast, generate
from pipelines.shot import Shot

__all__ = [
    "NAMES",
    "Shot",
    "control_pack",
    "forecast",
    "generate",
    "method",
    "open_picture",
    "open_splats",
    "rehearse",
    "scene_file",
    "shoot",
]

install("pipelines", _moved.MODULES, _moved.NAMES)

"""The renderer of the examples: ray-marched signed distance scenes with light, shadow and haze.

`render` renders any scene along any camera path, which gives the ground truth for previews.
"""

from __future__ import annotations

from examples.render.picture import depth_at, render, render_within, setting_of
from examples.render.scenes import SCENES, camera_at, home

__all__ = ["SCENES", "camera_at", "depth_at", "home", "render", "render_within", "setting_of"]

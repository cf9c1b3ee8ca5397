"""A shot as one value, which page, command line, API, pool and ZeroGPU pass on until a pipeline runs it. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from camera.errors import InputError
from camera.path import CameraPath
from camera.view import Scene
from pipelines.method import Clip, Estimate, Method, check_same_size
from pipelines.options import RunOptions
from pipelines.settings import Settings


@dataclass(frozen=True, eq=False)
class Shot:
    """``path`` through ``scene`` with ``method``; scene and path have the size of the video, in pixels.

    ``options``: weights, memory and speed. ``after``: the finished clip that ``path`` begins with; only the rest is shot, by
    methods that can continue a clip.
    """

    method: Method
    scene: Scene
    path: CameraPath
    settings: Settings
    options: RunOptions = field(default_factory=RunOptions)
    after: Clip | None = None

    def check(self) -> tuple[str, ...]:
        """Warnings, one sentence each. Raises `InputError` for what the method cannot shoot or continue."""
        warnings = self.method.check(self.scene, self.path, self.settings)
        if self.scene.kind not in (kinds := self.method.scenes):
            raise InputError(f"{self.method.title} takes {' or '.join(kinds)}, and this scene is {self.scene.kind}.")
        check_same_size(self.scene, self.path)
        self.method.check_after(self.after, self.path, self.settings)
        return warnings

    @property
    def left(self) -> CameraPath:
        """The part of the path that is still to be shot, the frame shared with ``after`` included."""
        if self.after is None:
            return self.path
        return self.path.sliced(slice(len(self.after.frames) - 1, None))

    def estimate(self) -> Estimate:
        """The method record's estimate for the part that is still to be shot."""
        return self.method.estimate(self.left, self.settings)

    def resized(self, width: int, height: int) -> Shot:
        """The same shot at another size in pixels; the picture is stretched."""
        scene = self.scene.fitted(width, height, "stretch")
        return replace(self, scene=scene, path=self.path.resized(width, height))

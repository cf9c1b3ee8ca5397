"""Coloured point clouds and their files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from camera.conventions import Y_UP
from camera.errors import InputError
from camera.view import Scene


@dataclass(frozen=True, eq=False)
class PointCloud:
    """``points`` (N,3) float32 in the world, OpenCV axes; ``colours`` (N,3) uint8 RGB."""

    points: NDArray[np.float32]
    colours: NDArray[np.uint8]

    def __post_init__(self) -> None:
        if self.points.ndim != 2 or self.points.shape[1] != 3 or self.points.shape != self.colours.shape:
            raise InputError(
                f"A point cloud needs points and colours of one shape (N,3), got {self.points.shape} and "
                f"{self.colours.shape}."
            )

    def __len__(self) -> int:
        return len(self.points)

    @staticmethod
    def joined(clouds: Iterable[PointCloud]) -> PointCloud:
        clouds = tuple(clouds)
        return PointCloud(np.concatenate([c.points for c in clouds]), np.concatenate([c.colours for c in clouds]))

    def thinned(self, most: int) -> PointCloud:
        """At most ``most`` points, sampled uniformly with a fixed seed."""
        if len(self) <= most:
            return self
        chosen = np.sort(np.random.default_rng(0).choice(len(self), most, replace=False))
        return PointCloud(self.points[chosen], self.colours[chosen])

    def ply_bytes(self) -> bytes:
        """Binary little-endian PLY, in OpenCV axes (x right, y down, z forward)."""
        fields = [(name, "<f4") for name in "xyz"] + [(name, "u1") for name in ("red", "green", "blue")]
        rows = np.empty(len(self), dtype=fields)
        for i, name in enumerate("xyz"):
            rows[name] = self.points[:, i]
        for i, name in enumerate(("red", "green", "blue")):
            rows[name] = self.colours[:, i]
        kinds = {"<f4": "float", "u1": "uchar"}
        header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(self)}"]
        header += [f"property {kinds[kind]} {name}" for name, kind in fields] + ["end_header", ""]
        return "\n".join(header).encode("ascii") + rows.tobytes()

    def glb_bytes(self) -> bytes:
        """Binary glTF with linear colours, rotated to glTF's axes (x right, y up, z backward), so that viewers show it upright."""
        import trimesh

        from camera.objects.vertex_light import with_light_colours

        turned = self.points * Y_UP
        exported = trimesh.Scene(trimesh.PointCloud(turned, self.colours)).export(file_type="glb")
        assert isinstance(exported, bytes)
        return with_light_colours(exported)


def cloud_of(scene: Scene, *, most: int | None = None) -> PointCloud:
    """The unprojected pixels with known depth: of the first frame of a clip, or of all views of other scenes."""
    from camera.unproject import points_of

    views = scene.views[:1] if scene.kind == "clip" else scene.views
    clouds = []
    for view in views:
        clouds.append(PointCloud(points_of(view)[view.known], view.colour[view.known]))
    cloud = PointCloud.joined(clouds)
    return cloud if most is None else cloud.thinned(most)

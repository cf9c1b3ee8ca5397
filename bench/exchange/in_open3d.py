"""Run by a Python with open3d: reads Reshoot's points and mesh. ``python in_open3d.py FOLDER``."""

import json
import sys
from pathlib import Path


def main() -> None:
    import numpy as np
    import open3d

    folder = Path(sys.argv[1])
    asked = json.loads((folder / "asked.json").read_text())
    cloud = open3d.io.read_point_cloud(str(folder / "points.ply"))
    points, colours = np.asarray(cloud.points)[asked["points"]], np.asarray(cloud.colors)[asked["points"]] * 255
    told = {f"points.ply in Open3D {open3d.__version__}": {"points": points.tolist(), "colours": colours.tolist()}}
    mesh = open3d.io.read_triangle_mesh(str(folder / "room.glb"))
    vertices = np.asarray(mesh.vertices) * [1, -1, -1]  # in another order than in the file
    chosen = [int(np.abs(vertices - place).sum(axis=1).argmin()) for place in asked["places"]]
    light = np.asarray(mesh.vertex_colors)[chosen]
    colours = 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    told[f"room.glb in Open3D {open3d.__version__}"] = {
        "points": vertices[chosen].tolist(),
        "colours": colours.tolist(),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()

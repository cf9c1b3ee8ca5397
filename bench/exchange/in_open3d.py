"""Run by a Python with open3d: reads Reshoot's points and mesh. ``python in_open3d.py FOLDER``."""

import json
import sys
from pathlib import Path


def main() -> None:
    import numpy as np
    import open3d

    folder = Path(sys.argv[1])
    request = json.loads((folder / "request.json").read_text())
    cloud = open3d.io.read_point_cloud(str(folder / "points.ply"))
    points, colours = np.asarray(cloud.points)[request["points"]], np.asarray(cloud.colors)[request["points"]] * 255
    answers = {f"points.ply in Open3D {open3d.__version__}": {"points": points.tolist(), "colours": colours.tolist()}}
    mesh = open3d.io.read_triangle_mesh(str(folder / "room.glb"))
    vertices = np.asarray(mesh.vertices) * [1, -1, -1]  # in a different order than in the file
    chosen = [int(np.abs(vertices - place).sum(axis=1).argmin()) for place in request["places"]]
    light = np.asarray(mesh.vertex_colors)[chosen]
    colours = 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    answers[f"room.glb in Open3D {open3d.__version__}"] = {
        "points": vertices[chosen].tolist(),
        "colours": colours.tolist(),
    }
    print(json.dumps(answers))


if __name__ == "__main__":
    main()

"""Run by a Python with plyfile: reads Reshoot's points. ``python in_plyfile.py FOLDER``."""

import json
import sys
from importlib.metadata import version
from pathlib import Path


def main() -> None:
    import numpy as np
    from plyfile import PlyData

    folder = Path(sys.argv[1])
    request = json.loads((folder / "request.json").read_text())
    vertex = PlyData.read(str(folder / "points.ply"))["vertex"]
    points = np.stack([vertex[name] for name in "xyz"], axis=1)[request["points"]]
    colours = np.stack([vertex[name] for name in ("red", "green", "blue")], axis=1)[request["points"]]
    print(
        json.dumps(
            {f"points.ply in plyfile {version('plyfile')}": {"points": points.tolist(), "colours": colours.tolist()}}
        )
    )


if __name__ == "__main__":
    main()

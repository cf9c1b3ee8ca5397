"""Opens glTF splats in other engines, by node and without a graphics card, and returns the arrays that the engine holds."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from pipelines.splats.splats import SH_C0

HERE = Path(__file__).parent
ENGINES = {"playcanvas": "playcanvas", "babylon": "@babylonjs/loaders"}
"""The npm package that each engine needs, by the ending of its script ``splats_in_NAME.mjs``."""


@dataclass(frozen=True, eq=False)
class EngineSplats:
    """N splats in file coordinates, in the engine's order; ``world`` (4,4) is their node's transform, ``tool`` the engine's name.

    ``means``, ``scales``, ``colours`` (N,3); ``opacities`` (N,); ``quaternions`` (N,4) wxyz; ``harmonics`` (N,K-1,3) beyond the constant one.
    PlayCanvas keeps float32; Babylon.js keeps colours, opacities, quaternions and harmonics in bytes.
    """

    tool: str
    world: NDArray[np.float64]
    means: NDArray[np.float64]
    scales: NDArray[np.float64]
    colours: NDArray[np.float64]
    opacities: NDArray[np.float64]
    quaternions: NDArray[np.float64]
    harmonics: NDArray[np.float64]

    def sorted_like(self, means: NDArray) -> EngineSplats:
        """In the order of ``means`` (N,3) in file coordinates; each is matched with the nearest, which must be a different one for each."""
        nearest = np.linalg.norm(means[:, None] - self.means[None], axis=2).argmin(axis=1)
        if len(np.unique(nearest)) != len(self.means):
            raise ValueError("Two splats match the same one.")
        arrays = (self.means, self.scales, self.colours, self.opacities, self.quaternions, self.harmonics)
        return EngineSplats(self.tool, self.world, *(array[nearest] for array in arrays))


def open_in_engine(engine: str, data: bytes, node_modules: Path) -> EngineSplats:
    """The one set of splats in a GLB, as ``engine`` (a key of `ENGINES`) reads it. Raises `RuntimeError` if the engine fails."""
    with TemporaryDirectory() as folder:
        script = Path(folder, f"splats_in_{engine}.mjs")
        script.write_text((HERE / script.name).read_text())
        Path(folder, "node_modules").symlink_to(node_modules.resolve())
        Path(folder, "splats.glb").write_bytes(data)
        done = subprocess.run(
            ["node", script.name, "splats.glb"], cwd=folder, capture_output=True, text=True, timeout=240
        )
    if done.returncode:
        raise RuntimeError(f"{engine}: {done.stderr.strip()[-400:]}")
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    (part,) = answer["parts"]
    return _of(answer["tool"], {name: np.array(values, np.float64) for name, values in part.items()})


def _of(tool: str, part: dict[str, NDArray[np.float64]]) -> EngineSplats:
    count = len(part["means"])
    if "rgba" in part:
        colours, opacities = part["rgba"][:, :3] / 255, part["rgba"][:, 3] / 255
        numbers = 3 * (part["rest"].shape[1] // 3) if part["rest"].size else 0
        harmonics = part["rest"].reshape(count, -1)[:, :numbers].reshape(count, -1, 3)
    else:
        colours, opacities = 0.5 + SH_C0 * part["constant"], part["opacities"]
        harmonics = part["rest"].reshape(count, 3, -1).transpose(0, 2, 1)
    world = part["world"].reshape(4, 4).T
    return EngineSplats(tool, world, part["means"], part["scales"], colours, opacities, part["quaternions"], harmonics)

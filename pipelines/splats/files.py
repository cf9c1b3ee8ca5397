"""Files of Gaussian splats: the ``.ply`` of 3DGS, which every viewer opens, and the compact ``.splat``.

Both store the Gaussians in unchanged axes; 3DGS files are by convention in COLMAP's world (x right, y down, z forward), the
world of the cameras here.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from pipelines.splats.splats import MOST_DEGREE, SH_C0, Splats

MOST_SPLATS = 20_000_000
_RECORD = np.dtype([("mean", "<f4", 3), ("scale", "<f4", 3), ("rgba", "u1", 4), ("quaternion", "u1", 4)])
"""One Gaussian of a ``.splat`` file: 32 bytes; standard deviations are not logarithmic, quaternions wxyz are stored as 128 + 128 q."""
_TYPES = {"float": "<f4", "float32": "<f4", "double": "<f8", "float64": "<f8", "uchar": "u1", "uint8": "u1"}


def ply_bytes(splats: Splats) -> bytes:
    """The file as 3DGS's own code writes it: zero normals; harmonics beyond the first are stored channel by channel."""
    n, rest = len(splats), splats.sh[:, 1:].transpose(0, 2, 1).reshape(len(splats), -1)
    columns = (
        splats.means, np.zeros((n, 3), np.float32), splats.sh[:, 0], rest, splats.logit_opacities[:, None],
        splats.log_scales, splats.quaternions,
    )  # fmt: skip
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {n}"]
    header += [f"property float {name}" for name in _names(splats.degree)] + ["end_header", ""]
    return "\n".join(header).encode("ascii") + np.concatenate(columns, axis=1).astype("<f4").tobytes()


def read_ply(data: bytes, name: str = "splats.ply") -> Splats:
    """Splats of a 3DGS ``.ply``; accepts properties in any order and skips unknown ones. Raises `InputError`."""
    rows = _rows(data, name)
    present = set(rows.dtype.names or ())
    rest = sum(f"f_rest_{i}" in present for i in range(3 * ((MOST_DEGREE + 1) ** 2 - 1)))
    degree = round((rest / 3 + 1) ** 0.5) - 1
    if 3 * ((degree + 1) ** 2 - 1) != rest:
        raise InputError(f"{name} has {rest} harmonics beyond the first; 0, 9, 24 or 45 are possible.")
    if missing := [column for column in _names(degree) if column not in present and column not in ("nx", "ny", "nz")]:
        raise InputError(f"{name} has no {missing[0]}, so it contains no Gaussian splats; use a .ply of 3DGS.")

    def columns(*names: str) -> NDArray[np.float32]:
        return np.stack([rows[each].astype(np.float32) for each in names], axis=1)

    constant = columns("f_dc_0", "f_dc_1", "f_dc_2")[:, None]
    higher = columns(*(f"f_rest_{i}" for i in range(rest))).reshape(len(rows), 3, -1) if rest else None
    sh = constant if higher is None else np.concatenate([constant, higher.transpose(0, 2, 1)], axis=1)
    return Splats(
        columns("x", "y", "z"),
        columns("rot_0", "rot_1", "rot_2", "rot_3"),
        columns("scale_0", "scale_1", "scale_2"),
        rows["opacity"].astype(np.float32),
        sh,
    )


def splat_bytes(splats: Splats) -> bytes:
    """A file with 32 bytes per Gaussian, the most visible first, so that viewers show something early; colours become independent of direction."""
    order = np.argsort(-splats.opacities * np.exp(splats.log_scales.sum(axis=1)), kind="stable")
    chosen = splats.chosen(order)
    records = np.empty(len(chosen), _RECORD)
    records["mean"], records["scale"] = chosen.means, chosen.scales
    colour = np.concatenate([chosen.colours, chosen.opacities[:, None]], axis=1)
    records["rgba"] = np.rint(colour * 255)
    unit = chosen.quaternions / np.linalg.norm(chosen.quaternions, axis=1, keepdims=True)
    records["quaternion"] = np.clip(np.rint(unit * 128 + 128), 0, 255)
    return records.tobytes()


def read_splat(data: bytes, name: str = "scene.splat") -> Splats:
    """Splats of a ``.splat`` file, of degree 0. Raises `InputError`."""
    if not data or len(data) % _RECORD.itemsize:
        raise InputError(
            f"{name} has {len(data)} bytes, not 32 for each Gaussian; it is truncated or not a .splat file."
        )
    records = np.frombuffer(data, _RECORD)
    opacity = np.clip(records["rgba"][:, 3] / 255.0, 1e-4, 1 - 1e-4)
    quaternions = ((records["quaternion"].astype(np.float32) - 128) / 128).astype(np.float32)
    if not (records["scale"] > 0).all() or not np.abs(quaternions).max(axis=1).all():
        raise InputError(f"{name} contains Gaussians without size or direction; it is not a .splat file.")
    sh = ((records["rgba"][:, None, :3] / 255 - 0.5) / SH_C0).astype(np.float32)
    return Splats(records["mean"], quaternions, np.log(records["scale"]), np.log(opacity / (1 - opacity)), sh)


def _names(degree: int) -> list[str]:
    rest = [f"f_rest_{i}" for i in range(3 * ((degree + 1) ** 2 - 1))]
    return [
        *("x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2"), *rest, "opacity",
        *("scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"),
    ]  # fmt: skip


def _rows(data: bytes, name: str) -> NDArray:
    """The vertices of a binary PLY, which must be its first element."""
    found = re.match(
        rb"ply\r?\nformat binary_little_endian 1\.0\r?\n(?:(?:comment|obj_info).*\r?\n)*"
        rb"element vertex (\d+)\r?\n((?:property \w+ \w+\r?\n)+)(?:element [^\n]*\n(?:property [^\n]*\n)*)*end_header\r?\n",
        data[:100_000],
    )
    if found is None:
        raise InputError(f"{name} is not a binary little-endian PLY with its vertices first; export it as 3DGS .ply.")
    count, lines = int(found.group(1)), found.group(2).decode("ascii", "replace").split()
    kinds, names = lines[1::3], lines[2::3]
    if len(set(names)) < len(names):
        raise InputError(f"{name} names a property twice; export it as 3DGS .ply.")
    if unknown := [kind for kind in kinds if kind not in _TYPES]:
        raise InputError(f"{name} contains numbers of type {unknown[0]}; export it as 3DGS .ply.")
    kind = np.dtype([(each, _TYPES[kind]) for each, kind in zip(names, kinds)])
    if not 0 < count <= MOST_SPLATS or len(data) - found.end() < count * kind.itemsize:
        raise InputError(f"{name} is truncated or states a wrong number of vertices, {count}; export it again.")
    return np.frombuffer(data, kind, count, found.end())

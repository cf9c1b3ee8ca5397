"""Arrays of poses: MegaSaM's, ViPE's and Vista4D's npz; LingBot-World's and SpatialVID's ``poses.npy`` and ``intrinsics.npy``.

OpenCV axes; world from camera except for SpatialVID. Vista4D: ``cam_c2w`` (T,4,4) and ``intrinsics`` (T,3,3) in pixels, no size
(Eyeline-Labs/Vista4D, ``save_cameras``). SpatialVID: ``poses.npy`` (T,7), translation and quaternion xyzw, camera from world, and
``intrinsics.npy`` (T,4), fx fy cx cy as fractions (NJU-3DV/SpatialVID, ``utils/c2w.py``). MegaSaM (``sgd_cvd_hr.npz``): ``cam_c2w``
(T,4,4), ``intrinsic`` (3,3) in pixels of ``images`` (T,H,W,3). ViPE (``pose/NAME.npz``): ``data`` (T,4,4) and ``inds`` (T,), the frames
that have a pose. LingBot-World: poses (T,4,4) and ``fx fy cx cy`` (T,4) in pixels, no size.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from camera.conventions import half_pixel_lens, integer_pixel_lens
from camera.errors import InputError, damage_errors, reading
from camera.formats import lens
from camera.formats.account import Account, Fields
from camera.formats.parsing import MOST_FRAMES, like_or_refuse, npz_array, numbers, resample_lens, size
from camera.formats.timing import by_time
from camera.path import CameraPath, inverse
from camera.rotation import from_quaternion, orthonormal


def read_megasam(data: bytes, name: str, shapes: Fields, like: CameraPath | None, account: Account) -> CameraPath:
    """Read the cameras; the size comes from the file's pictures, else from its depth, else from ``like``."""
    account.fields(shapes, idle=("images", "depths", "depth", "motion_prob", "tstamps"))
    poses = rigid(npz_array(data, "cam_c2w", (-1, 4, 4), name), name)
    matrix = npz_array(data, "intrinsic", (3, 3), name)
    shapes.use("cam_c2w", "intrinsic")
    shape = shapes.get("images", shapes.get("depths", ()))
    if len(shape) >= 3:
        width, height = size(shape[2], shape[1], name)
    else:
        wanted = like_or_refuse(like, name, "picture size (its images or depths)")
        width, height = wanted.width, wanted.height
        account.say(f"{name} does not say the picture size of its lens; {width} x {height}, the scene's, is taken.")
    lenses = np.repeat(integer_pixel_lens(matrix)[None], len(poses), axis=0)
    return CameraPath(poses, lenses, width, height, like.fps if like else 24.0)


def read_vipe(data: bytes, name: str, shapes: Fields, like: CameraPath | None, account: Account) -> CameraPath:
    """Read the cameras; frames without a pose are interpolated. Lens, size and rate come from ``like``."""
    poses = rigid(npz_array(data, "data", (-1, 4, 4), name), name)
    frames = npz_array(data, "inds", (len(poses),), name)
    shapes.use("data", "inds")
    wanted = like_or_refuse(like, name, "lens")
    account.say(f"{name} says no lens; that of the scene is taken.")
    path = CameraPath(poses, resample_lens(wanted, len(poses)), wanted.width, wanted.height, wanted.fps)
    return by_time(path, frames / wanted.fps, account)


def read_vista4d(data: bytes, name: str, shapes: Fields, like: CameraPath | None, account: Account) -> CameraPath:
    """Read the cameras; size and rate come from ``like``, as does the lens if the file has none."""
    account.fields(shapes, idle=("cam_c2w_fsff", "intrinsics_fsff"))
    shapes["cam_c2w"]
    poses = rigid(npz_array(data, "cam_c2w", (-1, 4, 4), name), name)
    wanted = like_or_refuse(like, name, "picture size")
    if "intrinsics" not in shapes:
        account.say(f"{name} says no lens; that of the scene is taken.")
        return CameraPath(poses, resample_lens(wanted, len(poses)), wanted.width, wanted.height, wanted.fps)
    one = len(shapes["intrinsics"]) == 2
    matrices = npz_array(data, "intrinsics", (3, 3) if one else (len(poses), 3, 3), name)
    _check_middle(matrices.reshape(-1, 3, 3)[:, :2, 2], wanted, name)
    account.say(_size_note(name, wanted))
    lenses = np.repeat(matrices[None], len(poses), axis=0) if one else matrices
    return CameraPath(poses, integer_pixel_lens(lenses), wanted.width, wanted.height, wanted.fps)


def write_vista4d(path: CameraPath) -> bytes:
    box = io.BytesIO()
    np.savez(box, cam_c2w=path.world_from_camera, intrinsics=half_pixel_lens(path.intrinsics))
    return box.getvalue()


def read_spatialvid(rows: NDArray[np.float64], name: str, like: CameraPath | None, account: Account) -> CameraPath:
    """Read ``rows`` (T,7) of a ``poses.npy``. Lens, size and rate come from ``like``."""
    account.say(f"{name} holds rows of 7 numbers and is read as SpatialVID's: camera from world, quaternion xyzw.")
    account.say(f"{name} says no lens; that of the scene is taken.")
    wanted = like_or_refuse(like, name, "lens")
    poses = _poses_from_quaternions(rows)
    return CameraPath(poses, resample_lens(wanted, len(poses)), wanted.width, wanted.height, wanted.fps)


def _poses_from_quaternions(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    poses = np.repeat(np.eye(4)[None], len(rows), axis=0)
    poses[:, :3, :3] = from_quaternion(rows[:, 3:], order="xyzw")
    poses[:, :3, 3] = rows[:, :3]
    return inverse(poses)


def _check_middle(middles: NDArray[np.float64], wanted: CameraPath, name: str) -> None:
    """Raise `InputError` if principal points (T,2) are far from the centre of the scene's picture."""
    if (np.abs(middles / [wanted.width, wanted.height] - 0.5) > 0.25).any():
        raise InputError(
            f"The lenses of {name} point at {middles[0, 0]:.4g}, {middles[0, 1]:.4g}, far from the middle of the scene's {wanted.width} x "
            f"{wanted.height}; they are for another picture size: open a picture of that size."
        )


def _size_note(name: str, wanted: CameraPath) -> str:
    return f"{name} does not say the picture size of its lens; {wanted.width} x {wanted.height}, the scene's, is taken."


def read_npy_pair(files: Mapping[str, bytes], name: str, like: CameraPath | None, account: Account) -> CameraPath:
    """Read ``poses.npy`` and ``intrinsics.npy`` from a zip, at any depth; the size is that of ``like``."""
    inside = account.fields({path.rsplit("/", 1)[-1]: data for path, data in files.items()})
    of_spatialvid = array_shape(inside["poses.npy"], "poses.npy")[1:] == (7,)
    if of_spatialvid:
        poses = _poses_from_quaternions(npy_array(inside["poses.npy"], (-1, 7), "poses.npy"))
        account.say(
            f"poses.npy of {name} holds rows of 7 numbers and is read as SpatialVID's: camera from world, xyzw."
        )
    else:
        poses = rigid(npy_array(inside["poses.npy"], (-1, 4, 4), "poses.npy"), "poses.npy")
    rows = npy_array(inside["intrinsics.npy"], (-1, 4), "intrinsics.npy")
    if len(rows) != len(poses):
        raise InputError(f"intrinsics.npy holds {len(rows)} lenses for {len(poses)} poses; give one for each.")
    if of_spatialvid and (rows <= 10).all():
        lenses, width, height = lens.lenses_from_fractions(rows, like)
        return CameraPath(poses, lenses, width, height, like.fps if like else 24.0)
    wanted = like_or_refuse(like, name, "picture size")
    _check_middle(rows[:, 2:], wanted, name)
    account.say(_size_note(name, wanted))
    lenses = np.repeat(np.eye(3)[None], len(rows), axis=0)
    lenses[:, 0, 0], lenses[:, 1, 1], lenses[:, 0, 2], lenses[:, 1, 2] = rows.T
    return CameraPath(poses, integer_pixel_lens(lenses), wanted.width, wanted.height, wanted.fps)


def write_npy_pair(path: CameraPath) -> bytes:
    matrices = half_pixel_lens(lens.require_no_skew(path, "LingBot-World's arrays").intrinsics)
    rows = np.stack([matrices[:, 0, 0], matrices[:, 1, 1], matrices[:, 0, 2], matrices[:, 1, 2]], axis=1)
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, values in (("poses", path.world_from_camera), ("intrinsics", rows)):
            one = io.BytesIO()
            np.save(one, values)
            archive.writestr(f"{name}.npy", one.getvalue())
    return box.getvalue()


def array_shape(data: bytes, name: str) -> tuple[int, ...]:
    """The shape in the header of a .npy file; raises `InputError` for anything but plain numbers."""
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        return header(stream)[0]
    except damage_errors() as error:
        raise InputError(f"{name} is not a readable npy file; write it again with numpy.save.") from error


def npy_array(data: bytes, shape: tuple[int, ...], name: str) -> NDArray[np.float64]:
    """Read a plain array of numbers; checks its header first."""
    stream = io.BytesIO(data)
    with reading(f"{name} is not a readable npy file; write it again with numpy.save."):
        version = np.lib.format.read_magic(stream)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        found, _, kind = header(stream)
        if kind.hasobject or kind.kind not in "fiu" or not found or not 1 <= found[0] <= MOST_FRAMES:
            raise InputError(
                f"{name} should hold 1 to {MOST_FRAMES} rows of plain numbers, got {kind} of shape {found}."
            )
        stream.seek(0)
        return numbers(np.lib.format.read_array(stream, allow_pickle=False), shape, name)


def rigid(matrices: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    """Poses (F,4,4) with orthonormalised rotations; raises `InputError` for scaled, mirrored or transposed ones."""
    if np.abs(matrices[:, 3] - [0, 0, 0, 1]).max() > 1e-4:
        raise InputError(f"The last row of every pose of {name} should be 0 0 0 1; the matrices may be transposed.")
    matrices = matrices.copy()
    matrices[:, 3] = [0, 0, 0, 1]
    matrices[:, :3, :3] = orthonormal(matrices[:, :3, :3])
    return matrices

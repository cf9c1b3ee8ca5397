"""Cameras and sparse points by structure from motion, from pictures alone or refined from given cameras.

Uses COLMAP through pycolmap, an optional package. Moving parts can be masked out (as in GenXD's curation). Matches come from
SIFT or from a learned matcher, see `pipelines.estimation.matching`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.evaluation.paths import Similarity
from camera.path import CameraPath
from pipelines.estimation.colmap import STRICT_PX, Matcher, Workspace, picture_number, write_model

Pairing = Literal["auto", "exhaustive", "sequential", "closed"]
"""Which pictures are matched: all with all, neighbours in time, or neighbours of a path that ends where it began."""
EXHAUSTIVE = 60
"""Up to this many pictures, all pairs are matched; beyond that, only neighbours in time."""
NEIGHBOURS = 8
"""Each picture is matched with this many following ones, and with those 16, 32 and 64 later."""
FEWEST_SEEN = 12
"""Minimum number of points for a placed frame: a pose has six unknowns, a point gives two equations, plus a margin."""
LEAST_PLACED = 0.5
"""Minimum share of the frames that refinement must place."""
ROUNDS = ((12.0, 6.0), (4.0, 2.0))
"""Tolerances in pixels and degrees within which refinement merges points: wide while the cameras are inaccurate, then strict."""


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """The result of structure from motion.

    ``frames``: ascending indices of the pictures with a camera; ``path``: their cameras, in a world of unknown scale.
    ``points`` (P,3) and ``colours`` (P,3) uint8. ``seen``: for each frame the indices (K,) of its visible points and their
    pixels (K,2).
    """

    frames: tuple[int, ...]
    path: CameraPath
    points: NDArray[np.float64]
    colours: NDArray[np.uint8]
    seen: tuple[tuple[NDArray[np.int64], NDArray[np.float64]], ...]
    mean_error_px: float

    def depths(self, frame: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Pixels (K,2) and depths along z (K,) of the points visible in frame ``frame`` of the path."""
        numbers, pixels = self.seen[frame]
        homogeneous = np.append(self.points[numbers], np.ones((len(numbers), 1)), axis=1)
        return pixels, (homogeneous @ self.path.camera_from_world[frame].T)[:, 2]


@dataclass(frozen=True, eq=False)
class RefinedCameras:
    """Cameras after bundle adjustment, in the given world.

    ``path``: all frames; those not in ``frames`` keep the given camera. ``found``: cameras of the placed frames and sparse
    points, in the same world. ``before_px``, ``after_px``: mean reprojection error with the given and with the refined cameras.
    """

    path: CameraPath
    frames: tuple[int, ...]
    found: Reconstruction
    before_px: float
    after_px: float

    @property
    def words(self) -> str:
        return (
            f"{len(self.frames)} of {len(self.path)} frames placed; the reprojection error is {self.after_px:.2f} pixels, with "
            f"the given cameras {self.before_px:.2f}."
        )


def reconstruct(
    pictures: NDArray[np.uint8],
    *,
    masks: NDArray[np.bool_] | None = None,
    fps: float = 24.0,
    model_folder: Path | None = None,
    names: Sequence[str] | None = None,
    one_lens: bool = True,
    pairing: Pairing = "auto",
    matcher: Matcher | None = None,
    focal_px: float | None = None,
    one_video: bool = False,
    seed: int = 0,
) -> Reconstruction:
    """Cameras of ``pictures`` (F,H,W,3); ``masks`` (F,H,W) are True where something may move and is ignored.

    ``model_folder`` receives COLMAP's binary model, under ``names`` for the pictures. ``one_lens``: all pictures have the same
    lens. ``matcher`` replaces SIFT. ``focal_px`` fixes the lens, centred, at this focal length. ``one_video``: few frames of one
    move, optimised for speed, see `Workspace.mapped`. Raises `InputError` if pycolmap is missing or no cameras can be found.
    """
    with Workspace.of(pictures, masks, seed) as place:
        known = None if focal_px is None else _centred_camera(focal_px, pictures.shape[2], pictures.shape[1])
        model = "SIMPLE_PINHOLE" if known is None else "PINHOLE"
        place.extract(model, one_lens=one_lens, known=known, few=matcher is not None)
        place.match(choose_pairs(len(pictures), pairing), matcher, pixels=STRICT_PX if one_video else None)
        models = place.mapped(hold_lens=known is not None, one_video=one_video)
        if not models:
            raise InputError(
                f"No camera path was found: none of {len(pictures)} pictures could be placed. They need texture and a "
                "camera that moves sideways, not only turns; add the cameras or use other pictures."
            )
        best = max(models, key=lambda model: (model.num_reg_images(), model.num_points3D()))
    result = _result(best, pictures.shape[2], pictures.shape[1], fps)
    if model_folder is not None:
        write_model(best, model_folder, names)
    return result


def refine_cameras(
    frames: NDArray[np.uint8],
    path: CameraPath,
    *,
    masks: NDArray[np.bool_] | None = None,
    pairing: Pairing = "auto",
    lens: bool = False,
    matcher: Matcher | None = None,
    seed: int = 0,
) -> RefinedCameras:
    """Bundle adjustment initialised with ``path``: triangulates matches with its cameras, then refines both.

    ``frames`` (F,H,W,3) as in `reconstruct`. ``lens``: also refines the focal length. Scale, rotation and position of the
    result are those of ``path``: the similarity that fits its cameras best. Raises `InputError` if pycolmap is missing, the
    camera is static, or less than half of the frames can be placed; the error says how many.
    """
    _check_refinable(frames, path)
    with Workspace.of(frames, masks, seed) as place:
        one_lens = bool(np.ptp(path.intrinsics, axis=0).max() < 1e-6)
        place.extract("PINHOLE", one_lens=one_lens, known=path, few=matcher is not None)
        place.match(choose_pairs(len(frames), pairing), matcher)
        before, current, model = float("nan"), path, None
        for number, (pixels, degrees) in enumerate(ROUNDS):
            model = place.triangulated(current, pixels, degrees)
            _check_placed(model, len(frames))
            before = before if number else float(model.compute_mean_reprojection_error())
            place.adjust(model, lens=lens)
            current = _merge(current, _result(model, path.width, path.height, path.fps))
    found = _drop_poor_frames(_result(model, path.width, path.height, path.fps))
    to_given = fit_gauge(found.path, path.sliced(list(found.frames)))  # type: ignore[arg-type]
    found = replace(found, path=to_given.of_path(found.path), points=to_given(found.points))
    return RefinedCameras(_merge(path, found), found.frames, found, before, found.mean_error_px)


def fit_gauge(path: CameraPath, reference: CameraPath) -> Similarity:
    """The similarity from the world of ``path`` to that of ``reference``; their cameras correspond frame by frame.

    The rotation is the mean of the cameras' relative rotations; then scale and translation fit the centres by least squares, so
    the result is also unique for centres on one line.
    """
    turns = reference.world_from_camera[:, :3, :3] @ np.swapaxes(path.world_from_camera[:, :3, :3], 1, 2)
    left, _, right = np.linalg.svd(turns.mean(axis=0))
    rotation = left @ np.diag([1, 1, np.linalg.det(left @ right)]) @ right
    turned = path.centres @ rotation.T
    a, b = turned - turned.mean(axis=0), reference.centres - reference.centres.mean(axis=0)
    spread = float((a * a).sum())
    scale = float((a * b).sum()) / spread if spread > 0 else 1.0
    scale = scale if scale > 0 else 1.0
    return Similarity(scale, rotation, reference.centres.mean(axis=0) - scale * turned.mean(axis=0))


def choose_pairs(count: int, pairing: Pairing = "auto") -> list[tuple[int, int]]:
    """Pairs (i, j), i < j, of pictures to match; "auto" is exhaustive up to `EXHAUSTIVE` pictures, else sequential."""
    if pairing not in get_args(Pairing):
        raise InputError(f"Picture pairing is one of {', '.join(get_args(Pairing))}; got {pairing!r}.")
    if pairing == "exhaustive" or (pairing == "auto" and count <= EXHAUSTIVE):
        return [(i, j) for i in range(count) for j in range(i + 1, count)]
    steps = (*range(1, NEIGHBOURS + 1), 16, 32, 64)
    if pairing == "closed":
        found = {(i, (i + step) % count) for i in range(count) for step in steps}
    else:
        found = {(i, i + step) for i in range(count) for step in steps if i + step < count}
    return sorted({(min(pair), max(pair)) for pair in found if pair[0] != pair[1]})


# --- checks ----------------------------------------------------------------------------------------------------------


def _check_refinable(frames: NDArray[np.uint8], path: CameraPath) -> None:
    if frames.shape != (len(path), path.height, path.width, 3):
        raise InputError(
            f"Cameras are refined with their own frames: {len(path)} of {path.width} x {path.height} are needed, got "
            f"{len(frames)} of {frames.shape[2]} x {frames.shape[1]}."
        )
    if len(path) < 3:
        raise InputError(f"Refining cameras needs 3 frames or more, got {len(path)}; use the path as it is.")
    if np.ptp(path.centres, axis=0).max() < 1e-9:
        raise InputError("The camera of the path is static, so nothing can be triangulated; use the path as it is.")


def _check_placed(model: Any, count: int) -> None:
    seeing = sum(image.num_points3D >= FEWEST_SEEN for image in model.images.values())
    if seeing < LEAST_PLACED * count:
        raise InputError(
            f"Only {seeing} of {count} frames show {FEWEST_SEEN} points consistent with the cameras: the path contradicts the "
            "frames, or they have no texture or parallax. Use the path as it is, or have the cameras estimated."
        )


def _drop_poor_frames(found: Reconstruction) -> Reconstruction:
    """Drop the frames with fewer than `FEWEST_SEEN` points."""
    remaining = [i for i, (numbers, _) in enumerate(found.seen) if len(numbers) >= FEWEST_SEEN]
    path = replace(
        found.path,
        world_from_camera=found.path.world_from_camera[remaining],
        intrinsics=found.path.intrinsics[remaining],
    )
    frames = tuple(found.frames[i] for i in remaining)
    return replace(found, frames=frames, path=path, seen=tuple(found.seen[i] for i in remaining))


def _merge(path: CameraPath, found: Reconstruction) -> CameraPath:
    """``path`` with the cameras of ``found`` in their frames."""
    poses, lenses = path.world_from_camera.copy(), path.intrinsics.copy()
    poses[list(found.frames)], lenses[list(found.frames)] = found.path.world_from_camera, found.path.intrinsics
    return replace(path, world_from_camera=poses, intrinsics=lenses)


def _centred_camera(focal_px: float, width: int, height: int) -> CameraPath:
    """One camera with a centred lens."""
    lens = np.array([[focal_px, 0, (width - 1) / 2], [0, focal_px, (height - 1) / 2], [0, 0, 1]])
    return CameraPath(np.eye(4)[None], lens, width, height)


def _result(model: Any, width: int, height: int, fps: float) -> Reconstruction:
    point_ids = sorted(model.points3D)
    number = {point: i for i, point in enumerate(point_ids)}
    images = sorted((model.images[i] for i in model.reg_image_ids()), key=picture_number)
    poses, lenses, observations = np.repeat(np.eye(4)[None], len(images), axis=0), [], []
    for i, image in enumerate(images):
        poses[i, :3] = image.cam_from_world().inverse().matrix()
        lens = image.camera.calibration_matrix()
        lens[:2, 2] -= 0.5  # COLMAP's pixel centres are at halves
        lenses.append(lens)
        points = [(number[p.point3D_id], p.xy) for p in image.points2D if p.has_point3D()]
        numbers = np.array([n for n, _ in points], dtype=np.int64)
        observations.append((numbers, np.array([xy for _, xy in points]).reshape(-1, 2) - 0.5))
    return Reconstruction(
        tuple(map(picture_number, images)),
        CameraPath(poses, np.stack(lenses), width, height, fps),
        np.array([model.points3D[p].xyz for p in point_ids]),
        np.array([model.points3D[p].color for p in point_ids], dtype=np.uint8),
        tuple(observations),
        float(model.compute_mean_reprojection_error()),
    )

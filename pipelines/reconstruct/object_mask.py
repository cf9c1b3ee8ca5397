"""Isolates an object: the pixels in given masks, or the object that all cameras look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.formats.content import kind_of
from camera.formats.parsing import natural_key
from camera.view import Scene, View
from pipelines.media.encoded import decode_picture

REACH = 0.5
"""Radius of the sphere around the object, as a share of the cameras' median distance from its centre."""
MOST_POINTS = 200_000
GRAIN = 32
"""Parts of the object closer than its radius divided by this are connected."""
FLAT = 0.02
"""Maximum distance of ground points from the ground plane, in radii."""
LEVEL = 0.7
"""Minimum cosine between the cameras' down and the ground's: the ground may look tilted to cameras that look down at it."""
GROUND, BELOW = 0.15, 0.05
"""A plane is the ground if it contains this share of the points and at most this share lies below it."""
TRIES = 400
PART = 0.1
"""A separate piece belongs to the object if it has at least this share of the points of its largest piece."""
EDGE_PX = 1.5
"""Pixels, at 480 rows, on either side of a mask's edge that mix object and background."""


def object_masks(scene: Scene, *, reach: float = REACH) -> NDArray[np.bool_]:
    """(F,H,W): True on the object in the middle of all views: inside a sphere, above the ground, in one or few pieces.

    The sphere is centred at the median of the points in the middle of the pictures; ``reach``: its radius, see `REACH`.
    Raises `InputError` if there is no object.
    """
    if not 0 < reach < 1:
        raise InputError(f"The object's reach is a share of the cameras' distance between 0 and 1, got {reach:g}.")
    middle = np.median(np.concatenate([_middle_points(view) for view in scene.views]), axis=0)
    places = np.array([view.world_from_camera[:3, 3] for view in scene.views])
    radius = reach * float(np.median(np.linalg.norm(places - middle, axis=1)))
    step = max(round(np.sqrt(sum(view.known.sum() for view in scene.views) / MOST_POINTS)), 1)
    near = np.concatenate([_choose_within(_points(view, step), middle, radius) for view in scene.views])
    down = np.mean([view.world_from_camera[:3, 1] for view in scene.views], axis=0)
    normal, level = _ground(near, down / np.linalg.norm(down), radius)
    near = near[near @ normal > level]
    if len(near) < 10:
        raise InputError("There is no object where the cameras look; add masks of it, or keep everything.")
    corner, grain = middle - radius, radius / GRAIN
    voxels = _pieces(near, middle, radius, corner, grain)
    return np.stack([_mask(view, voxels, corner, grain, normal, level) for view in scene.views])


def read_masks(files: Sequence[str | Path], count: int) -> NDArray[np.bool_]:
    """(F,H,W) of ``count`` frames, in the size of the first: from a video that is bright on the part, a zip of pictures, or one picture
    per frame in the order of their names. Raises `InputError` for another number, and for unreadable files."""
    from pipelines.inputs.archive import open_folder
    from pipelines.inputs.open import VIDEOS

    if not files:
        raise InputError("Masks must be a video, a zip of pictures, or one picture per frame.")
    first = Path(files[0])
    if not first.is_file():
        raise InputError(f"There is no file of masks {first}.")
    if len(files) == 1 and kind_of(first) in VIDEOS:
        return _masks_of_video(first, count)
    if len(files) == 1 and kind_of(first) == ".zip":
        with open_folder(first) as folder:
            pictures = [each for each in folder.rglob("*") if each.is_file() and not each.name.startswith(".")]
            return _in_first_size(pictures, count)
    return _in_first_size(files, count)


def _in_first_size(files: Sequence[str | Path], count: int) -> NDArray[np.bool_]:
    first = min(map(Path, files), key=lambda file: natural_key(file.name), default=None)
    if first is None:
        raise InputError("There is no mask in that zip; it needs one picture per frame.")
    picture = decode_picture(
        first.read_bytes(), cv2.IMREAD_UNCHANGED, f"The mask {first.name} is not a readable picture; use PNG."
    )
    return masks_of_files(files, count, picture.shape[1], picture.shape[0])


def _masks_of_video(file: Path, count: int) -> NDArray[np.bool_]:
    from pipelines.media.video import read_video

    frames, _ = read_video(file, max_frames=count + 1, every=True)
    if len(frames) != count:
        more = "more" if len(frames) > count else str(len(frames))
        raise InputError(
            f"Each of the {count} frames needs a mask, and {file.name} has {more}; use a video as long as the clip."
        )
    return frames.max(axis=3) > 127


def masks_of_files(files: Sequence[str | Path], count: int, width: int, height: int) -> NDArray[np.bool_]:
    """(F,H,W) from one picture per frame in the order of their names: True where opaque if they have transparency, else where bright.

    Resized to ``width`` x ``height`` by nearest pixel. Raises `InputError` for another number than ``count``, or unreadable
    pictures.
    """
    if len(files) != count:
        raise InputError(f"Each of the {count} frames needs a mask, got {len(files)}; add one picture per frame.")
    masks = []
    for file in sorted(map(Path, files), key=lambda file: natural_key(file.name)):
        wrong = f"The mask {file.name} is not a readable picture; use PNG."
        picture = decode_picture(file.read_bytes(), cv2.IMREAD_UNCHANGED, wrong)
        masks.append(_read_mask(picture, width, height))
    return np.stack(masks)


def _read_mask(picture: NDArray, width: int, height: int) -> NDArray[np.bool_]:
    """The alpha channel if it is not constant, else the brightness; True from half its range."""
    channel = picture if picture.ndim == 2 else picture[..., :3].max(axis=2)
    if picture.ndim == 3 and picture.shape[2] == 4 and (picture[..., 3] < np.iinfo(picture.dtype).max).any():
        channel = picture[..., 3]
    sized = cv2.resize(channel, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    return sized > np.iinfo(picture.dtype).max // 2


def cut_out(scene: Scene, masks: NDArray[np.bool_]) -> Scene:
    """The scene with depth only where ``masks`` (F,H,W) are True; views without any such pixel are dropped."""
    views = []
    for view, mask in zip(scene.views, masks):
        known = view.known & mask
        if known.any():
            views.append(replace(view, known=known, depth=np.where(known, view.depth, np.float32(view.far))))
    if not views:
        raise InputError("The masks contain no pixel of known depth; mark the object, or keep everything.")
    return replace(scene, views=tuple(views))


def isolate_object(scene: Scene, background: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Frames (F,H,W,3) of a `cut_out` scene over one grey, and weights (F,H,W): 0 at the object's edge, where pixels mix."""
    frames, weights = [], []
    for view in scene.views:
        mask = _clean_mask(view.known, view.height)
        frames.append(np.where(mask[..., None], view.colour, np.uint8(background)))
        side = 2 * max(1, round(EDGE_PX * view.height / 480)) + 1
        kernel = np.ones((side, side), np.uint8)
        edge = cv2.dilate(mask.view(np.uint8), kernel) != cv2.erode(mask.view(np.uint8), kernel)
        weights.append(np.where(edge, np.float32(0), np.float32(1)))
    return np.stack(frames), np.stack(weights)


# --- parts -----------------------------------------------------------------------------------------------------------


def _points(view: View, step: int = 1) -> NDArray[np.float64]:
    """World points (N,3) of every ``step``-th known pixel."""
    row, column = np.nonzero(view.known[::step, ::step])
    return _unproject(view, row * step, column * step)


def _unproject(view: View, row: NDArray, column: NDArray) -> NDArray[np.float64]:
    rays = np.stack([column, row, np.ones_like(row)], axis=1) @ np.linalg.inv(view.intrinsics).T
    local = rays * view.depth[row, column, None]
    return local @ view.world_from_camera[:3, :3].T + view.world_from_camera[:3, 3]


def _middle_points(view: View) -> NDArray[np.float64]:
    """World points of the picture's middle fifth, or one at its focus depth."""
    h, w = view.known.shape
    window = np.zeros((h, w), bool)
    window[2 * h // 5 : max(3 * h // 5, 2 * h // 5 + 1), 2 * w // 5 : max(3 * w // 5, 2 * w // 5 + 1)] = True
    row, column = np.nonzero(window & view.known)
    if not len(row):
        return (view.world_from_camera[:3, 3] + view.focus_depth * view.world_from_camera[:3, 2])[None]
    return _unproject(view, row, column)


def _choose_within(points: NDArray, middle: NDArray, radius: float) -> NDArray:
    return points[np.linalg.norm(points - middle, axis=1) < radius]


def _ground(points: NDArray, down: NDArray, radius: float) -> tuple[NDArray[np.float64], float]:
    """Normal (3,) of the ground, upward, and the height along it above which the object begins; minus infinity without ground."""
    nothing = -down, -np.inf
    if len(points) < 100:
        return nothing
    random = np.random.default_rng(0)
    some = points[random.choice(len(points), min(len(points), 4000), replace=False)]
    best, found = 0.0, None
    for _ in range(TRIES):
        a, b, c = some[random.choice(len(some), 3, replace=False)]
        normal = np.cross(b - a, c - a)
        length = float(np.linalg.norm(normal))
        if length < 1e-12 or abs(normal @ down) < LEVEL * length:
            continue
        normal = normal / (-np.copysign(length, normal @ down))
        height = (some - a) @ normal
        held = float((np.abs(height) < FLAT * radius).mean())
        if held > max(best, GROUND) and (height < -2 * FLAT * radius).mean() < BELOW:
            best, found = held, (normal, float(a @ normal))
    if found is None:
        return nothing
    normal, level = found
    on = some[np.abs(some @ normal - level) < FLAT * radius]
    exact = np.linalg.svd(on - on.mean(axis=0), full_matrices=False)[2][2]
    exact = exact * np.sign(exact @ normal)
    return exact, float(on.mean(axis=0) @ exact) + 1.5 * FLAT * radius


def _pieces(points: NDArray, middle: NDArray, radius: float, corner: NDArray, grain: float) -> NDArray[np.bool_]:
    """Voxels (X,Y,Z) of the object: its largest connected piece in the middle, and others that are completely inside the sphere."""
    from scipy.ndimage import label

    side = 2 * GRAIN + 1
    index = np.floor((points - corner) / grain).astype(np.int64).clip(0, side - 1)
    count = np.zeros((side, side, side), np.int64)
    np.add.at(count, tuple(index.T), 1)
    pieces = np.empty(count.shape, np.int32)
    label(count > 0, np.ones((3, 3, 3)), output=pieces)
    piece: NDArray[np.int32] = pieces[tuple(index.T)]
    away = np.linalg.norm(points - middle, axis=1)
    size, central = np.bincount(piece), np.bincount(piece, away < radius / 2)
    ends = np.ones(len(size), bool)
    ends[piece[away > 0.95 * radius]] = False
    main = int(central.argmax())
    chosen = ends & (size >= PART * size[main])
    chosen[main] = True
    chosen[0] = False
    return chosen[pieces]


def _mask(
    view: View, voxels: NDArray[np.bool_], corner: NDArray, grain: float, normal: NDArray, level: float
) -> NDArray[np.bool_]:
    row, column = np.nonzero(view.known)
    points = _unproject(view, row, column)
    index = np.floor((points - corner) / grain).astype(np.int64)
    inside = ((index >= 0) & (index < len(voxels))).all(axis=1) & (points @ normal > level)
    inside[inside] = voxels[tuple(index[inside].T)]
    mask = np.zeros(view.known.shape, bool)
    mask[row[inside], column[inside]] = True
    return _clean_mask(mask, view.height)


def _clean_mask(mask: NDArray[np.bool_], height: int) -> NDArray[np.bool_]:
    """Remove specks and fill small holes."""
    side = 2 * max(1, round(2 * height / 480)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    whole = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    return cv2.morphologyEx(whole, cv2.MORPH_OPEN, kernel).astype(bool)

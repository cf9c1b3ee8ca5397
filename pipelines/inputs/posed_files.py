"""Reads pictures of one place, with or without cameras from COLMAP, nerfstudio, RealEstate10K and others.

Cameras are matched to pictures by name. Cameras without a picture are known targets: views that can be generated.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from camera import formats
from camera.errors import InputError
from camera.formats import colmap, nerfstudio, realestate10k
from camera.formats.account import Account, refusal
from camera.formats.content import kind_of, with_suffix
from camera.formats.parsing import json_object, natural_key, text_of, unzip_members
from camera.formats.tum import rows
from camera.path import CameraPath, pinhole, scaled_size
from pipelines.inputs import colmap_model
from pipelines.inputs.colmap_model import Lens, Model
from pipelines.inputs.matching import match_names
from pipelines.inputs.posed_images import PosedPictures, estimate_cameras
from pipelines.media.depth_map.raster import apply_orientation
from pipelines.media.image import read_picture

Picture = NDArray[np.uint8]

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".avif", ".heic", ".heif", ".bmp", ".tif", ".tiff", ".gif")
MOST_PICTURES = 500
LARGEST_TOTAL = 100e6
"""Maximum number of pixels of all pictures together; larger sets are scaled down. The model gets 0.07 million of each."""


@dataclass(frozen=True, eq=False)
class PosedInput:
    """``views`` and, in the same world, the cameras of the views to generate, if any; ``note``: what was done, for the user.

    ``truth``: known pictures that are not given, for comparison.
    """

    views: PosedPictures
    targets: CameraPath | None
    note: str
    truth: PosedPictures | None = None


def gather(files: Sequence[Path], *, name: str = "views") -> PosedInput:
    """Pictures and camera files, in any order; without camera files the cameras are estimated."""
    called = name_files(files)
    pictures = sorted((file for file in files if is_picture(file)), key=lambda file: natural_key(called[file]))
    others = [file for file in files if not is_picture(file)]
    if not pictures:
        raise InputError("There is a camera file but no picture; open both together.")
    if len(pictures) > MOST_PICTURES:
        raise InputError(f"{len(pictures)} pictures are more than the maximum of {MOST_PICTURES}; select some.")
    account = Account(name)
    stack, turns = _read(pictures, account)
    read = dict(zip([called[file] for file in pictures], stack))
    if not others:
        given = _estimate(read, name)
        return replace(given, note=" ".join(filter(None, (given.note, account.text()))))
    height, width = next(iter(read.values())).shape[:2]
    sizes = {picture.shape[1::-1] for picture in read.values()}
    model = model_of(
        {with_suffix(called[file], data): data for file in others for data in (file.read_bytes(),)},
        width,
        height,
        account,
        one_size=len(sizes) == 1,
    )
    read = _undo_exif_turns(read, dict(zip(read, turns)), model, account)
    given = match_cameras(read, model, name=name)
    return replace(given, note=" ".join(filter(None, (given.note, account.text()))))


def name_files(files: Sequence[Path]) -> dict[Path, str]:
    """Names for the files: their paths below their common folder, so that equal names stay distinct."""
    above = Path(os.path.commonpath([file.absolute().parent for file in files])) if files else Path()
    return {file: file.absolute().relative_to(above).as_posix() for file in files}


def gather_folder(folder: Path, *, name: str) -> PosedInput:
    """Pictures and camera files anywhere below ``folder``.

    If pictures in several folders share a name, those below a folder called images are used, if there is one; they are matched
    to cameras by their paths.
    """
    files = sorted(file for file in folder.rglob("*") if file.is_file() and not file.name.startswith("."))
    pictures = [file for file in files if is_picture(file)]
    if len({file.name for file in pictures}) < len(pictures):
        pictures = [file for file in pictures if "images" in file.relative_to(folder).parts[:-1]] or pictures
    used = [*pictures, *_camera_files(files, name)]
    given = gather(used, name=name)
    left = Account(name)
    beside = {file.relative_to(folder).as_posix(): file for file in files if file not in used}
    left.fields(beside, idle=[name for name, file in beside.items() if file.stem in colmap.IDLE_MEMBERS])
    return replace(given, note=" ".join(filter(None, (given.note, left.text()))))


def _camera_files(files: Sequence[Path], name: str) -> list[Path]:
    """The COLMAP model among ``files``, else transforms.json, else the text or JSON files."""
    models = {file.parent for file in files if file.name in ("images.bin", "images.txt")}
    if models:
        return [file for file in files if file.parent in models and file.stem in colmap_model.FILES]
    transforms = [file for file in files if file.name == "transforms.json"]
    return transforms or [file for file in files if file.suffix.lower() in (".json", ".txt")]


def is_picture(file: Path) -> bool:
    """Whether ``file`` is a picture, by its suffix, or by its content if the suffix is unknown."""
    return kind_of(file) in PICTURES


def limit_given(given: PosedInput, count: int, *, everything: bool = False) -> PosedInput:
    """Keep ``count`` pictures as input and use the cameras of the others as targets: by the data set's split, else evenly spaced.

    ``everything``: all cameras are targets, including those of the given pictures.
    """
    views = given.views
    if count == 0 or count >= len(views.path):
        return given
    split = views.splits.get(count)
    train = split[0] if split else tuple(np.linspace(0, len(views.path) - 1, count).round().astype(int).tolist())
    test = split[1] if split else tuple(i for i in range(len(views.path)) if i not in train)
    test = tuple(range(len(views.path))) if everything else test
    note = f"{len(train)} of {len(views.path)} pictures are given, the cameras of {len(test)} are known targets"
    by = " (the data set's own split)." if split else "."
    truth = views.chosen(test) if test else None
    return PosedInput(views.chosen(train), truth.path if truth else None, f"{given.note} {note}{by}", truth)


# --- cameras -----------------------------------------------------------------------------------------------------------


def model_of(files: Mapping[str, bytes], width: int, height: int, account: Account, *, one_size: bool = True) -> Model:
    """The cameras in camera files, by path: a COLMAP model (the largest of several), or one file of another format.

    ``width`` and ``height`` of the pictures are for formats that do not contain them. Names are "" if a file has none.
    ``one_size``: whether all pictures have this size.
    """
    if len(files) == 1 and (only := next(iter(files))).lower().endswith(".zip"):
        files = unzip_members(files[only], only)
    if found := colmap.models(files):
        return _colmap(files, found, account)
    if len(files) != 1:
        raise InputError(f"Use one camera file or COLMAP model for the pictures, got {', '.join(sorted(files))}.")
    path, data = next(iter(files.items()))
    name = PurePosixPath(path).name
    if name.lower().endswith(".json") and "frames" in (values := json_object(data, name)):
        return _nerfstudio(values, name, width, height, account, one_size)
    if name.lower().endswith(".txt"):
        return _text(data, name, width, height, account)
    like = CameraPath(np.eye(4)[None], pinhole(width, height, 55), width, height)
    return _unnamed_model(
        formats.read(name, data, like=like if name.lower().endswith(".npz") else None, account=account)
    )


def _colmap(files: Mapping[str, bytes], found: Sequence[colmap.ModelFiles], account: Account) -> Model:
    chosen = colmap.largest([each for each in found if each.cameras] or found, account.name, account)
    beside = {
        path.rpartition("/")[2]: data
        for path, data in files.items()
        if path.rpartition("/")[0] == chosen.folder and PurePosixPath(path).suffix == chosen.suffix
    }
    return colmap_model.model_of(beside)


def _nerfstudio(values: dict[str, Any], name: str, width: int, height: int, account: Account, one_size: bool) -> Model:
    """Read transforms.json, including its lens distortion, which is needed to undistort the pictures."""
    own = Account(name)
    like = CameraPath(np.eye(4)[None], pinhole(width, height, 55), width, height)
    frames = nerfstudio.frames_of(values, name, like, own)
    listed = [values, *(frame for frame in values["frames"])]
    if not one_size and not any("w" in each and "h" in each for each in listed):
        raise InputError(
            f"{name} does not contain the picture sizes of its lenses (w, h), and the pictures have several; add w and h to its frames."
        )
    if any(frame.distortion[5] for frame in frames):
        raise refusal(
            "'k4'", name, "a lens of more terms than can be undistorted", "undistort the pictures and cameras first"
        )
    account.add(own)
    names = tuple(frame.file_path for frame in frames)
    lenses = tuple(Lens(each.width, each.height, each.matrix, each.distortion[:5]) for each in frames)
    poses = np.stack([frame.world_from_camera for frame in frames])
    return Model(names, poses, lenses, np.zeros((0, 3)), np.zeros((0, 3), np.uint8))


def _text(data: bytes, name: str, width: int, height: int, account: Account) -> Model:
    """Read RealEstate10K, whose pictures are often named by their time stamps."""
    like = CameraPath(np.eye(4)[None], pinhole(width, height, 55), width, height)
    text = text_of(data, name)
    if len(rows(text)[-1][1].split()) != 19:
        raise InputError(
            f"{name} does not contain the lens of its cameras; add COLMAP's cameras.txt, or a file of another format."
        )
    own = Account(name)
    stamps, path = realestate10k.read_rows(text, name, like, own)
    account.add(own)
    return replace(_unnamed_model(path), names=stamps)


def _unnamed_model(path: CameraPath) -> Model:
    lenses = tuple(Lens(path.width, path.height, lens, np.zeros(4)) for lens in path.intrinsics)
    return Model(("",) * len(path), path.world_from_camera, lenses, np.zeros((0, 3)), np.zeros((0, 3), np.uint8))


# --- pictures and cameras together -------------------------------------------------------------------------------------


def match_cameras(pictures: Mapping[str, Picture], model: Model, *, name: str = "views") -> PosedInput:
    """Match every picture with its camera: by name, or in order if no name fits and the numbers are equal."""
    place = _places(list(pictures), model)
    chosen = [picture for picture in pictures if picture in place]
    straight = [model.lenses[place[each]].straightened(pictures[each], each) for each in chosen]
    height, width = straight[0][0].shape[:2]
    framed = [_frame(picture, lens, width, height) for picture, lens in straight]
    poses = model.poses[[place[each] for each in chosen]]
    path = CameraPath(poses, np.stack([lens for _, lens in framed]), width, height, 6)
    views = PosedPictures(
        np.stack([picture for picture, _ in framed]), path, name, "given cameras", model.points, model.colours
    )
    bent = sum(bool(model.lenses[place[each]].distortion.any()) for each in chosen)
    left = sorted(set(range(len(model.poses))) - set(place.values()))
    targets = _targets(model, left, width, height) if left else None
    return PosedInput(views, targets, _note(pictures, place, straight, left, bent))


def _places(names: list[str], model: Model) -> dict[str, int]:
    """The camera of each picture; pictures without one are missing."""
    if found := match_names(names, model.names):
        return found
    if len(names) == len(model.poses):
        return {name: i for i, name in enumerate(names)}
    called = f", and its pictures are called {model.names[0]} and so on" if model.names[0] else ""
    raise InputError(
        f"The camera file has {len(model.poses)} cameras for {len(names)} pictures{called}; open one picture for each, or "
        "pictures with these names."
    )


def _frame(picture: Picture, lens: Lens, width: int, height: int) -> tuple[Picture, NDArray[np.float64]]:
    """Fit to ``width`` x ``height`` by a centred crop, and adapt the intrinsics."""
    path = CameraPath(np.eye(4)[None], lens.matrix, lens.width, lens.height).fitted(width, height)
    return fit_picture(picture, width, height), path.intrinsics[0]


def fit_picture(picture: Picture, width: int, height: int) -> Picture:
    """Resize and crop to the centre, exactly as `CameraPath.fitted`."""
    if picture.shape[:2] == (height, width):
        return picture
    inner = scaled_size(picture.shape[1], picture.shape[0], width, height, "crop")
    shrinking = inner[0] < picture.shape[1]
    picture = np.asarray(
        cv2.resize(picture, inner, interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_CUBIC), np.uint8
    )
    left, top = (inner[0] - width) // 2, (inner[1] - height) // 2
    return np.ascontiguousarray(picture[top : top + height, left : left + width])


def _targets(model: Model, numbers: list[int], width: int, height: int) -> CameraPath:
    lenses = [model.lenses[i] for i in numbers]
    framed = [
        CameraPath(np.eye(4)[None], lens.matrix, lens.width, lens.height).fitted(width, height) for lens in lenses
    ]
    return CameraPath(model.poses[numbers], np.concatenate([path.intrinsics for path in framed]), width, height, 6)


def _note(
    pictures: Mapping[str, Picture],
    place: Mapping[str, int],
    straight: Sequence[tuple[Picture, Lens]],
    left: list[int],
    bent: int,
) -> str:
    lines = [f"{len(place)} pictures with their cameras."]
    if missing := [name for name in pictures if name not in place]:
        lines.append(f"{len(missing)} without a camera are left out ({missing[0]}).")
    if bent:
        lines.append(f"{bent} with lens distortion were undistorted; areas outside the original pictures are black.")
    if len({picture.shape for picture, _ in straight}) > 1:
        lines.append(_sizes(straight[0][0]))
    if left:
        lines.append(f"{len(left)} further cameras are known targets.")
    return " ".join(lines)


def _sizes(first: Picture) -> str:
    return f"Pictures of other sizes were fitted to {first.shape[1]} x {first.shape[0]}, the first one's."


def _estimate(pictures: Mapping[str, Picture], name: str) -> PosedInput:
    stack = list(pictures.values())
    height, width = stack[0].shape[:2]
    alike = len({picture.shape for picture in stack}) == 1
    views = estimate_cameras([fit_picture(picture, width, height) for picture in stack], one_lens=alike, name=name)
    note = f"{views.source[0].upper()}{views.source[1:]}."
    return PosedInput(views, None, note if alike else f"{note} {_sizes(stack[0])}")


def _read(files: Sequence[Path], account: Account) -> tuple[list[Picture], list[int]]:
    """Read all pictures, scaled alike if together they have more than `LARGEST_TOTAL` pixels, and the EXIF orientation of each."""
    pictures, turns, scale = [], [], 1.0
    for file in files:
        read = read_picture(file)
        if not pictures:
            scale = min(1.0, np.sqrt(LARGEST_TOTAL / (len(files) * read.colour.shape[0] * read.colour.shape[1])))
        pictures.append(_scale(read.colour, scale))
        turns.append(read.orientation)
        for note in read.notes:
            account.say(note)
    return pictures, turns


def _undo_exif_turns(
    pictures: Mapping[str, Picture], turns: Mapping[str, int], model: Model, account: Account
) -> dict[str, Picture]:
    """Undo the EXIF rotation of pictures whose cameras were made for the stored orientation: COLMAP and most tools ignore EXIF.

    Decides by the size of the lens; if both orientations fit, the stored one is used.
    """
    turned_ones = {name: turn for name, turn in turns.items() if turn not in (0, 1)}
    if not turned_ones:
        return dict(pictures)
    place, result = _places(list(pictures), model), dict(pictures)
    for name, turn in turned_ones.items():
        if name in place and _is_stored_shape(model.lenses[place[name]], pictures[name], turn):
            result[name] = apply_orientation(pictures[name], {6: 8, 8: 6}.get(turn, turn))
            account.say(
                f"{account.name}: pictures are shown as stored, not as EXIF rotates them, because their cameras were made so."
            )
    return result


def _is_stored_shape(lens: Lens, picture: Picture, turn: int) -> bool:
    """Whether the stored picture, not the upright one, has the aspect ratio of the lens."""
    height, width = picture.shape[:2]
    upright = abs(np.log(lens.width / lens.height * height / width))
    stored = upright if turn < 5 else abs(np.log(lens.width / lens.height * width / height))
    return stored <= upright + 1e-3


def _scale(picture: Picture, scale: float) -> Picture:
    if scale == 1:
        return picture
    size = (max(16, round(picture.shape[1] * scale)), max(16, round(picture.shape[0] * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)

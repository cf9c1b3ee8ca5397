"""Writes the control pack: everything is rendered once, frame by frame, on a CPU, and written directly to the zip."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from numpy.typing import NDArray

from camera import formats
from camera.errors import InputError
from camera.path import CameraPath
from camera.render.painters import RenderedFrame
from camera.render.scene import render_all
from camera.view import Scene
from pipelines.media.video import complete, mp4_writer
from pipelines.method import Progress
from pipelines.pack import maps
from pipelines.pack.readme import DEPTH_STEPS, NO_DEPTH, text

TRACK_SPACING = 32
"""Pixels between the tracked points of the first frame."""
MOST_PIXELS = 400_000_000
"""Maximum number of pixels of all frames together: larger packs are too large to send."""
VIDEOS = ("warped", "holes", "grey_box")


def pack(scene: Scene, path: CameraPath, out: Path, *, targets: str = "") -> Generator[Progress, None, Path]:
    """Yield progress and return ``out``, the zip; closing the generator leaves no file behind.

    ``targets``: sentences on what other models lose, for the README. See `pipelines.pack.readme` for the contents of the zip.
    Raises `InputError` for more than `MOST_PIXELS`.
    """
    if len(path) * path.width * path.height > MOST_PIXELS:
        raise InputError(
            f"{len(path)} frames of {path.width} x {path.height} are too many for one pack; use fewer or smaller ones."
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    unit = scene.first.focus_depth / DEPTH_STEPS
    with (
        complete(out) as part,
        TemporaryDirectory(prefix="reshoot-pack-") as folder,
        zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive,
    ):
        yield from _frames(archive, scene, path, unit, Path(folder))
        for name, content in formats.write_all(path).items():
            archive.writestr(f"cameras/{name}", content)
        archive.writestr("README.md", text(scene, path, unit, targets))
    return out


def _frames(
    archive: zipfile.ZipFile, scene: Scene, path: CameraPath, unit: float, folder: Path
) -> Generator[Progress, None, None]:
    points, places, visible = None, [], []
    with ExitStack() as open_videos:
        write = {name: open_videos.enter_context(mp4_writer(folder / f"{name}.mp4", path.fps)) for name in VIDEOS}
        for index, image in enumerate(render_all(scene, path, fill="holes")):
            found = maps.normals(image, path, index)
            pictures = {"warped": image.colour, "holes": _mask(image), "grey_box": maps.grey_box(found)}
            for name, picture in pictures.items():
                write[name](picture)
            for name, content in _still(image, found, unit, folder).items():
                archive.writestr(name.format(index), content)
            if index + 1 < len(path):
                archive.writestr(f"flow/{index:04}.flo", _flo(maps.flow(image, path, index)))
            if points is None:
                points = maps.track_points(image, path, TRACK_SPACING)
            pixels, shown = maps.project_visible(points, image, path, index)
            places.append(pixels)
            visible.append(shown)
            yield Progress("Packing", index + 1, len(path))
    for name in VIDEOS:
        archive.write(folder / f"{name}.mp4", f"{name}.mp4")
    for name, content in _tracks(np.stack(places), np.stack(visible), folder).items():
        archive.writestr(name, content)


def _mask(image: RenderedFrame) -> NDArray[np.uint8]:
    return np.repeat(np.where(image.holes, np.uint8(255), np.uint8(0))[..., None], 3, axis=2)


def _still(image: RenderedFrame, found: NDArray[np.float32], unit: float, folder: Path) -> dict[str, bytes]:
    """Files of one frame by name, with ``{:04}`` in place of its number."""
    known = maps.known_mask(image)
    steps = np.clip(np.rint(np.where(known, image.depth, 0) / unit), 0, 65535).astype(np.uint16)
    return {
        "warped/{:04}.png": _png(image.colour[..., ::-1]),
        "holes/{:04}.png": _png(_mask(image)[..., 0]),
        "depth/{:04}.exr": _exr(np.where(known, image.depth, np.float32(NO_DEPTH)), folder / "depth.exr"),
        "depth16/{:04}.png": _png(steps),
        "normals/{:04}.png": _png(maps.normal_picture(found)[..., ::-1]),
    }


def _png(picture: NDArray) -> bytes:
    return cv2.imencode(".png", np.ascontiguousarray(picture))[1].tobytes()


def _exr(depth: NDArray[np.float32], file: Path) -> bytes:
    import OpenEXR

    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    OpenEXR.File(header, {"Z": np.ascontiguousarray(depth, np.float32)}).write(str(file))
    return file.read_bytes()


def _flo(flow: NDArray[np.float32]) -> bytes:
    """Middlebury's format: "PIEH", width, height, then two floats per pixel."""
    height, width = flow.shape[:2]
    return b"PIEH" + np.array([width, height], "<i4").tobytes() + flow.astype("<f4").tobytes()


def _tracks(places: NDArray[np.float64], visible: NDArray[np.bool_], folder: Path) -> dict[str, bytes]:
    """Files of the tracks from pixels (F,N,2) and visibility (F,N). A point behind the camera keeps its last position in front of it."""
    for frame in range(1, len(places)):
        lost = ~np.isfinite(places[frame]).all(axis=1)
        places[frame, lost] = places[frame - 1, lost]
    listed = [[{"x": round(float(x), 3), "y": round(float(y), 3)} for x, y in track] for track in places.swapaxes(0, 1)]
    until = [int(np.argmin(shown)) if not shown.all() else len(shown) for shown in visible.T]
    np.savez(folder / "tracks.npz", track_path=places.astype(np.float32), track_visibility=visible)
    return {
        "tracks/tracks.json": json.dumps(listed).encode(),
        "tracks/tracks_ati.json": json.dumps([track[:end] for track, end in zip(listed, until) if end]).encode(),
        "tracks/tracks.npz": (folder / "tracks.npz").read_bytes(),
    }

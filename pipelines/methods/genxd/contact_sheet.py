"""A contact sheet: all views of a shot on one picture, each with its camera."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.path import CameraPath, inverse
from pipelines.method import Frames

Picture = NDArray[np.uint8]

COLUMNS = 4
BAND = 44
"""Height of the caption under each view, pixels."""
PAPER, INK, GIVEN = (250, 250, 248), (40, 40, 40), (214, 93, 14)


def contact_sheet(frames: Frames, path: CameraPath, given: set[int], *, side: int = 256) -> Picture:
    """(H,W,3): four views in a row, ``side`` pixels wide; ``given`` views have a border of another colour.

    The caption gives the camera's rotation and translation since the first frame; the map shows all cameras from above.
    """
    height = round(side * path.height / path.width)
    rows = -(-len(frames) // COLUMNS)
    sheet = np.full((rows * (height + BAND), COLUMNS * side, 3), PAPER, np.uint8)
    for i, frame in enumerate(frames):
        row, column = divmod(i, COLUMNS)
        top, left = row * (height + BAND), column * side
        tile = sheet[top : top + height + BAND, left : left + side]
        tile[:height] = cv2.resize(frame, (side, height), interpolation=cv2.INTER_AREA)
        _caption(tile[height:], i, path, i in given)
        if i in given:
            cv2.rectangle(tile, (1, 1), (side - 2, height - 2), GIVEN, 3)
    return sheet


def _caption(band: Picture, frame: int, path: CameraPath, given: bool) -> None:
    first_from_camera = inverse(path.world_from_camera[0]) @ path.world_from_camera[frame]
    forward = first_from_camera[:3, 2]
    pan, tilt = np.degrees([np.arctan2(forward[0], forward[2]), np.arcsin(np.clip(-forward[1], -1, 1))])
    moved = np.linalg.norm(first_from_camera[:3, 3])
    title = f"{frame + 1} given" if given else f"{frame + 1}"
    _text(band, title, 16, GIVEN if given else INK)
    _text(band, f"pan {round(pan):+d} tilt {round(tilt):+d} moved {moved:.2f}", 34, INK)
    _map(band[2:-2, -BAND:-4], frame, path)


def _text(band: Picture, text: str, y: int, colour: tuple[int, int, int]) -> None:
    cv2.putText(band, text, (6, y), cv2.FONT_HERSHEY_SIMPLEX, 0.4, colour, 1, cv2.LINE_AA)


def _map(area: Picture, frame: int, path: CameraPath) -> None:
    """All cameras from above (right is right, ahead is up), in the axes of the first; the current one with its field of view."""
    poses = inverse(path.world_from_camera[0]) @ path.world_from_camera
    ground = poses[:, [0, 2], 3] * [1, -1]
    low, high = ground.min(0), ground.max(0)
    size = np.array(area.shape[1::-1])
    scale = 0.6 * size.min() / max((high - low).max(), 1e-9)
    places = ((ground - (low + high) / 2) * scale + size / 2).round().astype(int)
    for place in places:
        cv2.circle(area, place.tolist(), 1, (170, 170, 170), -1, cv2.LINE_AA)
    ahead = poses[frame, [0, 2], 2] * [1, -1] * 0.3 * size.min()
    tip = (places[frame] + ahead).round().astype(int)
    cv2.line(area, places[frame].tolist(), tip.tolist(), GIVEN, 1, cv2.LINE_AA)
    cv2.circle(area, places[frame].tolist(), 2, GIVEN, -1, cv2.LINE_AA)

"""A short clip with known ground truth: a camera passes textured walls while a textured board moves in front of them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from camera.path import CameraPath, pinhole

WIDTH, HEIGHT = 320, 256
WALL, FLOOR = 6.0, 1.3
"""Distance of the back wall (z) and of the floor below the camera (y), scene units."""
BOARD, HALF = 4.0, 0.55
"""Distance and half side of the moving board."""


@dataclass(frozen=True, eq=False)
class Truth:
    """``frames`` (F,H,W,3); ``moving`` (F,H,W) bool: the board's pixels; ``depth`` (F,H,W); ``board`` (F,3): its centre."""

    frames: np.ndarray
    moving: np.ndarray
    depth: np.ndarray
    path: CameraPath
    board: np.ndarray


def render(frames: int = 14, *, speed: float = 0.06, travel: float = 1.6) -> Truth:
    """The board moves up by ``speed`` per frame while the camera moves ``travel`` to the right and turns back a little."""
    t = np.linspace(0, 1, frames)
    poses = np.repeat(np.eye(4)[None], frames, axis=0)
    for i, share in enumerate(t):
        poses[i, :3, :3] = cv2.Rodrigues(np.array([0.03 * np.sin(3 * share), -0.22 * share, 0.0]))[0]
        poses[i, :3, 3] = [travel * share, 0.1 * np.sin(4 * share), 0.5 * share]
    path = CameraPath(poses, pinhole(WIDTH, HEIGHT, 60), WIDTH, HEIGHT, 12)
    board = np.stack([np.full(frames, 0.4), 0.5 - speed * np.arange(frames), np.full(frames, BOARD)], axis=1)
    pictures, moving, depth = zip(*(_frame(path, i, board[i]) for i in range(frames)))
    return Truth(np.stack(pictures), np.stack(moving), np.stack(depth), path, board)


def along(path: CameraPath, *, speed: float = 0.06) -> np.ndarray:
    """(F,H,W,3): the same walls and board seen by arbitrary cameras with pictures of `WIDTH` x `HEIGHT`."""
    board = np.stack([np.full(len(path), 0.4), 0.5 - speed * np.arange(len(path)), np.full(len(path), BOARD)], axis=1)
    return np.stack([_frame(path, i, board[i])[0] for i in range(len(path))])


def _frame(path: CameraPath, i: int, board: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float64)
    rays = np.linalg.inv(path.intrinsics[i]) @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    directions, start = path.world_from_camera[i, :3, :3] @ rays, path.centres[i]
    wall, floor = (WALL - start[2]) / directions[2], (FLOOR - start[1]) / directions[1]
    floor[floor <= 0] = np.inf
    to_board = (board[2] - start[2]) / directions[2]
    at = start[:, None] + directions * to_board
    on_board = (np.abs(at[:2] - board[:2, None]) < HALF).all(axis=0)
    depth = np.where(on_board, to_board, np.minimum(wall, floor))  # rays have z = 1 in the camera: parameter = depth
    place = start[:, None] + directions * depth
    colour = np.where(
        on_board,
        _texture(2, (at[0] - board[0]) * 40, (at[1] - board[1]) * 40),
        np.where(wall < floor, _texture(0, place[0] * 28, place[1] * 28), _texture(1, place[0] * 28, place[2] * 28)),
    )
    shape = (HEIGHT, WIDTH)
    return colour.T.reshape(*shape, 3).astype(np.uint8), on_board.reshape(shape), depth.reshape(shape)


def _texture(seed: int, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """(3,N): coloured noise of several scales, always the same for one seed; repeats every 512 units."""
    rng = np.random.default_rng(seed)
    image = np.zeros((512, 512, 3), np.float32)
    for cells, weight in ((32, 0.5), (96, 0.35), (256, 0.25)):
        noise = cv2.resize(rng.random((cells, cells, 3), dtype=np.float32), (512, 512), interpolation=cv2.INTER_CUBIC)
        image += weight * noise
    image = np.clip(image * 255 * 0.9, 0, 255)
    columns, rows = (np.float32(a % 512).reshape(HEIGHT, WIDTH) for a in (u + 256, v + 256))
    sampled = cv2.remap(image, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    return sampled.reshape(-1, 3).T

"""DualCamCtrl's depth representation: relative disparity in 8 bits, near is bright. Needs no torch, so it can be shown before a run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from camera.path import CameraPath
from camera.view import View
from pipelines.results.depth_frames import DisparityRange, disparity_range


def disparity_picture(view: View) -> NDArray[np.uint8]:
    """(H,W) grey: the network's depth input. Near is bright, sky is black."""
    span = disparity_range(view)
    disparity = np.where(view.known, 1 / view.depth, 0)
    brightness = (disparity - span.black) / (span.white - span.black)
    return np.round(brightness.clip(0, 1) * 255).astype(np.uint8)


def colour_disparity(grey: NDArray[np.uint8], colours: str) -> NDArray[np.uint8]:
    """(F,H,W) or (H,W) grey to RGB in the colour map ``colours``."""
    import cv2

    if colours == "grey":
        return grey[..., None].repeat(3, axis=-1)
    maps = {"turbo": cv2.COLORMAP_TURBO, "inferno": cv2.COLORMAP_INFERNO}
    table = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], maps[colours])[:, 0, ::-1]
    return table.astype(np.uint8)[grey]


def views(
    frames: NDArray[np.uint8], brightness: NDArray[np.float32], span: DisparityRange, path: CameraPath
) -> tuple[View, ...]:
    """Every generated frame (F,H,W,3) as a view with its generated depth (F,H,W brightness) and the path's camera.

    Empty if a frame is infinitely far in all pixels.
    """
    depth = span.depth(brightness)
    if (depth >= span.far).all(axis=(1, 2)).any():
        return ()
    depth = np.where(depth < span.far, depth, np.float32(np.nan))
    cameras = zip(path.intrinsics, path.world_from_camera, strict=True)
    return tuple(View.of(frames[i], depth[i], lens, pose) for i, (lens, pose) in enumerate(cameras))

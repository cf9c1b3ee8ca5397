"""ALIKED keypoints matched by LightGlue, as kornia implements them: a matcher for structure from motion, if the package is installed.

Zhao et al., ALIKED, 2023; Lindenberger et al., LightGlue, ICCV 2023. Better than SIFT if light and viewpoint change much. Unlike
SuperPoint's, both weights may be used in products (ALIKED BSD-3-Clause, LightGlue Apache-2.0).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.path import CameraPath
from pipelines.estimation.colmap import Matcher, Matches
from pipelines.method import Checkpoint
from pipelines.weights.hub import Weights

MODEL = "aliked-n16"
KEYPOINTS = Checkpoint("pose/aliked", "kornia/aliked", (f"{MODEL}.pth",), gigabytes=0.003)
MATCHING = Checkpoint("pose/aliked-lightglue", "kornia/lightglue", ("aliked_lightglue.pth",), gigabytes=0.05)
LONG_SIDE = 1024
"""Longer side of the network's input, as in LightGlue's own preprocessing of ALIKED."""
MOST_KEYPOINTS = 2048
DESCRIPTOR = 128
"""Length of ALIKED's descriptors."""
_OLD_NAMES = [(r"^(self|cross)_attn\.(\d+)\.", r"transformers.\2.\1_attn.")]


def aliked(weights: Weights | None = None) -> Matcher:
    """A matcher for `pipelines.estimation.sfm`. Raises `InputError` if kornia or the weights are not available."""
    _feature()
    weights = weights or Weights()
    files = {**weights.files(KEYPOINTS), **weights.files(MATCHING)}
    networks = weights.shared(
        KEYPOINTS.key, lambda: load(*(files[name] for name in (*KEYPOINTS.files, *MATCHING.files)))
    )
    return partial(matches, *networks)


def estimate_cameras(frames: NDArray[np.uint8], fps: float) -> tuple[CameraPath, NDArray[np.int64]]:
    """The cameras of frames (F,H,W,3) by structure from motion with this matcher, and their frame numbers.

    For ``python -m pipelines evaluate --model pipelines.estimation.aliked:estimate_cameras``.
    """
    from pipelines.estimation import sfm

    found = sfm.reconstruct(frames, fps=fps, matcher=aliked())
    return found.path, np.asarray(found.frames)


def load(keypoints: str | Path, matching: str | Path) -> tuple[Any, Any]:
    """ALIKED and LightGlue from the authors' files, on the CPU. Raises `InputError` for other or damaged files."""
    from pipelines.weights.checkpoints import load_strict, read_state

    feature = _feature()
    detector, matcher = feature.ALIKED(MODEL, MOST_KEYPOINTS), feature.LightGlue(None, input_dim=DESCRIPTOR)
    load_strict(detector, read_state(keypoints), optional=[r"^dkd\.hw_grid$"], source=Path(keypoints).name)
    load_strict(
        matcher, read_state(matching), _OLD_NAMES, optional=["^confidence_thresholds$"], source=Path(matching).name
    )
    return detector.eval(), matcher.eval()


def matches(detector: Any, matcher: Any, pictures: NDArray[np.uint8], wanted: list[tuple[int, int]]) -> Matches:
    """Keypoints of ``pictures`` (F,H,W,3) in pixels, and the matches of the ``wanted`` pairs."""
    import torch

    height, width = pictures.shape[1:3]
    shrink = min(LONG_SIDE / max(height, width), 1.0)
    size = round(width * shrink), round(height * shrink)
    scale = np.array([width, height]) / size
    features = []
    with torch.inference_mode():
        for picture in pictures:
            small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
            image = torch.from_numpy(small.astype(np.float32) / 255).permute(2, 0, 1)[None]
            one = detector(image)[0]
            features.append({"keypoints": one.keypoints[None], "descriptors": one.descriptors[None]})
        found = {(i, j): _pair(matcher, features[i], features[j], size) for i, j in wanted}
    places = [each["keypoints"][0].double().numpy() for each in features]
    return [((one + 0.5) * scale - 0.5).astype(np.float32) for one in places], found


def _pair(matcher: Any, one: dict, other: dict, size: tuple[int, int]) -> NDArray[np.uint32]:
    """(M,2): the numbers of the keypoints that match."""
    import torch

    if 0 in (one["keypoints"].shape[1], other["keypoints"].shape[1]):
        return np.zeros((0, 2), np.uint32)
    sizes = {"image_size": torch.tensor([size], dtype=torch.float32)}
    return matcher({"image0": {**one, **sizes}, "image1": {**other, **sizes}})["matches"][0].numpy().astype(np.uint32)


def _feature() -> Any:
    try:
        from kornia import feature
    except ImportError as error:
        raise InputError("Matching with ALIKED needs the package kornia; run `pip install kornia`.") from error
    if not hasattr(feature, "ALIKED"):
        raise InputError(
            "This version of the package kornia has no ALIKED; run `pip install -U kornia` (0.9, Python 3.11)."
        )
    return feature

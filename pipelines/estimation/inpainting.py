"""The user's own inpainting model as an `Inpainter` of the second layer: an ONNX file such as LaMa's, or the folder of a
diffusers inpainting pipeline."""

from __future__ import annotations

import os
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from camera.errors import InputError
from camera.render.scene import Inpainter

VARIABLE = "RESHOOT_INPAINT"
"""Environment variable: the ONNX file or pipeline folder with which the page paints hidden areas; without it, patches are used."""
MULTIPLE = 8
"""Input sides are multiples of this many pixels for models without a fixed size."""


def own_inpainter() -> Inpainter | None:
    """The model set by this process's environment, see `VARIABLE`."""
    file = os.environ.get(VARIABLE)
    return inpainter_of(Path(file).expanduser()) if file else None


def inpainter_of(file: Path) -> Inpainter:
    """The model in an ONNX ``file``, run by onnxruntime on the CPU, or the pipeline in a folder, see `pipeline_of`.

    Its inputs, in any order: a picture (1,3,H,W) in 0..1, and holes (1,1,H,W), 1 where it should paint. Its first output: a
    picture (1,3,H,W) in 0..1 or 0..255; the range is detected from the pixels outside the holes. For a model of fixed size the
    picture and its output are resized. Raises `InputError` without the package, for a file that is not such a model and, when it
    paints, for an invalid output.
    """
    if file.is_dir():
        return pipeline_of(file)
    session = _open(file)
    picture, holes = _inputs(session, file.name)

    def inpaint(colour: NDArray[np.uint8], where: NDArray[np.bool_]) -> NDArray[np.uint8]:
        size = _size(picture.shape, colour.shape[:2])
        given = _resize(colour.astype(np.float32) / np.float32(255), size)
        mask = (_resize(where.astype(np.float32), size) > 0).astype(np.float32)
        feed = {picture.name: given.transpose(2, 0, 1)[None], holes.name: mask[None, None]}
        made = np.asarray(session.run(None, feed)[0], np.float32)
        if made.shape != feed[picture.name].shape or not np.isfinite(made).all():
            wanted = "x".join(map(str, feed[picture.name].shape))
            got = "x".join(map(str, made.shape))
            raise InputError(f"{file.name} must return a picture of {wanted} finite numbers; it returned {got}.")
        levels = _in_levels(made[0].transpose(1, 2, 0), given, mask)
        return np.clip(_resize(levels, colour.shape[:2]) + 0.5, 0, 255).astype(np.uint8)

    return inpaint


@lru_cache(maxsize=1)
def pipeline_of(folder: Path) -> Inpainter:
    """The diffusers inpainting pipeline in ``folder`` (model_index.json, weights as .safetensors): nothing is downloaded, the prompt
    is empty, the noise is always the same. Raises `InputError` for a folder without one, and for an invalid output."""
    pipeline = _open_pipeline(folder)

    def inpaint(colour: NDArray[np.uint8], where: NDArray[np.bool_]) -> NDArray[np.uint8]:
        import torch

        height, width = _size([1, 3, "h", "w"], colour.shape[:2])
        given = np.clip(_resize(colour.astype(np.float32), (height, width)) + 0.5, 0, 255).astype(np.uint8)
        mask = (_resize(where.astype(np.float32), (height, width)) > 0).astype(np.uint8) * 255
        made = pipeline(
            prompt="", image=Image.fromarray(given), mask_image=Image.fromarray(mask), height=height, width=width,
            generator=torch.Generator().manual_seed(0), output_type="np",
        ).images[0]  # fmt: skip
        if made.shape != given.shape or not np.isfinite(made).all():
            raise InputError(
                f"{folder.name} must return a picture of {width} x {height} finite numbers; it returned {made.shape}."
            )
        levels = 255 * _resize(np.asarray(made, np.float32), colour.shape[:2])
        return np.clip(levels + 0.5, 0, 255).astype(np.uint8)

    return inpaint


def _open_pipeline(folder: Path) -> Any:
    from diffusers.pipelines.auto_pipeline import AutoPipelineForInpainting

    try:
        pipeline = AutoPipelineForInpainting.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    except (OSError, ValueError, RuntimeError, ImportError, AttributeError) as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise InputError(f"{folder.name} must be the folder of a diffusers inpainting pipeline: {reason}") from error
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _open(file: Path) -> Any:
    if find_spec("onnxruntime") is None:
        raise InputError("An inpainting model needs the package onnxruntime: pip install onnxruntime.")
    import onnxruntime

    try:
        return onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    except Exception as error:  # the package's exceptions have no public base class
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise InputError(f"{file.name} must be an ONNX model that onnxruntime can open: {reason}") from error


def _inputs(session: Any, name: str) -> tuple[Any, Any]:
    """The inputs for the picture and for the holes, identified by their channels."""
    inputs = session.get_inputs()
    by_channels = {each.shape[1]: each for each in inputs if len(each.shape) == 4}
    if len(inputs) != 2 or set(by_channels) != {1, 3}:
        takes = " and ".join(f"{each.name} {each.shape}" for each in inputs)
        raise InputError(f"{name} must take a picture (1,3,H,W) and holes (1,1,H,W), as LaMa does; it takes {takes}.")
    return by_channels[3], by_channels[1]


def _size(shape: list, given: tuple[int, ...]) -> tuple[int, int]:
    """Height and width of the model's input: fixed, or those ``given`` rounded up to `MULTIPLE`."""
    if isinstance(shape[2], int) and isinstance(shape[3], int):
        return shape[2], shape[3]
    return -(-given[0] // MULTIPLE) * MULTIPLE, -(-given[1] // MULTIPLE) * MULTIPLE


def _resize(values: NDArray[np.float32], size: tuple[int, ...]) -> NDArray[np.float32]:
    """Resize to ``size``, height and width."""
    if values.shape[:2] == tuple(size[:2]):
        return values
    smaller = size[0] * size[1] < values.shape[0] * values.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(values, (size[1], size[0]), interpolation=how), np.float32)


def _in_levels(made: NDArray, given: NDArray, mask: NDArray) -> NDArray[np.float32]:
    """``made`` (H,W,3) scaled to 0..255, assuming the range that is nearer to the pixels ``given`` outside the holes."""
    known = mask == 0
    if not known.any():
        known = np.ones_like(known)
    as_it_is, as_unit = (np.abs(scale * made[known] - 255 * given[known]).mean() for scale in (1, 255))
    return made * np.float32(1 if as_it_is <= as_unit else 255)

"""Filling of holes from the background against OpenCV's inpainting (Telea 2004)."""

from __future__ import annotations

import cv2
import numpy as np

from bench import Row, Scale, subject, versus
from bench.room import front, orbit, side
from camera.render.inpaint import from_background
from camera.render.scene import render
from camera.view import Scene
from pipelines.media.image_metrics import psnr


@subject
def pull_push(scale: Scale) -> list[Row]:
    size = (scale.height, scale.width)
    rendered = render(Scene((front(*size),)), orbit(*size))
    truth = side(*size).colour
    mask = rendered.holes.astype(np.uint8)

    def ours() -> np.ndarray:
        return from_background(rendered.colour, rendered.depth, rendered.holes)

    def telea() -> np.ndarray:
        return cv2.inpaint(rendered.colour, mask, 3, cv2.INPAINT_TELEA)

    (threaded, slow), alone = versus(ours, telea, scale)
    gain = psnr(ours(), truth, rendered.holes) - psnr(telea(), truth, rendered.holes)
    words = f"{gain:+.1f} dB in {rendered.holes.mean():.0%} holes"
    return [
        Row("pull-push fill, against Telea", threaded, slow, words, "10x, +1 dB", slow / threaded >= 10 and gain >= 1),
        Row("pull-push fill, one thread", *alone),
    ]

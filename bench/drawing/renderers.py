"""Renderers and unprojection against the torch warp, and their memory bandwidth as a share of copying."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bench import Row, Scale, in_threads, milliseconds, subject, versus
from bench.room import front, orbit, side
from camera.path import inverse
from camera.render import framebuffer, reference_warp, zbuffer
from camera.render.forward_splat import Splat, splat
from camera.render.painters import CUT_RATIO
from camera.render.scene import render
from camera.unproject import points_of
from camera.view import Scene
from pipelines.media.image_metrics import psnr

SPLAT_BYTES = 113
"""Memory traffic per pixel: points twice (24), image (12), sums cleared, read and written, read again (64), results (13)."""
SQUARES_BYTES = 48
"""Memory traffic per pixel: depth and colour (8), keys cleared, read and written, read again (32), results (8)."""

COPIED = 8 << 20


@dataclass(frozen=True, eq=False)
class _Inputs:
    image: np.ndarray
    points: np.ndarray
    pose: np.ndarray
    lens: np.ndarray
    size: tuple[int, int]

    @staticmethod
    def of(scale: Scale) -> _Inputs:
        view, path = front(scale.height, scale.width), orbit(scale.height, scale.width)
        image = view.colour / np.float32(127.5) - np.float32(1)
        pose, lens = path.camera_from_world[0].astype(np.float32), path.intrinsics[0].astype(np.float32)
        return _Inputs(image, points_of(view), pose, lens, (scale.height, scale.width))

    def fast(self) -> Splat:
        return splat(self.image, self.points, camera_from_world=self.pose, intrinsics=self.lens, size=self.size)

    def readable(self) -> Callable[[], tuple[Tensor, Tensor]]:
        """Image and mask from the torch warp, without the depth that `camera.render.reference_warp.forward_warp` adds."""
        image = torch.from_numpy(self.image).permute(2, 0, 1)[None].contiguous()
        points, pose, lens = (torch.from_numpy(a)[None] for a in (self.points, self.pose, self.lens))

        def warp() -> tuple[Tensor, Tensor]:
            pixels, _ = reference_warp.project(points, pose, lens)
            z = pixels[..., 2]
            grid = reference_warp.pixel_grid(*self.size, image)[..., :2].permute(2, 0, 1)
            flow = (pixels[..., :2] / (z[..., None] + 1e-7)).permute(0, 3, 1, 2) - grid
            colour, known = reference_warp.bilinear_splat(image, (z[:, None] > 0).to(z), z[:, None], flow)
            return colour.clamp(-1, 1), known

        return warp


@subject
def copy_bandwidth(scale: Scale) -> list[Row]:
    alone, threaded = _copy_speed(scale, threads=False), _copy_speed(scale, threads=True)
    megabytes = COPIED / 2**20
    return [
        Row(f"copy of {megabytes:.0f} MB, one thread", COPIED / alone / 5e5, agreement=f"{alone:.1f} GB/s"),
        Row(f"copy of {megabytes:.0f} MB, all threads", COPIED / threaded / 5e5, agreement=f"{threaded:.1f} GB/s"),
    ]


def _copy_speed(scale: Scale, *, threads: bool) -> float:
    """GB/s, counting reads and writes."""
    sources, targets = np.ones((2, scale.frames, COPIED), np.uint8)  # together larger than any cache

    def copy() -> None:
        pairs = iter(zip(targets, sources))
        if threads:
            in_threads(lambda: np.copyto(*next(pairs)), scale.frames)()
        else:
            for target, source in pairs:
                np.copyto(target, source)

    (copy_ms,) = milliseconds(copy, rounds=scale.rounds)
    return 2 * COPIED * scale.frames / copy_ms / 1e6


def _bandwidth(what: str, pixels: int, per_pixel: int, milliseconds_each: float, scale: Scale) -> Row:
    """Bytes moved per second, as a share of copying with all threads in the same run."""
    speed, copied = pixels * per_pixel / milliseconds_each / 1e6, _copy_speed(scale, threads=True)
    words = f"{speed:.1f} of {copied:.1f} GB/s: {speed / copied:.0%}"
    return Row(what, milliseconds_each, agreement=words, target="50% of copying", met=speed >= 0.5 * copied)


@subject
def soft_splat(scale: Scale) -> list[Row]:
    inputs = _Inputs.of(scale)
    readable = inputs.readable()
    image, known = readable()
    ours = inputs.fast()
    error = np.abs(ours.image - image[0].permute(1, 2, 0).numpy()).mean()
    differing = int((ours.known != known[0, 0].numpy().astype(bool)).sum())
    (threaded, slow), alone = versus(inputs.fast, readable, scale)
    words = f"mean {error:.0e}, {differing} mask pixels"
    met = slow / threaded >= 12 and error <= 2e-6 and differing <= 5
    return [
        Row("soft splat", threaded, slow, words, "12x, mean 2e-6, 5 pixels", met),
        Row("soft splat, one thread", *alone),
        _bandwidth("soft splat, bytes", scale.height * scale.width, SPLAT_BYTES, threaded, scale),
    ]


@subject
def z_buffer(scale: Scale) -> list[Row]:
    """Against the soft torch warp, which it replaces while scrubbing."""
    view, path = front(scale.height, scale.width), orbit(scale.height, scale.width)
    target_from_source = inverse(path.world_from_camera[0]) @ view.world_from_camera
    turn = path.intrinsics[0] @ target_from_source[:3, :3] @ np.linalg.inv(view.intrinsics)
    shift = path.intrinsics[0] @ target_from_source[:3, 3]
    turn, shift = turn.astype(np.float32), shift.astype(np.float32)
    colour = framebuffer.pack_pixels(view.colour, view.depth, view.far)

    def draw() -> tuple:
        drawn = framebuffer.empty_framebuffer(path.height, path.width)
        zbuffer.draw(drawn, colour, depth=view.depth, turn=turn, shift=shift, magnification=1.0)
        return framebuffer.unpack_pixels(drawn)

    (threaded, slow), alone = versus(draw, _Inputs.of(scale).readable(), scale)
    picture, _, layer = draw()
    words = f"{psnr(picture, side(scale.height, scale.width).colour, layer > 0):.1f} dB to the truth"
    met = slow / threaded >= 30 and threaded <= 3
    return [
        Row("z-buffer", threaded, slow, words, "30x, 3 ms", met),
        Row("z-buffer, one thread", *alone),
        _bandwidth("z-buffer, bytes", scale.height * scale.width, SQUARES_BYTES, threaded, scale),
    ]


@subject
def mesh(scale: Scale) -> list[Row]:
    """The whole frame as in a preview, with cracks closed, against the soft torch warp."""
    scene, path = Scene((front(scale.height, scale.width),)), orbit(scale.height, scale.width)
    small = Scene((front(scale.height // 2, scale.width // 2),)), orbit(scale.height // 2, scale.width // 2)
    (threaded, slow), alone = versus(lambda: render(scene, path), _Inputs.of(scale).readable(), scale)
    (scrub,) = milliseconds(lambda: render(*small), rounds=scale.rounds)
    image = render(scene, path)
    words = f"{psnr(image.colour, side(scale.height, scale.width).colour, ~image.holes):.1f} dB to the truth"
    return [
        Row(f"grid mesh, cut at {CUT_RATIO}", threaded, slow, words),
        Row("grid mesh, one thread", *alone),
        Row("grid mesh at half size (one frame of a slider)", scrub),
    ]


@subject
def unprojection(scale: Scale) -> list[Row]:
    view = front(scale.height, scale.width)
    depth = torch.from_numpy(view.depth)[None, None]
    pose, lens = torch.eye(4)[None], torch.from_numpy(view.intrinsics.astype(np.float32))[None]

    def readable() -> Tensor:
        return reference_warp.unproject(depth, pose, lens)

    (threaded, slow), alone = versus(lambda: points_of(view), readable, scale)
    error = np.abs(points_of(view) - readable()[0].numpy()).max()
    return [
        Row("unprojection", threaded, slow, f"max {error:.0e}", "20x", slow / threaded >= 20),
        Row("unprojection, one thread", *alone),
    ]

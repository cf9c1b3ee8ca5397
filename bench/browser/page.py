"""Waiting times of a visitor: a whole rehearsal, the video file, the figure, the first page."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np
import torch

from bench import THREADS, Row, Scale, milliseconds, subject, with_torch_threads
from bench.room import CENTRE, front
from camera.figure.path import plain, spec
from camera.path import CameraPath
from camera.render import reference_warp
from camera.unproject import points_of
from camera.view import Scene
from pipelines.media.video import write_mp4
from pipelines.rehearsal import rehearse

ROOT = Path(__file__).parents[2]


def _orbit(scale: Scale, frames: int) -> tuple[Scene, CameraPath]:
    view = front(scale.height, scale.width)
    angles = np.radians(np.linspace(0, 12, frames))
    poses = np.repeat(np.eye(4)[None], frames, axis=0)
    poses[:, 0, 0] = poses[:, 2, 2] = np.cos(angles)
    poses[:, 0, 2], poses[:, 2, 0] = np.sin(angles), -np.sin(angles)
    poses[:, :3, 3] = np.array(CENTRE) - poses[:, :3, :3] @ CENTRE
    return Scene((view,)), CameraPath(poses, view.intrinsics, scale.width, scale.height)


@subject
def rehearsal(scale: Scale) -> list[Row]:
    """From picture with depth to finished mp4, against the readable torch warp and diffusers' exporter, per frame."""
    from diffusers.utils import export_to_video

    frames = 121 if scale.height > 400 else 16
    scene, path = _orbit(scale, frames)
    few = path.sliced(slice(0, max(2, scale.frames // 2)))
    with tempfile.TemporaryDirectory() as folder:
        target = str(Path(folder) / "clip.mp4")

        def ours() -> None:
            for _ in rehearse(scene, path, Path(target)):
                pass

        def plain_chain() -> None:
            export_to_video(_torch_frames(scene, few), target, fps=24)

        chains = with_torch_threads(plain_chain, 1), with_torch_threads(plain_chain, THREADS)
        ours_ms, *chain_ms = milliseconds(ours, *chains, rounds=max(1, scale.rounds // 2))
    mine, plain_frame = ours_ms / frames, min(chain_ms) / len(few)
    words = f"{frames} frames in {ours_ms / 1e3:.2f} s"
    return [
        Row(
            "rehearsal to mp4 (mesh, filled)",
            mine,
            plain_frame,
            words,
            "10x, 121 frames in 2 s",
            plain_frame >= 10 * mine and ours_ms <= 2000,
        )
    ]


def _torch_frames(scene: Scene, path: CameraPath) -> list[np.ndarray]:
    """Frames (H,W,3) in 0..1 from the readable warp, one at a time."""
    view = scene.first
    image = torch.from_numpy(view.colour).permute(2, 0, 1)[None] / 127.5 - 1
    points = torch.from_numpy(points_of(view))[None]
    lens = torch.from_numpy(view.intrinsics.copy())[None].float()
    frames = []
    for pose in path.camera_from_world:
        pixels, _ = reference_warp.project(points, torch.from_numpy(pose)[None].float(), lens)
        z = pixels[..., 2]
        grid = reference_warp.pixel_grid(view.height, view.width, image)[..., :2].permute(2, 0, 1)
        flow = (pixels[..., :2] / (z[..., None] + 1e-7)).permute(0, 3, 1, 2) - grid
        colour, _ = reference_warp.bilinear_splat(image, (z[:, None] > 0).to(z), z[:, None], flow)
        frames.append((colour[0].clamp(-1, 1) * 0.5 + 0.5).permute(1, 2, 0).numpy())
    return frames


@subject
def video(scale: Scale) -> list[Row]:
    """Write an mp4, against diffusers' exporter on the same frames."""
    from diffusers.utils import export_to_video

    frames = max(scale.frames, 8)
    base = front(scale.height, scale.width).colour
    pictures = [np.roll(base, 4 * index, axis=1) for index in range(frames)]
    floats = [picture / np.float32(255) for picture in pictures]
    with tempfile.TemporaryDirectory() as folder:
        target = str(Path(folder) / "clip.mp4")
        times = milliseconds(
            lambda: write_mp4(target, pictures, 24),
            lambda: write_mp4(target, pictures, 24, speed="preview"),
            lambda: export_to_video(floats, target, fps=24),
            rounds=scale.rounds,
        )
    result, preview, exporter = (milliseconds_all / frames for milliseconds_all in times)
    return [
        Row("mp4 of a result", result, exporter, "", ">= 4x diffusers' exporter", exporter / result >= 4),
        Row("mp4 of a preview", preview, exporter, "", ">= 10x diffusers' exporter", exporter / preview >= 10),
    ]


@subject
def figure(scale: Scale) -> list[Row]:
    """The path's figure as JSON, over a scene shown before, against a cloud alone with one colour string per point."""
    import plotly.graph_objects as go

    scene, path = _orbit(scale, 121)
    colours = np.repeat(scene.first.colour.reshape(-1, 3)[:1000], 24, axis=0)

    def texts() -> str:
        points = np.repeat(scene.first.colour.reshape(-1, 3)[:1000], 24, axis=0)
        named = [f"rgb({r},{g},{b})" for r, g, b in colours.tolist()]
        return go.Figure(
            go.Scatter3d(x=points[:, 0], y=points[:, 1], z=points[:, 2], marker={"color": named})
        ).to_json()

    ours, slow = milliseconds(lambda: json.dumps(plain(spec(path, scene))), texts, rounds=scale.rounds)
    size = len(json.dumps(plain(spec(path, scene)))) / 1e6
    return [
        Row(
            "figure of 121 cameras and 24,000 points",
            ours,
            slow,
            f"{size:.2f} MB",
            "<= 10 ms, <= 2.3 MB",
            ours <= 10 and size <= 2.3,
        )
    ]


@subject
def start(scale: Scale) -> list[Row]:
    """Process start to the first page, against the same with every heavy package imported first."""
    light, busy, light_mb = _first_page("")
    heavy, _, heavy_mb = _first_page(
        "import torch, diffusers, transformers, peft; from diffusers import CogVideoXTransformer3DModel; "
    )
    text = f"{light_mb:.0f} MB, {busy:.1f} s of processor; eager {heavy_mb:.0f} MB"
    return [
        Row(
            "start to first page",
            light * 1e3,
            heavy * 1e3,
            text,
            "<= 2.6 s, <= 140 MB",
            light <= 2.6 and light_mb <= 140,
        )
    ]


def _first_page(imports: str) -> tuple[float, float, float]:
    """Seconds until the page answers; the server's seconds of CPU time and resident megabytes by then."""
    code = f"{imports}import app; app.launch(app.build(), share=False)"
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "GRADIO_ANALYTICS_ENABLED": "False", "SHARE": ""}
    began = time.perf_counter()
    server = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )
    try:
        assert server.stdout is not None
        output = []
        while not (address := re.search(r"http://[\d.]+:\d+", "".join(output[-1:]))):
            output.append(server.stdout.readline())
            if not output[-1]:
                raise RuntimeError("the app did not start:\n" + "".join(output))
        urllib.request.urlopen(address[0], timeout=30).read()
        seconds = time.perf_counter() - began
        status = Path(f"/proc/{server.pid}/status").read_text()
        user, system = Path(f"/proc/{server.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
        busy = (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
        return seconds, busy, int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024
    finally:
        server.terminate()
        server.wait(timeout=20)

"""The scene inside a result: exact, omitted if it is too large, and refused with an explanation if it is damaged."""

import io
import json

import numpy as np
import pytest

from camera.errors import InputError
from camera.path import pinhole
from camera.view import Scene, View
from pipelines.results import mp4_box
from pipelines.results.embedded_scene import EmbeddedScene, last_frame, pack_scene, read_embedded_scene
from pipelines.results.record import scene_sha256

LENS = pinhole(32, 16, 60)


def _view(seed: int) -> View:
    source = np.random.default_rng(seed)
    depth = source.uniform(1, 5, (16, 32)).astype(np.float32)
    depth[0, :3] = [np.nan, np.inf, 0]
    return View.of(source.integers(0, 256, (16, 32, 3), np.uint8), depth, LENS)


@pytest.fixture
def scene():
    return Scene((_view(0), _view(1)), "views", "metres", 12.0, source="exact", name="a room")


def _file(tmp_path, content: bytes):
    mp4_box.append_box(tmp_path / "a.mp4", content)
    return tmp_path / "a.mp4"


def test_a_scene_comes_back_as_it_was(scene, tmp_path):
    last = np.full((16, 32, 3), 7, np.uint8)
    back = read_embedded_scene(_file(tmp_path, pack_scene(EmbeddedScene(scene, (_view(2),)), last)))
    assert back is not None and scene_sha256(back.scene) == scene_sha256(scene)
    assert (back.scene.kind, back.scene.unit, back.scene.fps, back.scene.name) == ("views", "metres", 12.0, "a room")
    np.testing.assert_array_equal(back.added[0].depth, _view(2).depth)
    np.testing.assert_array_equal(back.added[0].known, _view(2).known)
    np.testing.assert_array_equal(last_frame(tmp_path / "a.mp4"), last)


def test_of_what_is_too_large_only_the_last_frame_is_carried(scene, monkeypatch, tmp_path):
    monkeypatch.setattr("pipelines.results.embedded_scene.MOST_PIXELS", 2 * 16 * 32 - 1)
    assert pack_scene(EmbeddedScene(scene)) == b""
    file = _file(tmp_path, pack_scene(EmbeddedScene(scene), scene.first.colour))
    assert read_embedded_scene(file) is None
    np.testing.assert_array_equal(last_frame(file), scene.first.colour)


def _arrays(content: bytes) -> dict:
    with np.load(io.BytesIO(content)) as arrays:
        return dict(arrays)


def _facts(arrays: dict, **changes) -> np.ndarray:
    return np.frombuffer(json.dumps(json.loads(arrays["facts"].tobytes()) | changes).encode(), np.uint8)


@pytest.mark.parametrize("spoil", [
    lambda arrays: arrays | {"view1.depth": np.ones((8, 32), np.float32)},
    lambda arrays: arrays | {"view0.depth": np.full((16, 32), np.nan, np.float32)},
    lambda arrays: arrays | {"facts": _facts(arrays, views=10**9)},
    lambda arrays: arrays | {"facts": _facts(arrays, kind="film")},
    lambda arrays: arrays | {"facts": _facts(arrays, fps=float("nan"))},
    lambda arrays: arrays | {"facts": np.frombuffer(b"[1]", np.uint8)},
    lambda arrays: {"facts": arrays["facts"]},
])  # fmt: skip
def test_what_does_not_fit_is_refused(scene, spoil, tmp_path):
    buffer = io.BytesIO()
    np.savez(buffer, **spoil(_arrays(pack_scene(EmbeddedScene(scene)))))
    with pytest.raises(InputError):
        read_embedded_scene(_file(tmp_path, buffer.getvalue()))


def test_damage_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"a\.mp4"):
        read_embedded_scene(_file(tmp_path, b"x" * 100))

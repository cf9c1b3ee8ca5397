"""Image metrics against true frames, and between frames of one clip where the path returns, with values by hand."""

from pathlib import Path

import numpy as np
import pytest

from camera.errors import InputError
from camera.path import CameraPath, pinhole
from camera.render.scene import render
from camera.rotation import from_pan_tilt_roll
from camera.view import Scene, View
from pipelines.cli.evaluation import pictures
from pipelines.cli.evaluation.lpips import lpips_of
from pipelines.media.video import write_mp4
from pipelines.method import Clip
from pipelines.results.embedded_scene import scene_to_embed
from pipelines.results.record import Record, save
from tests.pipelines.cli.evaluation.test_lpips import seeded


def path(pans) -> CameraPath:
    poses = np.repeat(np.eye(4)[None], len(pans), axis=0)
    poses[:, :3, :3] = from_pan_tilt_roll(np.array(pans, float), np.zeros(len(pans)), np.zeros(len(pans)))
    return CameraPath(poses, pinhole(64, 48, 60), 64, 48)


def test_alike_by_hand():
    grey, lighter = np.full((48, 64, 3), 100, np.uint8), np.full((48, 64, 3), 110, np.uint8)
    decibels, same = pictures.compare_pictures(grey, lighter)
    assert decibels == pytest.approx(20 * np.log10(255 / 10))
    assert pictures.compare_pictures(grey, grey)[1] == pytest.approx(1) and same < 1


def test_which_paths_come_back():
    assert pictures.is_closed(path([0, 10, 0])) and not pictures.is_closed(path([0, 10, 20]))
    assert not pictures.is_closed(path([0, 0, 0]))  # the camera never left


def test_true_frames_and_a_revisit(tmp_path: Path):
    rng = np.random.default_rng(0)
    smooth = np.repeat(np.repeat(rng.integers(60, 200, (6, 8, 3)), 8, axis=0), 8, axis=1).astype(np.uint8)
    other = np.roll(smooth, 8, axis=1)
    video = write_mp4(tmp_path / "shot.mp4", [smooth, other, smooth], 24)
    (tmp_path / "true").mkdir()
    write_mp4(tmp_path / "true" / "shot.mp4", [smooth, other, other], 24)
    found = pictures.numbers(video, path([0, 10, 0]), tmp_path / "true")
    assert found["revisit_psnr"] is not None and found["revisit_psnr"] > 30
    assert found["psnr"] is not None and found["psnr"] < found["revisit_psnr"]
    assert pictures.numbers(video, path([0, 10, 20]), None) == {number.key: None for number in pictures.PICTURES}
    with pytest.raises(InputError, match="no true frames"):
        pictures.numbers(video, path([0, 10, 0]), tmp_path / "nowhere")
    write_mp4(tmp_path / "true" / "shot.mp4", [smooth], 24)
    with pytest.raises(InputError, match="1 true frames"):
        pictures.numbers(video, path([0, 10, 0]), tmp_path / "true")


def test_lpips_stands_beside_where_there_are_weights(tmp_path: Path):
    dark, light = (np.full((48, 64, 3), value, np.uint8) for value in (40, 200))
    video, other = write_mp4(tmp_path / "shot.mp4", [dark] * 3, 24), write_mp4(tmp_path / "true.mp4", [light] * 3, 24)
    random = lpips_of(seeded("alex"))
    found = pictures.numbers(video, path([0, 10, 20]), other, random)["lpips"]
    assert found is not None and found == pytest.approx(random.distance(dark, light), rel=0.05) and found > 0
    assert pictures.numbers(video, path([0, 10, 20]), other)["lpips"] is None


def test_frames_of_the_scene_itself_agree_with_its_depth_and_others_do_not(tmp_path: Path):
    rng = np.random.default_rng(0)
    colour = (
        np.repeat(np.repeat(rng.integers(40, 220, (6, 8, 1)), 8, axis=0), 8, axis=1).repeat(3, axis=2).astype(np.uint8)
    )
    scene = Scene((View.of(colour, np.full((48, 64), 2.0), pinhole(64, 48, 60)),), "still")
    move = path(np.linspace(0, 8, 7))
    drawn = np.stack([render(scene, move, frame=i, fill="background").colour for i in range(7)])
    clip = Clip(drawn, 12, move)
    made = Record(method="gen3c", settings={}, path=move)
    right = save(tmp_path, "right", clip, made, carries=scene_to_embed(clip, scene, goes_on=False)).video
    still = Clip(np.repeat(drawn[:1], 7, axis=0), 12, move)
    wrong = save(tmp_path, "wrong", still, made, carries=scene_to_embed(still, scene, goes_on=False)).video
    good, bad = (pictures.numbers(video, move, None)["reprojection"] for video in (right, wrong))
    assert good is not None and bad is not None and good > 30 and bad < good - 8

"""WBench's poses become our path, mirrored ones too, and a dry run gives the requested number of BGR frames."""

import cv2
import numpy as np
import pytest

from camera.errors import InputError
from camera.path import CameraPath
from camera.rotation import about_axis, to_pan_tilt_roll
from pipelines.cli.evaluation import wbench

K = [[969.6969696969696, 0.0, 960.0], [0.0, 969.6969696969696, 540.0], [0.0, 0.0, 1.0]]


def poses(matrices) -> dict:
    return {str(i): {"extrinsic": np.asarray(m).tolist(), "K": K} for i, m in enumerate(matrices)}


def forward_then_right(count: int = 12) -> dict:
    """Forward by 0.08 per step, then a turn to the right by 3 degrees per step, as in WBench's first-person layer."""
    matrices, pose = [], np.eye(4)
    for i in range(count):
        matrices.append(pose.copy())
        if i < count // 2:
            pose[:3, 3] += pose[:3, :3] @ [0, 0, 0.08]
        else:
            pose[:3, :3] = pose[:3, :3] @ about_axis([0, 1, 0], 3.0)
    return poses(matrices)


def test_poses_are_a_path_with_the_lens_in_our_pixels():
    path = wbench.path_of(forward_then_right(), 45)
    assert (len(path), path.width, path.height, path.fps) == (45, 1920, 1080, 24)
    assert path.intrinsics[0, 0, 2] == 959.5 and path.intrinsics[0, 1, 2] == 539.5
    np.testing.assert_allclose(path.centres[-1], [0, 0, 0.48], atol=1e-9)
    np.testing.assert_allclose(to_pan_tilt_roll(path.world_from_camera[-1, :3, :3]), [15, 0, 0], atol=1e-6)


def test_mirrored_poses_of_third_person_cases_are_turned_over():
    mirrored = np.eye(4)
    mirrored[:3, :3] = np.diag([-1.0, 1, 1])
    assert isinstance(wbench.path_of(poses([mirrored, mirrored]), 5), CameraPath)


def test_what_are_no_poses_is_said():
    with pytest.raises(InputError, match="numbered entries"):
        wbench.path_of({"0": {"matrix": 1}}, 5)


def test_a_dry_run_gives_bgr_frames(tmp_path, monkeypatch):
    """The command is replaced by one that writes a red video: shooting itself is tested with the command."""
    from pipelines import __main__ as command
    from pipelines.media.video import write_mp4

    def shoots(words: list[str]) -> int:
        assert words[:2] == ["run", "genxd"] and words[-2:] == ["--weights", "tiny"]
        red = np.zeros((12, 32, 48, 3), np.uint8)
        red[..., 0] = 255
        write_mp4(words[words.index("--out") + 1], red, 24)
        return 0

    monkeypatch.setattr(command, "main", shoots)
    cv2.imwrite(str(tmp_path / "first.png"), np.zeros((32, 48, 3), np.uint8))
    frames = wbench.generate_with_poses(
        "genxd", str(tmp_path / "first.png"), forward_then_right(), 45, ["--weights", "tiny"]
    )
    assert len(frames) == 45 and frames[0].shape == (32, 48, 3)
    assert frames[0][..., 2].mean() > 200 > 60 > frames[0][..., 0].mean()
    monkeypatch.setattr(command, "main", lambda _: 1)
    with pytest.raises(InputError, match="did not shoot"):
        wbench.generate_with_poses("genxd", str(tmp_path / "first.png"), forward_then_right(), 45)

"""Two path files scored on the command line: equal ones, a straight one that cannot be aligned, and incompatible ones."""

import json

import numpy as np

from camera.formats import write
from camera.path import CameraPath, pinhole
from pipelines.cli.score_poses import main


def saved(folder, name: str, centres) -> str:
    poses = np.repeat(np.eye(4)[None], len(centres), axis=0)
    poses[:, :3, 3] = centres
    file = folder / name
    file.write_bytes(write("reshoot", CameraPath(poses, pinhole(32, 24, 60), 32, 24))[1])
    return str(file)


def test_scores(tmp_path, capsys):
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    one, twice = saved(tmp_path, "one.json", square), saved(tmp_path, "twice.json", 2 * square)
    assert main([one, twice]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["auc_30"] == 1 and found["trans_err_rel_sum"] < 1e-9 and found["ate"] < 1e-9
    assert np.isclose(found["trans_err_abs_sum"], (2 + np.sqrt(2)) / np.sqrt(2))


def test_a_straight_path_has_no_ate_and_says_why(tmp_path, capsys):
    line = saved(tmp_path, "line.json", np.outer(range(4), [1, 0, 0]))
    assert main([line, line]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ate"] is None and "one line" in found["no_alignment"]


def test_other_frame_counts_are_refused(tmp_path, capsys):
    files = [saved(tmp_path, f"{n}.json", np.outer(range(n), [1, 0, 0])) for n in (3, 4)]
    assert main(files) == 1 and "3 frames" in capsys.readouterr().err

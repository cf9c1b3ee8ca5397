"""Lists and matrices from the command line on a pool of two replicas: the same clips, in order, none of them shot twice."""

import json

import cv2
import numpy as np
import pytest

from pipelines.__main__ import main
from pipelines.cli.evaluation.matrix import shot_all
from pipelines.media.video import read_video
from pipelines.runtime.pool import dispatch
from pipelines.runtime.pool.settings import PoolSettings

TINY = [
    "--depth-model",
    "guess",
    "--width",
    "96",
    "--height",
    "64",
    "--frames",
    "5",
    "--steps",
    "2",
    "--weights",
    "tiny",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A picture, a list of it with three prompts, a matrix of it; Ray runs to the end of the module."""
    folder = tmp_path_factory.mktemp("lists")
    down, across = np.mgrid[:64, :96].astype(np.uint8)
    cv2.imwrite(str(folder / "in.png"), np.stack([down * 3, across * 2, down + across], axis=-1))
    rows = [
        {"visual_input": "in.png", "prompt": words, "seed": seed}
        for seed, words in enumerate(["a door", "a hall", "a step"])
    ]
    (folder / "list.jsonl").write_text("\n".join(map(json.dumps, rows)))
    matrix = {"image": "in.png", "methods": ["dualcamctrl"], "moves": ["arc 10"], "seeds": [0, 1], "options": TINY}
    (folder / "matrix.json").write_text(json.dumps(matrix))
    yield folder
    dispatch.pool(PoolSettings("auto", 2, 20, True)).close()


@pytest.fixture
def over_pool(monkeypatch):
    monkeypatch.setenv("RESHOOT_RAY", "auto")
    monkeypatch.setenv("RESHOOT_REPLICAS", "2")


def run(folder, out):
    return main(["run", "dualcamctrl", *TINY, "--batch", str(folder / "list.jsonl"), "--out", str(folder / out)])


def test_a_list_over_the_pool_gives_the_clips_of_one_device_and_is_taken_up_where_it_ended(folder, over_pool, capsys):
    assert run(folder, "pool") == 0
    began = capsys.readouterr().err
    assert began.index("0.mp4:") < began.index("1.mp4:") < began.index("2.mp4:")
    (folder / "pool" / "1.mp4").unlink()
    assert run(folder, "pool") == 0
    again = capsys.readouterr().err
    assert again.count("is there already") == 2 and "1.mp4 is there already" not in again
    with pytest.MonkeyPatch.context() as alone:
        alone.delenv("RESHOOT_RAY")
        assert run(folder, "alone") == 0
    for name in ("0.mp4", "1.mp4", "2.mp4"):
        assert np.array_equal(read_video(folder / "pool" / name)[0], read_video(folder / "alone" / name)[0])


def test_a_matrix_over_the_pool_is_shot_once(folder, over_pool):
    shoot, said = [], []

    def counted(words):
        shoot.append(words)
        return main(words)

    videos = shot_all(folder / "matrix.json", folder / "matrix", said.append, counted)
    assert [video.name for video in videos] == [f"dualcamctrl_move0_seed{seed}.mp4" for seed in (0, 1)] and not said
    assert shot_all(folder / "matrix.json", folder / "matrix", said.append, counted) == videos
    assert len(shoot) == 2 and not np.array_equal(read_video(videos[0])[0], read_video(videos[1])[0])

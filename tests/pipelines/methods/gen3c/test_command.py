"""GEN3C on the command line: posed clips and views, adding a chunk, and Ctrl-C, after which finished chunks remain."""

import cv2
import numpy as np
import pytest

import pipelines.__main__ as command
from pipelines.media.video import probe, read_video, write_mp4
from pipelines.method import Clip
from pipelines.methods.gen3c.export import views_npz
from pipelines.methods.gen3c.method import Gen3cMoves, path
from pipelines.results.record import restore

FRAME = ["--frames", "9", "--width", "96", "--height", "64"]
QUICK = ["--steps", "2", "--no-use-text", "--guidance", "0", "--weights", "tiny", "--chunk-frames", "9"]


@pytest.fixture
def picture(scene, tmp_path):
    cv2.imwrite(str(tmp_path / "in.png"), scene.first.colour[..., ::-1])
    np.save(tmp_path / "depth.npy", scene.first.depth)
    return ["--image", str(tmp_path / "in.png"), "--depth", str(tmp_path / "depth.npy")]


def test_a_result_gets_one_chunk_more(picture, tmp_path, capsys):
    first, longer = tmp_path / "first.mp4", tmp_path / "longer.mp4"
    assert command.main(["run", "gen3c", *picture, *FRAME, *QUICK, "--out", str(first)]) == 0
    on = ["--trajectory", "up", "--after", str(first), "--out", str(longer)]
    assert command.main(["run", "gen3c", *QUICK, *on]) == 0, "the result brings its picture"
    made = restore(longer)
    np.testing.assert_array_equal(read_video(longer)[0][:9], read_video(first)[0])
    assert len(read_video(longer)[0]) == len(made.path) == 17 and made.moves == {}
    assert made.path.centres[16, 1] < -0.2 < made.path.centres[8, 1]
    assert (tmp_path / "longer-cache-first-picture.mp4").is_file()
    capsys.readouterr()
    assert command.main(["run", "gen3c", *picture, *FRAME, *QUICK, "--after", "no.mp4", "--out", str(longer)]) == 1
    assert "There is no result no.mp4 to continue." in capsys.readouterr().err
    assert command.main(["run", "gen3c", *QUICK, "--out", str(longer)]) == 1
    assert "Add a picture with --image" in capsys.readouterr().err
    write_mp4(tmp_path / "bare.mp4", read_video(first)[0], 24, metadata=probe(first).metadata)
    assert command.main(["run", "gen3c", *QUICK, "--after", str(tmp_path / "bare.mp4"), "--out", str(longer)]) == 1
    assert "bare.mp4 does not contain its input" in capsys.readouterr().err


def test_cancel_keeps_what_is_finished(picture, tmp_path, monkeypatch, capsys):
    real = command.generate

    def interrupted(*given, **named):
        for item in real(*given, **named):
            yield item
            if isinstance(item, Clip):
                raise KeyboardInterrupt

    monkeypatch.setattr(command, "generate", interrupted)
    out = tmp_path / "part.mp4"
    frames = ["--frames", "25", "--width", "96", "--height", "64"]
    assert command.main(["run", "gen3c", *picture, *frames, *QUICK, "--out", str(out)]) == 130
    assert "the 9 frames that were finished" in capsys.readouterr().err
    assert len(read_video(out)[0]) == 9 and len(restore(out).path) == 25
    monkeypatch.undo()
    whole = tmp_path / "whole.mp4"
    assert command.main(["run", "gen3c", *picture, *frames, *QUICK, "--after", str(out), "--out", str(whole)]) == 0
    assert len(read_video(whole)[0]) == 25


def test_views_are_shot_along_the_path_that_came_with_them(scene, tmp_path):
    along = path(Gen3cMoves(width=96, height=64, frames=17, trajectory="up"), scene)
    (tmp_path / "views.npz").write_bytes(views_npz(scene, along))
    out = tmp_path / "views.mp4"
    assert (
        command.main(["run", "gen3c", "--files", str(tmp_path / "views.npz"), *FRAME, *QUICK, "--out", str(out)]) == 0
    )
    assert len(read_video(out)[0]) == 17
    np.testing.assert_allclose(restore(out).path.world_from_camera, along.world_from_camera, atol=1e-5)

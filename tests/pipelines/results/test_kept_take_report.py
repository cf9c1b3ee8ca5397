"""A take report is measured from a file and stored inside the mp4 and beside it; the video still plays."""

from pathlib import Path

import pytest

from camera.errors import InputError
from camera.path import CameraPath
from pipelines.cli.evaluation.take_report import main
from pipelines.media.video import read_video, write_mp4
from pipelines.method import Progress
from pipelines.results import mp4_box, take_report
from tests.scenes.rendered_clip import HEIGHT, WIDTH, along
from tests.scenes.turning import turning


@pytest.fixture(scope="module")
def path() -> CameraPath:
    return turning(8, 14, size=(WIDTH, HEIGHT), fps=12)


@pytest.fixture
def video(path: CameraPath, tmp_path: Path) -> Path:
    file = write_mp4(tmp_path / "shot.mp4", along(path), 12)
    mp4_box.append_box(file, b"another box")
    return file


def test_the_command_measures_and_keeps(path, video, tmp_path, capsys):
    from camera.formats.reshoot import write

    (tmp_path / "asked.json").write_bytes(write(path))
    before = read_video(video)[0]
    assert main([str(video), "--path", str(tmp_path / "asked.json")]) == 0
    made = take_report.read_report(video)
    assert made is not None and (made.kind, made.verdict) == ("pan", "follows")
    assert made.turn_gain == pytest.approx(1, abs=0.02)
    assert "follows. Turns as far as asked" in capsys.readouterr().out
    assert (tmp_path / "shot-take.json").is_file()
    assert mp4_box.read_box(video) == b"another box"
    assert (read_video(video)[0] == before).all()


def test_a_second_report_takes_the_place_of_the_first(video, path):
    from camera.evaluation.report import MeasuredCamera, make_report

    found = MeasuredCamera("pan", path, range(8), 8, "held", 0.0, 0.1, ("Found.",))
    take_report.save_report(video, make_report(found))
    size = video.stat().st_size
    take_report.save_report(video, make_report(found, path))
    again = take_report.read_report(video)
    assert again is not None and again.requested is not None
    take_report.save_report(video, make_report(found))
    assert video.stat().st_size == size


def test_the_report_beside_serves_where_the_mp4_lost_its_own(video, path, tmp_path):
    from camera.evaluation.report import MeasuredCamera, make_report

    take_report.save_report(video, make_report(MeasuredCamera("pan", path, range(8), 8, "held", 0.0, 0.1, ("Found.",))))
    write_mp4(video, along(path), 12)
    made = take_report.read_report(video)
    assert made is not None and made.kind == "pan"
    (tmp_path / "shot-take.json").write_text("{}")
    with pytest.raises(InputError, match="damaged"):
        take_report.read_report(video)


def test_measuring_can_be_broken_off(video):
    steps = take_report.measure_steps(video)
    assert isinstance(next(steps), Progress)
    steps.close()
    assert take_report.read_report(video) is None


def test_what_is_no_whole_mp4_is_left_alone(tmp_path):
    file = tmp_path / "cut.mp4"
    file.write_bytes(b"\x00\x00\x01\x00ftypisom")
    with pytest.raises(InputError, match="not a complete mp4"):
        mp4_box.replace_box(file, b"x", kind=mp4_box.TAKE)
    assert file.read_bytes() == b"\x00\x00\x01\x00ftypisom"

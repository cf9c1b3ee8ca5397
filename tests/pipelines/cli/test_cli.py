"""The command line with real methods on tiny weights, from options to files and exit status."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from camera.errors import InputError
from pipelines import method
from pipelines.__main__ import main
from pipelines.cli import bench, doctor
from pipelines.cli.parser import parser, read_settings
from pipelines.media.video import read_video
from pipelines.method import Checkpoint
from pipelines.options import RunOptions
from pipelines.results.record import restore

ROOT = Path(__file__).parents[3]
METHODS = ("gen3c", "genxd", "dimensionx", "dualcamctrl")


@pytest.fixture(autouse=True)
def methods(monkeypatch):
    """Only the methods that start from a single picture; the tests use them by name."""
    monkeypatch.setenv("RESHOOT_METHODS", ",".join(METHODS))


@pytest.fixture
def picture(tmp_path):
    down, across = np.mgrid[:64, :96].astype(np.uint8)
    cv2.imwrite(str(tmp_path / "in.png"), np.stack([down * 3, across * 2, down + across], axis=-1))
    return tmp_path / "in.png"


RUN = ["run", "dualcamctrl", "--depth-model", "guess", "--width", "96", "--height", "64", "--frames", "5", "--steps", "2",
       "--weights", "tiny"]  # fmt: skip


def test_a_list_is_shot_line_by_line_and_what_is_refused_is_told(picture, tmp_path, capsys):
    rows = [
        {"visual_input": "in.png", "prompt": "a door", "seed": 3},
        {"visual_input": "in.png", "frames": 6},
        {"prompt": "words alone", "mode": "text to video", "steps": 1},
    ]
    (tmp_path / "list.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    out = tmp_path / "out"
    given = ["--batch", str(tmp_path / "list.jsonl"), "--out", str(out)]
    assert main([*RUN, *given]) == 1
    assert "makes 4k+1 frames, got 6" in capsys.readouterr().err
    assert sorted(file.name for file in out.glob("*.mp4") if file.stem.isdigit()) == ["0.mp4", "2.mp4"]
    first, last = restore(out / "0.mp4"), restore(out / "2.mp4")
    assert (first.settings["prompt"], first.settings["seed"], first.settings["steps"]) == ("a door", 3, 2)
    assert (last.settings["mode"], last.settings["steps"]) == ("text to video", 1)

    before = {name: (out / name).stat().st_mtime_ns for name in ("0.mp4", "2.mp4")}
    (out / "2.mp4").unlink()
    assert main([*RUN, *given]) == 1
    told = capsys.readouterr().err
    assert "0.mp4 is there already" in told and (out / "0.mp4").stat().st_mtime_ns == before["0.mp4"]
    assert (out / "2.mp4").is_file(), "what a kill had kept from being shot is shot now"
    assert main([*RUN, *given, "--travel", "0.3"]) == 1
    assert (out / "0.mp4").stat().st_mtime_ns != before["0.mp4"], "with another move it is another shot"


@pytest.mark.parametrize(("line", "words"), [
    ("{", "Line 1 of list.jsonl is not JSON"),
    ("[1]", "not a JSON object"),
    ('{"visual_input": "gone.png"}', "gone.png does not exist"),
    ('{"visual_input": "in.png", "colour": 1}', "no move or setting colour"),
    ('{"visual_input": "in.png", "steps": 1000}', "Line 1 of list.jsonl: "),
    ("", "is empty"),
])  # fmt: skip
def test_a_list_that_cannot_be_understood_is_refused_before_anything_is_shot(line, words, picture, tmp_path, capsys):
    (tmp_path / "list.jsonl").write_text(line)
    assert main([*RUN, "--batch", str(tmp_path / "list.jsonl"), "--out", str(tmp_path / "out")]) == 1
    assert words in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_run_writes_a_video_that_restores_its_options(picture, tmp_path, capsys):
    out = tmp_path / "new" / "take.mp4"
    assert main([*RUN, "--image", str(picture), "--out", str(out), "--seed", "7", "--travel", "0.25"]) == 0
    printed = capsys.readouterr()
    assert "Denoising 2/2" in printed.err and "s per step" in printed.out and str(out) in printed.out
    frames, fps = read_video(out)
    assert frames.shape == (5, 64, 96, 3) and fps == 10
    made, known = restore(out), method("dualcamctrl")
    assert made.settings_for(known)[0] == known.settings(steps=2, seed=7)
    assert made.moves_for(known)[0].travel == 0.25 and made.weights == "tiny"

    again = tmp_path / "again.mp4"
    assert main([*RUN, "--image", str(picture), "--out", str(again), "--path", str(out), "--seed", "7"]) == 0
    assert np.allclose(restore(again).path.world_from_camera, made.path.world_from_camera, atol=1e-9)
    assert restore(again).moves == {}, "a path from a file was not made by the moves"


def test_words_alone_need_no_picture(picture, tmp_path, capsys):
    small = [*RUN[:2], *RUN[4:], "--steps", "1", "--no-picture", "--out", str(tmp_path / "words.mp4")]
    assert main([*small, "--mode", "text to video", "--prompt", "a quiet street"]) == 0
    assert restore(tmp_path / "words.mp4").settings["mode"] == "text to video"
    assert main(small) == 1
    assert "There is no picture: open one, or choose the mode text to video." in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*small, "--image", str(picture)])


def test_preview_needs_no_weights(picture, tmp_path, capsys):
    out = tmp_path / "p.mp4"
    arguments = ["preview", "dualcamctrl", "--image", str(picture), "--depth-model", "guess", "--out", str(out)]
    assert main([*arguments, "--frames", "5", "--width", "96", "--height", "64"]) == 0
    assert read_video(out)[0].shape == (5, 64, 96, 3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["--steps", "0"], "Steps must lie between 1 and"),
        (["--frames", "6"], "DualCamCtrl makes 4k+1 frames, got 6"),
        (["--path", "nowhere.json"], "There is no path file nowhere.json"),
        (["--image", "nowhere.png"], "nowhere.png"),
    ],
)
def test_refusals_are_one_sentence_and_status_1(picture, tmp_path, capsys, change, words):
    assert main([*RUN, "--image", str(picture), "--out", str(tmp_path / "x.mp4"), *change]) == 1
    error = capsys.readouterr().err
    assert words in error and "Traceback" not in error
    assert not list(tmp_path.glob("*.mp4"))


def test_unknown_options_and_choices_are_usage_errors(picture, capsys):
    for arguments in (["run", "nothing"], [*RUN, "--image", "a", "--out", "b", "--memory", "much"], []):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2


def test_every_setting_of_every_method_is_an_option_with_its_default():
    for name in METHODS:
        given = parser().parse_args(["run", name, "--image", "a", "--out", "b"])
        known = method(name)
        assert read_settings(known.moves, given, "moves") == known.moves()
        assert read_settings(known.settings, given, "settings") == known.settings()
        assert read_settings(RunOptions, given, "options") == RunOptions()


def test_list_names_all_and_prints_the_readmes_table(capsys):
    assert main(["list"]) == 0
    told = capsys.readouterr().out
    assert "dualcamctrl: DualCamCtrl" in told and "guidance='5.0'" in told
    assert main(["list", "--markdown"]) == 0
    table = capsys.readouterr().out.strip().splitlines()
    assert {line.count("|") for line in table} == {5} and "[GEN3C](https://arxiv.org/abs/2503.03751)" in "".join(table)


def test_bench_prints_phases_and_what_an_option_changes(tmp_path, capsys):
    arguments = ["bench", "dualcamctrl", "--weights", "tiny", "--steps", "2", "--frames", "5", "--size", "96x64"]
    assert main([*arguments, "--compare", "memory=fp8", "--out", str(tmp_path / "B.md")]) == 0
    told = capsys.readouterr().out
    assert re.search(r"\| Denoising \| \d+\.\d\d \| \d+\.\d{3} \| \d+\.\d\d \|", told)
    assert "5 frames of 96x64, tiny weights, memory mode full" in told
    assert re.search(r"With memory=fp8: .* PSNR \d+\.\d dB, largest difference \d+ of 255\.", told)
    assert (tmp_path / "B.md").read_text().strip() == told.strip()


def test_calibrate_makes_magcache_ready(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RESHOOT_CALIBRATION", str(tmp_path))
    small = [
        "dualcamctrl",
        "--weights",
        "tiny",
        "--steps",
        "4",
        "--frames",
        "5",
        "--set",
        "width=96",
        "--set",
        "height=64",
    ]
    assert main(["calibrate", *small]) == 0
    told = capsys.readouterr()
    assert re.match(r"DualCamCtrlTransformer, \d+ parameters: 4 steps, ratios \d\.\d+ to \d\.\d+\n", told.out)
    assert told.out.strip().endswith("magcache-dualcamctrl-tiny.json") and "Denoising 4/4" in told.err
    assert main(["bench", *small, "--cache-threshold", "0.5", "--compare", "cache=MagCache"]) == 0
    told = capsys.readouterr().out
    assert "5 frames of 96x64" in told and re.search(r"With cache=MagCache: .* PSNR \d+\.\d dB", told)
    assert main(["calibrate", *small, "--cache", "first block"]) == 1
    assert "without a step cache" in capsys.readouterr().err


def test_bench_compares_only_what_exists():
    assert bench.apply_change(RunOptions(), "cache_threshold=0.2").cache_threshold == 0.2
    assert bench.apply_change(RunOptions(), "compile=on").compile
    for change, words in (
        ("colour=red", "no option 'colour'"),
        ("cache_threshold=x", "a number"),
        ("memory=no", "Memory"),
    ):
        with pytest.raises(InputError, match=words):
            bench.apply_change(RunOptions(), change)
    for change, words in (("travel=far", "travel must be a number"), ("speed=2", "no option 'speed' here")):
        with pytest.raises(InputError, match=words):
            bench.default_shot(method("dualcamctrl"), given=[change])
    _, path, settings = bench.default_shot(method("dualcamctrl"), given=["frames=9", "prompt=a=b"])
    assert len(path) == 9 and settings.values()["prompt"] == "a=b"
    with pytest.raises(InputError, match="WIDTHxHEIGHT"):
        bench.default_shot(method("dualcamctrl"), size="big")


def test_doctor_fails_without_weights_and_passes_with_a_local_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert main(["doctor", "dualcamctrl"]) == 1
    told = capsys.readouterr().out
    assert (
        "FAIL" in told
        and "not in the cache, and the hub is switched off (HF_HUB_OFFLINE)" in told
        and "GB of disk free" in told
    )
    assert "Nothing can be shot here with real weights; see FAIL above for dualcamctrl." in told
    for checkpoint in method("dualcamctrl").checkpoints:
        (tmp_path / checkpoint.repo).mkdir(parents=True, exist_ok=True)
    monkeypatch.setenv("RESHOOT_WEIGHTS", str(tmp_path))
    assert main(["doctor", "dualcamctrl"]) == 0
    told = capsys.readouterr().out
    assert (
        "in the local folder" in told
        and "Everything that shooting needs is installed." in told
        and "of GPU memory (group off" in told
    )


def test_doctor_tells_gated_missing_and_available_apart(tmp_path, monkeypatch):
    from fake_hub import Hub, Repository, serving

    repositories = {"a/open": Repository({"x": b"1"}), "a/gated": Repository({"x": b"1"}, gated=True)}
    with serving(Hub(repositories)) as hub:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
        found = {
            repo: doctor._checkpoint(Checkpoint(repo, repo, ("x",)))[0] for repo in ("a/open", "a/gated", "a/none")
        }
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
        assert "http://127.0.0.1:9 does not answer" in doctor.hub_silence()
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
        assert doctor.hub_silence() == ""
        found["version"] = doctor._checkpoint(Checkpoint("v", "a/open", ("x",), revision="v2"))[0]
    assert found["a/open"].good and "can be downloaded" in found["a/open"].words
    assert found["a/gated"].good is False and "gated; accept its terms at" in found["a/gated"].words
    assert "does not exist or is private" in found["a/none"].words
    assert "has no revision v2" in found["version"].words


def test_as_a_program_it_ends_with_its_status(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "pipelines", "list", "--markdown"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ,
    )
    assert done.returncode == 0 and done.stdout.startswith("| method |"), done.stderr
    code = "import sys, pipelines.cli.parser as c; c.parser(); print([m for m in ('torch', 'diffusers', 'gradio') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert json.loads(done.stdout.replace("'", '"')) == [], done.stderr

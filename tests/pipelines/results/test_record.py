"""Results: everything is restored from the mp4 and from the JSON; damaged and foreign files are refused; kill -9 leaves no partial file."""

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from toy_method import TOY, ToyMoves, toy_shot

from camera.errors import InputError
from pipelines.media.video import probe, read_video, write_mp4
from pipelines.method import Clip
from pipelines.options import RunOptions
from pipelines.results.record import frames_zip, record, restore, save, scene_sha256
from pipelines.runtime.progress_clock import Phase, Report
from pipelines.settings import Settings, setting
from pipelines.shot import Shot

ROOT = Path(__file__).parents[3]


@pytest.fixture
def shot():
    scene, path, settings = toy_shot(frames=3, travel=0.3)
    settings = replace(settings, seed=2**31 - 1, prompt='a "quoted" präm\npt 山')
    frames = np.random.default_rng(1).integers(0, 255, (3, 64, 64, 3), dtype=np.uint8)
    extras, files = {"Depth map": frames[:2]}, {"depth.bin": b"\0\1"}
    clip = Clip(frames, 12.0, path, extras=extras, files=files)
    options = RunOptions(weights="tiny")
    report = Report(
        "toy", options.values(), "full", "why", "cpu", (Phase("Denoising", 2.0, 1.0, 4),), {"a/b": "c" * 40}
    )
    moves = ToyMoves(frames=3, travel=0.3)
    return scene, path, settings, clip, record(Shot(TOY, scene, path, settings, options), moves=moves, report=report)


def test_mp4_and_sidecar_restore_everything_exactly(tmp_path, shot):
    scene, path, settings, clip, made = shot
    saved = save(tmp_path, "take", clip, made)
    for file in (saved.video, saved.sidecar):
        back = restore(file)
        assert np.array_equal(back.path.world_from_camera, path.world_from_camera)
        assert np.array_equal(back.path.intrinsics, path.intrinsics)
        assert (back.path.width, back.path.height, back.path.fps) == (path.width, path.height, path.fps)
        assert back.settings_for(TOY) == (settings, ())
        assert back.moves_for(TOY) == (ToyMoves(frames=3, travel=0.3), ())
        assert back.input_sha256 == scene_sha256(scene)
        assert (back.weights, back.revisions, back.version) == ("tiny", {"a/b": "c" * 40}, made.version)
        assert back.report["phases"][0]["name"] == "Denoising"
    assert "noise" in probe(saved.video).metadata["comment"]
    assert len(read_video(saved.companions["Depth map"])[0]) == 2
    assert saved.files["depth.bin"].read_bytes() == b"\0\1"


def test_a_long_path_survives_the_metadata(tmp_path, shot):
    _, path, _, clip, made = shot
    long = path.resampled(481)
    saved = save(tmp_path, "long", clip, replace(made, path=long))
    assert np.array_equal(restore(saved.video).path.world_from_camera, long.world_from_camera)


def test_the_hash_knows_every_part_of_the_input(shot):
    scene = shot[0]
    deeper = replace(scene, views=(replace(scene.first, depth=scene.first.depth * 2),))
    assert scene_sha256(scene) != scene_sha256(deeper)
    assert scene_sha256(scene) != scene_sha256(replace(scene, kind="clip"))


def test_settings_of_another_version_are_named_not_dropped_silently(shot):
    back = replace(shot[4], settings={"steps": 7, "gone": 1, "seed": -5})
    settings, notes = back.settings_for(TOY)
    assert settings.steps == 7 and settings.seed == 0
    assert len(notes) == 2 and "gone" in notes[0] and "-5" in notes[1]


@dataclass(frozen=True, kw_only=True)
class WithFile(Settings):
    lora_file: str = setting("", "LoRA file", file=True)


def test_files_are_named_without_their_folder_and_asked_for_again(shot):
    scene, path, *_ = shot
    method = replace(TOY, settings=WithFile)
    made = record(Shot(method, scene, path, WithFile(lora_file="/secret/session/mine.safetensors")))
    assert made.settings == {"lora_file": "mine.safetensors"}
    settings, notes = made.settings_for(method)
    assert settings == WithFile() and notes == (
        "LoRA file: a result does not contain mine.safetensors; choose the file again.",
    )


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"reshoot": 1}', '{"reshoot": "x"}', '{"reshoot": 99}', "null", "[" * 100000],
)
def test_foreign_and_damaged_records_are_refused_in_words(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match=r"a\.json.*\.$"):
        restore(tmp_path / "a.json")


def test_damaged_tables_and_foreign_videos_are_refused(tmp_path, shot):
    values = json.loads(shot[4].to_json()) | {"settings": 5}
    (tmp_path / "a.json").write_text(json.dumps(values))
    with pytest.raises(InputError, match="damaged"):
        restore(tmp_path / "a.json")
    write_mp4(tmp_path / "b.mp4", shot[3].frames, 8)
    with pytest.raises(InputError, match="no record"):
        restore(tmp_path / "b.mp4")


def test_frames_zip_holds_exact_frames_and_cameras(tmp_path, shot):
    clip = shot[3]
    with zipfile.ZipFile(frames_zip(tmp_path / "f.zip", clip, {"cameras.json": b"{}"})) as archive:
        assert archive.namelist() == [f"frames/{i:05d}.png" for i in range(3)] + ["cameras/cameras.json"]
        png = cv2.imdecode(np.frombuffer(archive.read("frames/00001.png"), np.uint8), cv2.IMREAD_COLOR)
        assert np.array_equal(png[..., ::-1], clip.frames[1])


SAVING = """
import sys, numpy as np
from pathlib import Path
from camera.path import CameraPath, pinhole
from pipelines.method import Clip
from pipelines.results.record import Record, save
path = CameraPath(np.eye(4)[None], pinhole(256, 256, 60), 256, 256)
frames = np.random.default_rng(0).integers(0, 255, (40, 256, 256, 3), dtype=np.uint8)
save(Path(sys.argv[1]), "first", Clip(frames, 8, path), Record("toy", {"n": 0}, path))  # loads the encoder
print("ready", flush=True)
for number in range(1000):
    save(Path(sys.argv[1]), "take", Clip(frames, 8, path), Record("toy", {"n": number}, path))
"""


def test_kill_while_saving_leaves_only_whole_files(tmp_path):
    for delay in (0.05, 0.3, 0.7):
        child = subprocess.Popen(
            [sys.executable, "-c", SAVING, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT, env=os.environ
        )
        child.stdout.readline()
        time.sleep(delay)
        while delay == 0.7 and not (tmp_path / "take.mp4").exists():
            time.sleep(0.05)
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        for file in tmp_path.glob("take*"):
            assert restore(file).method == "toy"
            if file.suffix == ".mp4":
                assert len(read_video(file)[0]) == 40
    assert list(tmp_path.glob("take.mp4")), "the test never saw a finished file"


def test_saving_removes_only_old_leftovers(tmp_path, shot):
    for name in (".part-old", ".part-new", "take.mp4"):
        (tmp_path / name).write_bytes(b"x")
    os.utime(tmp_path / ".part-old", (0, 0))
    save(tmp_path, "shot", shot[3], shot[4])
    left = {path.name for path in tmp_path.iterdir() if not path.name.startswith("shot")}
    assert left == {".part-new", "take.mp4"}

"""A full disk, too large a file, no descriptors: each gives one sentence from a real handler, and the next call works."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import gradio as gr
import pytest

from camera.errors import NO_TEMPORARY_FOLDER, describe_fault
from pipelines.media import video
from tabs.parts.form import wrap_handler

ROOT = Path(__file__).parents[3]
CHILD = """
import json, resource, signal, sys
from pathlib import Path
import gradio as gr
import numpy as np
from camera.path import pinhole
from camera.view import Scene, View
from pipelines.rehearsal import rehearse
from tabs.parts.form import wrap_handler
kind, low, folder = getattr(resource, sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
noise = np.random.default_rng(0).integers(0, 255, (96, 128, 3), dtype=np.uint8)
scene = Scene((View.of(noise, np.ones((96, 128), np.float32), pinhole(128, 96, 60)),))
path = scene.first.camera
def shoot():
    return [str(step) for step in rehearse(scene, path, folder / "a.mp4")][-1]
whole = wrap_handler(shoot)
whole()
(folder / "a.mp4").unlink()
before = resource.getrlimit(kind)
resource.setrlimit(kind, (low, before[1]))
try:
    words = whole()
except gr.Error as error:
    words = str(error.message)
resource.setrlimit(kind, before)
left = [file.name for file in folder.iterdir()]
whole()
print(json.dumps([words, left, [file.name for file in folder.iterdir()]]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
@pytest.mark.parametrize(
    ("limit", "low", "words"),
    [
        ("RLIMIT_FSIZE", 600, "The file would be larger than this computer allows"),
        ("RLIMIT_NOFILE", 3, "Too many files are open on this computer"),
    ],
)
def test_a_limit_of_the_computer_is_said_nothing_stays_and_the_next_works(tmp_path, limit, low, words):
    done = subprocess.run(
        [sys.executable, "-c", CHILD, limit, str(low), str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    said_words, left, after = json.loads(done.stdout.strip().splitlines()[-1])
    assert said_words.startswith(words) and left == [] and after == ["a.mp4"]


@pytest.mark.parametrize(
    "code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EACCES, errno.EMFILE, errno.EIO]
)
def test_each_fault_of_a_disk_is_one_sentence_and_leaves_no_part(tmp_path, monkeypatch, code):
    def write() -> str:
        with video.complete(tmp_path / "a.bin") as part:
            part.write_bytes(b"x")
        return "written"

    def fails(descriptor: int) -> None:
        raise OSError(code, "injected", str(tmp_path))

    with monkeypatch.context() as broken:
        broken.setattr(video.os, "fsync", fails)
        with pytest.raises(gr.Error) as told:
            wrap_handler(write)()
    words = str(told.value.message)
    assert words == describe_fault(OSError(code, "")) and str(tmp_path) not in words and words.count(". ") == 0
    assert list(tmp_path.iterdir()) == [] and wrap_handler(write)() == "written"


def test_without_a_home_and_with_a_folder_that_cannot_be_written_the_app_is_built(tmp_path):
    code = "import app; app.build(); print('built')"
    environment = {"PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path / "missing"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240
    )
    assert done.stdout.strip().endswith("built"), done.stderr


WITHOUT_TEMPORARY_FOLDER = """
import runpy, tempfile
tempfile._candidate_tempdir_list = lambda: []
runpy.run_path("app.py", run_name="__main__")
"""


def test_a_start_without_a_folder_for_temporary_files_ends_in_one_sentence():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TEMPORARY_FOLDER], cwd=ROOT, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 1 and done.stderr.strip() == NO_TEMPORARY_FOLDER


def test_a_folder_for_temporary_files_that_is_gone_is_said_and_the_next_works(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))

    def write() -> str:
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"x")
        return "written"

    with pytest.raises(gr.Error) as told:
        wrap_handler(write)()
    assert str(told.value.message) == NO_TEMPORARY_FOLDER
    (tmp_path / "gone").mkdir()
    assert wrap_handler(write)() == "written"
    missing = FileNotFoundError(errno.ENOENT, "no such file", "a.png")
    assert describe_fault(missing) is None
    monkeypatch.setattr(tempfile, "tempdir", None)  # before the first request for it
    assert describe_fault(missing) is None

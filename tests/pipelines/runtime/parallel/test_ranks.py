"""One shot in two processes: the same clip as in one, progress from the first, readable errors, and no processes left after closing."""

import numpy as np
import psutil
import pytest

from camera.errors import InputError
from pipelines import method
from pipelines.cli.bench import default_shot
from pipelines.method import Clip, Progress
from pipelines.options import RunOptions
from pipelines.runtime.device import Device
from pipelines.runtime.parallel import ranks
from pipelines.runtime.progress_clock import Report
from pipelines.runtime.runner import Runtime
from pipelines.shot import Shot

TINY = RunOptions(weights="tiny")
BOTH = RunOptions(weights="tiny", gpus=2)


@pytest.fixture(scope="module")
def shot():
    return default_shot(method("dualcamctrl"), steps=2, size="128x64", frames=5)


def test_two_processes_shoot_the_clip_of_one(shot):
    *items, report = ranks.run(Shot(method("dualcamctrl"), *shot, BOTH))
    *_, plain = [
        item for item in Runtime(Device("cpu")).run(Shot(method("dualcamctrl"), *shot, TINY)) if isinstance(item, Clip)
    ]
    *_, clip = [item for item in items if isinstance(item, Clip)]
    assert isinstance(report, Report) and any(isinstance(item, Progress) and item.step == 2 for item in items)
    assert np.abs(clip.frames.astype(int) - plain.frames).max() <= 1


def test_closing_leaves_no_process(shot):
    run = ranks.run(Shot(method("dualcamctrl"), *shot, BOTH))
    next(run)
    assert len(_ranks()) == 2
    run.close()
    assert _ranks() == []


def test_what_cannot_be_is_refused_before_anything_starts(shot):
    with pytest.raises(InputError, match="GPUs for this shot"):
        RunOptions(weights="tiny", gpus=9)
    with pytest.raises(InputError, match="first block does not run on several"):
        next(ranks.run(Shot(method("dualcamctrl"), *shot, RunOptions(weights="tiny", cache="first block", gpus=2))))


def _ranks():
    return [child for child in psutil.Process().children() if "pipelines.runtime.parallel.rank" in child.cmdline()]

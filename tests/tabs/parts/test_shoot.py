"""Results of random weights are labelled on the picture; renders of the scene are not noise."""

from __future__ import annotations

from pathlib import Path

import pytest

from camera.trajectories import film_script
from examples import load
from pipelines import method
from pipelines.options import RunOptions
from pipelines.results.record import record
from pipelines.shot import Shot
from tabs.browser.players import NOISE, clips
from tabs.parts.shoot import noise_among


@pytest.mark.parametrize(
    ("name", "weights", "make", "found"),
    [
        ("gen3c", "tiny", "", ["GEN3C"]),
        ("gen3c", "real", "", []),
        ("dualcamctrl", "random", "", ["DualCamCtrl", "depth"]),
        ("i2v3d", "tiny", "video", ["I2V3D", "keyframes"]),
        ("i2v3d", "tiny", "coarse renders", []),
    ],
)
def test_noise_is_what_no_trained_network_and_no_renderer_made(name, weights, make, found):
    known, scene = method(name), load("reading_room").fitted(96, 64)
    settings = known.settings(**({"make": make} if make else {}))
    shot = Shot(
        known, scene, film_script.path_of("truck 0.1", scene.first, frames=5), settings, RunOptions(weights=weights)
    )
    companions = {"gen3c": ["cache"], "dualcamctrl": ["depth"], "i2v3d": ["coarse", "keyframes"]}[name]
    companions = [each for each in companions if make != "coarse renders" or each == "coarse"]
    labels = [known.title, *companions]
    assert noise_among(labels, known, record(shot)) == found
    value = clips({label: Path(f"{label}.mp4") for label in labels}, 24, noise=found)["value"]
    assert [each["label"] for each in value if each["written"] == NOISE] == found

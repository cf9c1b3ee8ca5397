"""Captions: the library's own code from picture to text, and from there into the run."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from camera.errors import InputError
from camera.path import pinhole
from camera.view import Scene, View
from pipelines.method import Clip, Progress
from pipelines.methods.dimensionx.caption import load_captioner, untrained_captioner
from pipelines.methods.dimensionx.method import METHOD, DimensionXMoves, DimensionXSettings, checkpoint
from pipelines.methods.dimensionx.pipeline import load
from pipelines.weights.hub import Weights

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (64, 96, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    root = tmp_path_factory.mktemp("weights")
    captioner = untrained_captioner(Weights("tiny"))
    for part in (captioner.model, captioner.processor):
        part.save_pretrained(root / checkpoint("caption_small").repo)
    return root


def test_a_model_from_files_says_the_same_as_the_one_that_was_saved(hub, picture):
    tiny = load_captioner(Weights("tiny"), "small")(picture, device=CPU)
    read = load_captioner(Weights("real", folder=hub), "small")(picture, device=CPU)
    assert read == tiny and read
    assert load_captioner(Weights("tiny"), "small")(255 - picture, device=CPU) != tiny


def test_a_missing_model_is_refused(hub):
    (hub / checkpoint("caption_large").repo).mkdir(exist_ok=True)
    with pytest.raises(InputError, match="has no file"):
        load_captioner(Weights("real", folder=hub), "large")


def test_an_empty_prompt_is_written_for_the_person(picture):
    scene = Scene((View.of(picture, np.full((64, 96), 3.0, np.float32), pinhole(96, 64, 60)),))
    path = METHOD.path(DimensionXMoves(frames=9), scene)
    pipeline = load(Weights("tiny"))
    events = list(pipeline(scene, path, DimensionXSettings(steps=1, caption="small")))
    assert any(isinstance(event, Progress) and event.phase == "Describing the picture" for event in events)
    assert "captioner" in pipeline.components
    assert any(note.startswith("The picture was described as: ") for note in events[-1].notes)
    own = list(pipeline(scene, path, DimensionXSettings(steps=1, caption="small", prompt="my words")))
    assert isinstance(own[-1], Clip) and not any("described" in note for note in own[-1].notes)
    assert "captioner" not in pipeline.components

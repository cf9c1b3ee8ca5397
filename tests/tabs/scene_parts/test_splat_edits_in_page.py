"""Through the page's API: a part of a splat file is selected, removed, moved and turned; saved and exported with the edits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gradio_client import handle_file
from gradio_client.exceptions import AppError

from pipelines.__main__ import main
from pipelines.splats.formats import encode, read
from pipelines.splats.scene import HEIGHT, WIDTH
from pipelines.splats.splats import Splats
from tests.scenes.splat_room import furnished, thing
from tests.tabs.visitor import Visitor

PLACE = np.array([0.2, 0.5, 4.5])
CLICK = {"left": WIDTH / 2 + 1108.5 * 0.2 / 4.5, "top": HEIGHT / 2 + 1108.5 * 0.5 / 4.5}
"""The ball's centre in the picture of a camera at the origin, which is 60 degrees wide."""


@pytest.fixture
def ball() -> Splats:
    return replace(thing(), means=thing().means + PLACE)


def visitor(address: str, ball: Splats, folder: Path) -> Visitor:
    """A visitor who has opened the room with the ball in it."""
    (folder / "room.ply").write_bytes(encode(furnished(ball), "ply"))
    client = Visitor(address, folder / "down")
    assert "Gaussians" in str(client.predict([handle_file(str(folder / "room.ply"))], api_name="/open_files"))
    return client


def file_of(answer: object) -> Path:
    return Path(str(answer["value"] if isinstance(answer, dict) else answer))


def saved(client: Visitor, file: Path, out: str) -> Splats:
    """The splats of the visitor's project, converted by the command line."""
    file.write_bytes(file_of(client.predict(api_name="/save_project")).read_bytes())
    assert main(["convert", str(file), str(file.with_name(out))]) == 0
    return read(file.with_name(out).read_bytes(), out)[0]


def test_a_part_of_splats_is_removed_and_the_project_holds_the_rest(address, ball, tmp_path, capsys):
    client = visitor(address, ball, tmp_path)
    with pytest.raises(AppError, match="Choose a part"):
        client.predict(api_name="/remove_part")
    words = str(client.predict(**CLICK, api_name="/choose_part"))
    assert "of the picture is chosen, 4." in words
    told = str(client.predict(api_name="/remove_part"))
    assert "A part of 1,860 Gaussians was removed" in told and "drawn from splats, edited by parts" in told
    np.testing.assert_array_equal(saved(client, tmp_path / "removed.zip", "removed.ply").means, furnished().means)
    assert "edited by parts" in capsys.readouterr().err


def test_a_part_of_splats_is_moved_and_turned_and_leaves_as_edited(address, ball, tmp_path):
    client = visitor(address, ball, tmp_path)
    client.predict(**CLICK, api_name="/choose_part")
    with pytest.raises(AppError, match="how far it turns"):
        client.predict(0, api_name="/move_part")
    client.predict(-0.2, turn=30, api_name="/move_part")
    client.predict(frames=9, width=96, height=64, api_name="/gen3c_draw")
    exported = client.predict(".glb", api_name="/scene_file")
    for moved in (saved(client, tmp_path / "moved.zip", "moved.ply"), read(file_of(exported).read_bytes(), "a.glb")[0]):
        rest, part = (moved.chosen(which) for which in np.split(np.arange(len(moved)), [len(furnished())]))
        np.testing.assert_allclose(rest.means, furnished().means, atol=1e-6)
        off = part.means.mean(axis=0) - ball.means.mean(axis=0)
        assert -0.9 < off[0] < -0.7 and np.abs(off[1:]).max() < 0.02
        assert np.abs(part.sh[:, 1:] - ball.sh[:, 1:]).max() > 0.1

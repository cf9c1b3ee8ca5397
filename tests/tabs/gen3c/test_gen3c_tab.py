"""Features of GEN3C's tab only, through its endpoints: extending, undoing an extension, uploading a result later, the cache in 3D."""

from __future__ import annotations

import shutil
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from gradio_client import handle_file
from gradio_client.exceptions import AppError

from camera.formats import FORMATS
from examples import EXAMPLES
from pipelines.media.video import read_video
from pipelines.methods.gen3c import guardrail
from pipelines.results.record import restore
from tests.tabs.visitor import Visitor

STILL, OTHER = [example.name for example in EXAMPLES if example.kind == "still"][:2]
FRAME = {"frames": 9, "width": 96, "height": 64}
QUICK = {"steps": 2, "weights": "tiny", "use_text": False, "guidance": 0}


@pytest.fixture
def client(address, tmp_path):
    return Visitor(address, tmp_path)


def _open(client, name=STILL, **moves):
    client.predict(name, api_name="/gen3c_open_example")
    client.predict(**FRAME, **moves, api_name="/gen3c_draw")


def _result(answer) -> tuple[str, dict[str, Path]]:
    """The status, and the files by the ends of their names."""
    status, _, _, files, *_ = answer
    paths = [Path(file) for file in files["value"]]
    return status, {path.name.split("-", 2)[-1] if path.name.count("-") > 1 else path.suffix: path for path in paths}


def test_a_result_goes_on_and_is_taken_back_in_its_session_and_from_its_file(client, address, tmp_path):
    _open(client)
    _, first = _result(client.predict(**QUICK, api_name="/gen3c_shoot"))
    client.predict(**FRAME, trajectory="up", api_name="/gen3c_draw")
    _, longer = _result(client.predict(**QUICK, api_name="/gen3c_go_on"))
    made = restore(longer[".mp4"])
    assert len(read_video(longer[".mp4"])[0]) == 17 and made.settings["chunk_frames"] == 9
    climb = made.path.centres[8:] - made.path.centres[8]
    assert climb[-1, 1] < -0.1 and abs(climb[-1, 1]) > 3 * abs(climb[-1, 0]), "the move drawn last: up"

    status, again = _result(
        client.predict(**QUICK, prompt="night", go_on_with="the last chunk's move again", api_name="/gen3c_go_on")
    )
    assert "first 17 frames were shot with other settings: prompt" in status
    path = restore(again[".mp4"]).path
    steps = np.linalg.norm(np.diff(path.centres, axis=0), axis=1)
    np.testing.assert_allclose(steps[16:], steps[8:16], rtol=1e-6)
    assert {"cache.mp4", "cache-first-picture.mp4", "cache.ply", "cache.glb", "views.npz"} <= set(again)

    status, back = _result(client.predict(api_name="/gen3c_take_back"))
    assert "17 frames are left" in status and len(read_video(back[".mp4"])[0]) == 17
    np.testing.assert_array_equal(read_video(longer[".mp4"])[0], read_video(back[".mp4"])[0])
    shutil.copy(back[".mp4"], tmp_path / "saved.mp4")

    later = Visitor(address, tmp_path / "later")
    dropped = handle_file(str(tmp_path / "saved.mp4"))
    assert "with the picture" in later.predict(dropped, api_name="/gen3c_reopen")[0]
    _, shorter = _result(later.predict(api_name="/gen3c_take_back"))
    np.testing.assert_array_equal(read_video(shorter[".mp4"])[0], read_video(first[".mp4"])[0], "copied, not encoded")
    later.predict(dropped, api_name="/gen3c_reopen")
    assert "is open again" in later.predict(dropped, api_name="/gen3c_restore")[0]
    later.predict(**FRAME, trajectory="down", api_name="/gen3c_draw")
    status, grown = _result(later.predict(**QUICK, api_name="/gen3c_go_on"))
    frames = read_video(grown[".mp4"])[0]
    assert len(frames) == 25 and "not exactly the one" not in status
    np.testing.assert_array_equal(frames[:17], read_video(back[".mp4"])[0])
    assert {"cache.mp4", "cache-first-picture.mp4", "cache.ply"} <= set(grown), "its cache is rendered again"


def test_what_cannot_go_on_is_said(client):
    with pytest.raises(AppError, match="no camera path yet"):
        client.predict(**QUICK, api_name="/gen3c_go_on")
    _open(client)
    with pytest.raises(AppError, match="Shoot something first"):
        client.predict(**QUICK, api_name="/gen3c_go_on")
    client.predict(**QUICK, api_name="/gen3c_shoot")
    with pytest.raises(AppError, match="single chunk"):
        client.predict(api_name="/gen3c_take_back")
    _open(client, OTHER)
    with pytest.raises(AppError, match="not the one this video was shot from"):
        client.predict(**QUICK, api_name="/gen3c_go_on")


def test_the_cache_comes_in_3d_with_its_cameras(client):
    _open(client)
    shown, words, files = client.predict(api_name="/gen3c_cache")
    assert "of 1 picture" in words and Path(shown).read_bytes().startswith(b"glTF")
    client.predict(**QUICK, chunk_frames=9, api_name="/gen3c_shoot")
    client.predict(**QUICK, api_name="/gen3c_go_on")
    shown, words, files = client.predict(api_name="/gen3c_cache")
    assert "of 2 pictures" in words
    by_name = {Path(file).name: Path(file) for file in files}
    assert by_name["cache.ply"].read_bytes().startswith(b"ply") and by_name["cache.glb"].read_bytes()[:4] == b"glTF"
    with zipfile.ZipFile(by_name["cameras.zip"]) as archive:
        assert len(archive.namelist()) >= len(FORMATS) - 2


def test_the_page_says_whether_the_guardrail_is_there_beside_the_licences_words(client):
    texts = [part["props"].get("value") for part in client.config["components"] if part["type"] == "markdown"]
    assert any(guardrail.describe_state() in str(text) and guardrail.LICENCE_NOTE in str(text) for text in texts)


def test_cancel_keeps_the_finished_chunk_and_going_on_ends_the_path(client):
    client.predict(STILL, api_name="/gen3c_open_example")
    client.predict(**FRAME | {"frames": 25}, api_name="/gen3c_draw")
    job = client.submit(**QUICK | {"steps": 60}, chunk_frames=9, api_name="/gen3c_shoot")
    while not any("Saved; still running" in str(told) for told, *_ in job.outputs()):
        assert not job.done()
        time.sleep(0.02)
    job.cancel()
    status, files = _result(client.predict(**QUICK, chunk_frames=9, api_name="/gen3c_go_on"))
    assert len(read_video(files[".mp4"])[0]) == 25
    assert "The first 9 frames" in status or "The first 17 frames" in status

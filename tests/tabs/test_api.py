"""The page's handlers as an API: real names, every method from example to result on tiny weights, readable errors."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from gradio_client import handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from examples import EXAMPLES
from pipelines import method
from pipelines.media.video import probe, read_video
from pipelines.options import RunOptions
from pipelines.registry import FIVE
from pipelines.results.record import restore
from tabs.shared.source import GUESS
from tests.tabs.visitor import Visitor

STILL = next(example.name for example in EXAMPLES if example.kind == "still")
SMALL = {
    "gen3c": {"frames": 9, "width": 128, "height": 128},
    "genxd": {"frames": 12, "width": 256, "height": 256},
    "dimensionx": {"frames": 9},
    "i2v3d": {"frames": 16, "width": 256, "height": 144},
    "dualcamctrl": {"frames": 5, "width": 96, "height": 64},
}


@pytest.fixture
def client(address, tmp_path):
    return Visitor(address, tmp_path)


def value(answer):
    """A component's value, whether returned alone or as an update."""
    return answer["value"] if isinstance(answer, dict) and "value" in answer else answer


def test_endpoints_carry_the_settings_own_names(client):
    endpoints = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    for name in FIVE:
        drawn = [parameter["parameter_name"] for parameter in endpoints[f"/{name}_draw"]["parameters"]]
        assert set(method(name).moves.controls()) <= set(drawn)
        shot = [parameter["parameter_name"] for parameter in endpoints[f"/{name}_shoot"]["parameters"]]
        assert [*method(name).settings.controls(), *RunOptions.controls()] == shot
    assert not [name for name in endpoints if "lambda" in name or name.startswith("/param")]


@pytest.mark.parametrize("name", FIVE)
def test_a_method_goes_from_example_to_result(client, name, tmp_path):
    opened = client.predict(STILL, api_name=f"/{name}_open_example")
    assert "subject at" in opened
    figure, _ = client.predict(**SMALL[name], api_name=f"/{name}_draw")
    assert len(figure["figure"]["frames"]) == SMALL[name]["frames"]
    video, summary = client.predict(api_name=f"/{name}_rehearse")
    video = video["video"] if isinstance(video, dict) else video
    assert probe(video).frames == SMALL[name]["frames"] and "new to the scene" in summary
    steps = {each: 2 for each in method(name).settings.controls() if each.endswith("steps")}
    status, _, _, files, *_ = client.predict(**steps, weights="tiny", api_name=f"/{name}_shoot")
    assert "tiny random weights" in status
    result = next(Path(file) for file in value(files) if str(file).endswith(".mp4"))
    frames, _ = read_video(result)
    assert len(frames) >= SMALL[name]["frames"] - 1 and frames.std() > 0
    record = restore(result)
    assert record.method == name and record.weights == "tiny"

    packed = client.predict(api_name=f"/{name}_frames")
    with zipfile.ZipFile(value(packed)) as archive:
        names = archive.namelist()
    assert sum(entry.startswith("frames/") for entry in names) == len(frames) and "cameras/camera_path.json" in names

    told = client.predict(handle_file(str(result)), api_name=f"/{name}_restore")
    assert "Restored a path" in str(told)


def test_a_shot_of_one_method_gives_its_path_to_another(client, tmp_path):
    client.predict(STILL, api_name="/genxd_open_example")
    client.predict(api_name="/genxd_draw")
    file = client.predict("reshoot", api_name="/genxd_path_file")
    shutil.copy(file, tmp_path / "move.json")
    client.predict(STILL, api_name="/gen3c_open_example")
    assert "12 frames" in client.predict(handle_file(str(tmp_path / "move.json")), api_name="/gen3c_open_path")
    figure, _ = client.predict(moves_from="Path file", frames=25, api_name="/gen3c_draw")
    assert len(figure["figure"]["frames"]) == 25


@pytest.mark.parametrize(
    ("endpoint", "values", "words"),
    [
        ("/gen3c_rehearse", {}, "choose an example"),
        ("/gen3c_draw", {"frames": 1000}, "481"),
        ("/gen3c_open_example", {"example": "nowhere"}, "nowhere"),
        ("/compare_rehearse", {"film_moves": "arc 10", "methods_chosen": ["GEN3C"]}, "choose an example"),
    ],
)
def test_errors_arrive_as_sentences(client, endpoint, values, words):
    with pytest.raises((AppError, ValueError), match=words):
        client.predict(**values, api_name=endpoint)


@pytest.mark.parametrize("name", ["holiday.heic", "empty.png"])
def test_what_is_no_picture_is_answered_with_its_name(client, tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(AppError, match=rf"{name} cannot be read as a picture"):
        client.predict(handle_file(str(tmp_path / name)), api_name="/gen3c_open_picture")


def test_pictures_arrive_as_they_are(client, tmp_path):
    """16 bits are not clipped to white on the way, and transparency does not become black."""
    file = tmp_path / "deep.png"
    Image.fromarray(np.tile(np.linspace(0, 65535, 48, dtype=np.uint16), (32, 1))).save(file)
    assert "48 x 32" in client.predict(handle_file(str(file)), depth_from=GUESS, api_name="/gen3c_open_picture")
    client.predict(frames=9, width=96, height=64, fit="stretch", api_name="/gen3c_draw")
    video, _ = client.predict(api_name="/gen3c_rehearse")
    frame = read_video(video["video"] if isinstance(video, dict) else video)[0][0]
    assert 90 < frame[:, 40:56].mean() < 165, "the middle of the ramp is grey"


def test_words_alone_become_a_video(client):
    assert client.predict(api_name="/dualcamctrl_open_blank") == "text to video"
    client.predict(**SMALL["dualcamctrl"], api_name="/dualcamctrl_draw")
    shot = {"steps": 1, "weights": "tiny", "prompt": "a quiet street"}
    with pytest.raises(AppError, match="There is no picture: open one"):
        client.predict(**shot, mode="picture to video", api_name="/dualcamctrl_shoot")
    status, *_ = client.predict(**shot, mode="text to video", api_name="/dualcamctrl_shoot")
    assert "tiny random weights" in status


def test_what_a_run_needs_names_what_its_settings_ask_too_much_of(client):
    client.predict(STILL, api_name="/dualcamctrl_open_example")
    client.predict(**SMALL["dualcamctrl"], api_name="/dualcamctrl_draw")
    calm = client.predict(weights="tiny", api_name="/dualcamctrl_forecast")
    assert calm.startswith("Tiny random networks") and "Note" not in calm
    told = client.predict(weights="tiny", translation_scale=10, api_name="/dualcamctrl_forecast")
    assert "Note: The network receives a travel of 4" in told and "lower the translation scale" in told


def test_one_move_is_rehearsed_with_several_methods(client):
    client.predict(STILL, api_name="/compare_open_example")
    _, players = client.predict(
        film_moves="arc 10", methods_chosen=["GenXD", "DualCamCtrl"], api_name="/compare_rehearse"
    )
    assert [clip["label"] for clip in players["value"] if isinstance(players, dict)] == ["GenXD", "DualCamCtrl"]


def test_sessions_are_apart(address, tmp_path):
    first, second = (Visitor(address, tmp_path) for _ in range(2))
    first.predict(STILL, api_name="/genxd_open_example")
    first.predict(api_name="/genxd_draw")
    with pytest.raises(AppError, match="choose an example"):
        second.predict(api_name="/genxd_rehearse")


def test_the_settings_of_a_link_come_back():
    from camera.errors import InputError
    from tabs.project.link import decode_link, encode_link

    shot = {"method": "gen3c", "example": STILL, "controls": {"distance": 0.4, "seed": 2**52 + 1}}
    assert decode_link(encode_link(shot)) == shot
    for broken in ("", "%%%", encode_link(shot)[:20], "A" * 10_000):
        with pytest.raises(InputError, match="link"):
            decode_link(broken)
    with pytest.raises(InputError, match="too long"):
        encode_link({**shot, "controls": {"prompt": "".join(map(chr, range(32, 10_000)))}})
    assert json.loads(json.dumps(shot)) == shot

"""DimensionX's tab through its API: directing a path, own directors, training one, and every kind of result."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from gradio_client import handle_file
from gradio_client.exceptions import AppError
from PIL import Image
from playwright.sync_api import expect
from safetensors.torch import load_file, save_file

from camera.trajectories.dimensionx import DIRECTORS
from examples import EXAMPLES
from pipelines import method
from pipelines.media.video import probe, read_video, write_mp4
from pipelines.runtime.training import background
from tabs.dimensionx.directors import HEIGHT, WIDTH, drawing
from tabs.dimensionx.tab import TRAINING
from tabs.dimensionx.training import train_section
from tabs.parts.loss_curve import loss_curve
from tabs.project.project import Project
from tests.tabs.visitor import Visitor

GOLDEN = Path(__file__).parents[2] / "golden" / "dimensionx"
STILL = next(example.name for example in EXAMPLES if example.kind == "still")
QUICK = {
    "weights": "tiny", "name": "slide", "rank": 2, "accumulation": 1, "frames": 9, "sample_steps": 1, "checkpointing": False,
}  # fmt: skip


@pytest.fixture
def client(address, tmp_path):
    made = Visitor(address, tmp_path / "downloads")
    made.predict(STILL, api_name="/dimensionx_open_example")
    return made


@pytest.fixture
def clips(tmp_path, monkeypatch) -> list:
    monkeypatch.setenv("RESHOOT_TRAININGS", str(tmp_path / "trainings"))
    wide = np.repeat(np.random.default_rng(0).integers(0, 255, (64, 24, 3), np.uint8), 8, axis=1)
    write_mp4(tmp_path / "slide.mp4", [wide[:, 4 * i : 96 + 4 * i] for i in range(9)], 8)
    (tmp_path / "slide.txt").write_text("stripes of many colours")
    return [handle_file(str(tmp_path / name)) for name in ("slide.mp4", "slide.txt")]


def value(answer):
    return answer["value"] if isinstance(answer, dict) and "value" in answer else answer


def test_the_nearest_directors_are_said_in_numbers_for_any_path(client):
    client.predict(director="orbit_left", second_director="x_left", second_weight=0.6, api_name="/dimensionx_draw")
    told = client.predict(api_name="/dimensionx_nearest")
    assert "Nearest: Orbit left + 0.60 x Truck left" in told and "Similarity 1.00; mean deviation 0.0 degrees" in told
    client.predict(moves_from="Film moves", film_moves="arc 30; dolly 0.2 + zoom 1.5", api_name="/dimensionx_draw")
    told = client.predict(api_name="/dimensionx_nearest")
    assert "then Dolly in" in told and "a zoom of 1.50" in told and "2 clips" in told
    assert "One director alone: Orbit right 0." in told


def test_every_director_has_a_drawing_of_its_own_that_stays_inside():
    drawings = [drawing(director) for director in DIRECTORS.values()]
    assert len(set(drawings)) == len(DIRECTORS) == 18
    for picture in drawings:
        points = np.array(
            [pair.split(",") for line in re.findall(r'points="([^"]+)"', picture) for pair in line.split()]
        )
        assert (points.astype(float) >= 0).all() and (points.astype(float) <= [WIDTH, HEIGHT]).all()


def test_a_director_is_picked_by_its_drawing(visit):
    page = visit()
    page.get_by_role("tab", name="DimensionX").click()
    pressed = page.locator("#dimensionx-directors button[aria-pressed=true]")
    expect(pressed).to_have_text(["Orbit left"], timeout=60_000)
    page.locator("#dimensionx-directors button[data-director=orbit_up]").click()
    expect(page.get_by_label("Director", exact=True)).to_have_value("orbit_up", timeout=60_000)
    expect(pressed).to_have_text(["Orbit up"], timeout=60_000)
    expect(page.locator("#dimensionx-result .players-bar")).to_be_hidden()


def test_the_line_says_how_the_picture_is_framed(client):
    for fit, words in (
        ("crop", "fills the frame of 720 x 480, cropped: 16% of it is cut off left and right."),
        ("pad", "padded: 16% of the frame is black above and below."),
        ("stretch", "stretched: it gets 1.19 times too narrow."),
    ):
        client.predict(fit=fit, api_name="/dimensionx_draw")
        assert words in client.predict(api_name="/dimensionx_nearest")


def test_a_director_is_trained_cancelled_taken_up_and_shoots(client, clips, tmp_path):
    long = {"steps": 50_000, "save_every": 50_000, "sample_every": 10}  # so that the saved file comes from cancelling
    job = client.submit(training_files=clips, **QUICK, **long, api_name="/dimensionx_train")
    words, samples = "", []
    for update in job:
        words = update[0] if "Training" in str(update[0]) else words
        samples = value(update[2]) if isinstance(value(update[2]), list) else samples
        if words and samples:
            break
    job.cancel()
    (folder,) = (tmp_path / "trainings" / "dimensionx").glob("slide-*")
    assert samples[-1]["label"].startswith("After ")
    assert "of 50000" in words and "left" in words and "loss" in words
    kept = wait_for(lambda: sorted(folder.glob("tiny-*/slide_lora_weights_*[0-9].safetensors")))
    done = int(kept[-1].stem[-6:])
    assert done >= 10
    updates = list(
        client.submit(
            training_files=clips, **QUICK, steps=done + 2, sample_every=done + 2, api_name="/dimensionx_train"
        )
    )
    words, curve, _, files, lora, _ = updates[-1]
    *_, samples = filter(lambda each: isinstance(each, list), (value(update[2]) for update in updates))
    assert [clip["label"] for clip in samples] == [f"After {done + 2} steps"], "the last one too is shown"
    assert words.startswith("**Trained**") and "<polyline" in curve and len(value(files)) == 2
    assert {path.name for path in folder.glob("tiny-*/*.safetensors")} >= {
        f"slide_lora_weights_{done + 2:06d}.safetensors"
    }
    client.predict(frames=9, api_name="/dimensionx_draw")
    frames = [shot(client, lora_file=file)[0] for file in (lora, "")]
    assert not np.array_equal(*frames)


def test_a_training_goes_on_without_its_page_and_is_found_again(client, clips):
    """The visitor who began it leaves; another page opens it with the code, ends it, and downloads the trained LoRA."""
    endless = {"steps": 1_000_000, "save_every": 1_000_000, "sample_every": 0, "keep_going": True}
    job = client.submit(training_files=clips, **QUICK, **endless, api_name="/dimensionx_train")
    code = next(update[-1] for update in job if "loss" in str(update[0]))
    job.cancel()
    other = Visitor(client.src)
    looking = other.submit(training_code=code, api_name="/dimensionx_look_at_training")
    steps = (int(words[0].split()[1]) for words in looking if "loss" in str(words[0]))
    first = next(steps)
    assert next(number for number in steps if number > first), "it goes on while it is looked at"
    assert "is saved" in other.predict(training_code=code, api_name="/dimensionx_stop_training")
    assert background.find_training(code) is not None
    background.find_training(code).stop(None)
    words, *_, files, lora = other.predict(training_code=f" {code} ", api_name="/dimensionx_look_at_training")
    assert int(words.split("is not running. ")[1].split()[0]) > first and len(value(files)) == 2
    assert "layers of rank 2" in other.predict([handle_file(lora)], api_name="/dimensionx_open_lora")[1]
    for wrong in ("", "../../x.tiny-0", "slide-0.tiny-0"):
        with pytest.raises(AppError, match="No training here has this code"):
            other.predict(training_code=wrong, api_name="/dimensionx_look_at_training")


def wait_for(found, seconds: float = 120):
    import time

    end = time.monotonic() + seconds
    while not (answer := found()) and time.monotonic() < end:
        time.sleep(0.1)
    return answer


def shot(client, **settings):
    status, _, _, files, *_ = client.predict(weights="tiny", **{"steps": 1, **settings}, api_name="/dimensionx_shoot")
    files = [Path(file) for file in value(files)]
    return read_video(next(file for file in files if file.suffix == ".mp4"))[0], status, files


def test_wrong_clips_are_answered_in_words(client, tmp_path, monkeypatch):
    monkeypatch.setenv("RESHOOT_TRAININGS", str(tmp_path))
    (tmp_path / "a.txt").write_text("words")
    for files, words in (([], "needs clips"), ([handle_file(str(tmp_path / "a.txt"))], "no video among the files")):
        with pytest.raises(AppError, match=words):
            client.predict(training_files=files, **QUICK, api_name="/dimensionx_train")
    with pytest.raises(AppError, match="letters, digits"):
        client.predict(training_files=files, **{**QUICK, "name": "a/b"}, api_name="/dimensionx_train")


def test_real_weights_ask_for_a_gpu_before_anything_is_fetched(client, clips):
    with pytest.raises(AppError, match=r"needs a GPU with about \d+ GB, and this computer has none"):
        client.predict(training_files=clips, **{**QUICK, "weights": "real"}, api_name="/dimensionx_train")


def test_zerogpu_says_that_training_is_not_for_it(monkeypatch):
    monkeypatch.setenv("SPACES_ZERO_GPU", "1")
    with gr.Blocks() as page:
        train_section(method("dimensionx"), gr.State(Project()), TRAINING, gr.Textbox())
    words = " ".join(str(block.value) for block in page.blocks.values() if isinstance(block, gr.Markdown))
    assert (
        "ZeroGPU lends a GPU for minutes" in words and "python -m pipelines.methods.dimensionx.training.train" in words
    )
    assert not page.fns


def test_own_directors_come_in_three_layouts(client, tmp_path):
    diffusers = GOLDEN / "lora_b_prefixed.safetensors"
    file, told = client.predict([handle_file(str(diffusers))], api_name="/dimensionx_open_lora")
    assert Path(file).name == diffusers.name and "1 / rank" in told
    pairs = {f"base_model.model.{key.removeprefix('transformer.')}": part for key, part in load_file(diffusers).items()}
    save_file(pairs, tmp_path / "adapter_model.safetensors")
    (tmp_path / "adapter_config.json").write_text(json.dumps({"lora_alpha": 8, "r": 4}))
    peft = [handle_file(str(tmp_path / f"adapter_{name}")) for name in ("model.safetensors", "config.json")]
    assert "according to the file." in client.predict(peft, api_name="/dimensionx_open_lora")[1]
    sat = handle_file(str(GOLDEN / "sat_49like_state.safetensors"))
    assert "layers of rank" in client.predict([sat], api_name="/dimensionx_open_lora")[1]
    shutil.copy(GOLDEN / "lora_tiny_transformer.safetensors", tmp_path / "network.safetensors")
    with pytest.raises(AppError, match="is not a LoRA"):
        client.predict([handle_file(str(tmp_path / "network.safetensors"))], api_name="/dimensionx_open_lora")
    with pytest.raises(AppError, match="one LoRA file"):
        client.predict([], api_name="/dimensionx_open_lora")


def test_every_kind_of_result(client):
    client.predict(frames=9, api_name="/dimensionx_draw")
    frames, status, files = shot(
        client, interpolate="x4", also="webp", use_picture=False, prompt="a street in the rain"
    )
    assert len(frames) == 33 and "RIFE" in status
    webp = Image.open(next(file for file in files if file.suffix == ".webp"))
    assert webp.n_frames == 33
    frames, status, files = shot(client, key_frames=2, also="gif", upscale=True)
    assert "4D grid" in status and "Real-ESRGAN" in status
    names = {file.name.split("-", 2)[-1] for file in files}
    assert {"time.mp4", "moment-0.0-s.mp4", "moment-1.0-s.mp4", "last-camera.mp4", "grid.json", "clip.gif"} <= names
    assert probe(next(file for file in files if file.suffix == ".mp4")).width == 4 * 96
    _, status, _ = shot(client, caption="small")
    assert "The picture was described as" in status


def test_words_alone_need_no_picture(client):
    page = Visitor(client.src)
    assert page.predict(api_name="/dimensionx_open_blank") is False
    page.predict(frames=9, api_name="/dimensionx_draw")
    with pytest.raises(AppError, match="There is no picture"):
        shot(page)
    words = page.predict(weights="tiny", steps=1, use_picture=False, prompt="rain", api_name="/dimensionx_shoot")[0]
    assert "Text only: no director is active" in words


def test_a_model_writes_the_prompt_before_the_shot(client):
    client.predict(frames=9, api_name="/dimensionx_draw")
    words, told = client.predict(caption="small", weights="tiny", api_name="/dimensionx_describe")
    assert words and "check it before you shoot" in told
    _, status, _ = shot(client, prompt="my words", caption="small")
    assert "was described as" not in status


def test_a_loss_curve_shows_every_part_of_a_long_training():
    assert loss_curve([1.0]) == ""
    curve = loss_curve([2.0] * 500 + [1.0] * 500)
    assert "from 2.0000 (top) to 1.0000 (bottom), 1.0000 now" in curve and curve.count(",") < 300
    assert loss_curve([1.0, 1.0]).count(",") == 4

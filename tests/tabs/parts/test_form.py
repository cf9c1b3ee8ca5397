"""Controls and API are generated from a setting's declaration; errors are readable."""

import inspect
from dataclasses import dataclass

import gradio as gr
import pytest

from camera.errors import InputError
from pipelines.options import RunOptions
from pipelines.settings import Settings, setting
from tabs.parts.form import controls, handler, wrap_handler
from tabs.project.project import Project


@dataclass(frozen=True, kw_only=True)
class Example(Settings):
    move: str = setting("left", "Move", choices=("left", "right"))
    distance: float = setting(0.3, "Distance", minimum=0, maximum=2, step=0.1, help="In subject distances.")
    frames: int = setting(121, "Frames", minimum=1, maximum=481, step=120, advanced=True)
    seed: int = setting(7, "Seed", minimum=0, maximum=2**53 - 1)
    prompt: str = setting("", "Prompt", lines=3)
    tiled: bool = setting(True, "Tiled")


@dataclass(frozen=True, kw_only=True)
class Rate(Settings):
    rate: float = setting(1e-4, "Rate", minimum=1e-7, maximum=0.1)


def test_what_spans_many_powers_of_ten_is_typed_not_slid():
    with gr.Blocks():
        typed = controls(Rate)["rate"]
    assert isinstance(typed, gr.Number) and typed.step == 1e-7 and typed.precision is None


def test_each_setting_becomes_its_control():
    with gr.Blocks():
        made = controls(Example)
    kinds = {name: type(component) for name, component in made.items()}
    assert kinds == {
        "move": gr.Dropdown, "distance": gr.Slider, "frames": gr.Slider, "seed": gr.Number, "prompt": gr.Textbox,
        "tiled": gr.Checkbox,
    }  # fmt: skip
    slider = made["distance"]
    assert (slider.minimum, slider.maximum, slider.step, slider.value, slider.label) == (0, 2, 0.1, 0.3, "Distance")


def test_what_cannot_be_chosen_here_is_hidden_and_keeps_its_default(monkeypatch):
    monkeypatch.delenv("RESHOOT_RAY", raising=False)
    with gr.Blocks():
        made = controls(RunOptions)
    assert [name for name, component in made.items() if not component.visible] == ["gpus"]
    assert made["gpus"].value == 1


def test_the_handler_has_the_settings_own_signature():
    got = []
    call = handler(lambda name, example: got.append((name, example)), Example, before={"name": str}, name="draw")
    signature = inspect.signature(call)
    assert list(signature.parameters) == ["name", "move", "distance", "frames", "seed", "prompt", "tiled"]
    assert signature.parameters["distance"].annotation is float
    call("bo", "right", 0.5, 241.0, 8, "sea", False)
    assert got == [("bo", Example(move="right", distance=0.5, frames=241, seed=8, prompt="sea", tiled=False))]


def test_a_value_out_of_range_is_said_with_its_label():
    call = handler(lambda example: example, Example, before={}, name="draw")
    with pytest.raises(gr.Error, match="Distance must lie between 0 and 2; got 9"):
        call("left", 9, 121, 7, "", True)


@pytest.mark.parametrize("error", [InputError("Choose a picture first."), OSError(28, "No space left")])
def test_errors_become_sentences(error):
    def fails():
        raise error

    with pytest.raises(gr.Error, match=r"Choose a picture first\.|disk of this computer is full"):
        wrap_handler(fails)()


def test_errors_in_a_generator_become_sentences():
    def fails():
        yield 1
        raise InputError("Depth is NaN everywhere.")

    steps = wrap_handler(fails)()
    assert next(steps) == 1
    with pytest.raises(gr.Error, match="NaN everywhere"):
        next(steps)


@dataclass(frozen=True, kw_only=True)
class WithFile(Settings):
    lora_file: str = setting("", "LoRA file", file=True)


def test_only_files_of_the_session_are_opened(tmp_path):
    take, other = Project(folder=tmp_path / "mine"), Project(folder=tmp_path / "other")
    opened = handler(lambda take, given: given.lora_file, WithFile, before={"project": Project}, name="shoot")
    own, foreign = (str(each.file("a.safetensors")) for each in (take, other))
    for file in ("", own):
        assert opened(take, file) == file
    climbing = str(take.folder / ".." / "other" / "a.safetensors")
    for file in (foreign, climbing, "/etc/passwd", "a.safetensors", "\0"):
        with pytest.raises(gr.Error, match="LoRA file: upload the file"):
            opened(take, file)
    take.file("link").symlink_to("/etc/passwd")
    with pytest.raises(gr.Error, match="LoRA file: upload the file"):
        opened(take, str(take.file("link")))

"""The sections that only I2V3D has, through the page's API: objects, projects, Blender, and the phases one by one."""

from __future__ import annotations

import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from gradio_client import handle_file
from gradio_client.exceptions import AppError

from camera.objects.scene import StagedScene
from examples import EXAMPLES
from pipelines.media.video import probe
from pipelines.methods.i2v3d.scene.project import read_project
from pipelines.results.record import restore
from tests.tabs.visitor import Visitor

STILL = next(example.name for example in EXAMPLES if example.kind == "still")
FOX = next(example.mesh for example in EXAMPLES if example.mesh)
PLACE = {"motion": "at one speed", "animation": "walk", "speed": 1.0, "up": -0.2, "ahead": 0.8, "size": 0.4,
         "turn": 0.0, "tilt": 0.0, "roll": 0.0}  # fmt: skip
QUICK = {"weights": "tiny", "steps": 2, "video_steps": 2, "prompt": "A sks fox."}


class Tab:
    """One visitor; ``tab("look", ...)`` calls the endpoint of that name."""

    def __init__(self, address: str, folder: Path) -> None:
        self.client = Visitor(address, folder)

    def __call__(self, name: str, *values, **named):
        return self.client.predict(*values, **named, api_name=f"/i2v3d_{name}")

    def look(self, moment: float = 0.0, **settings) -> np.ndarray:
        return cv2.imread(value(self("look", moment=moment, **settings)))


def value(answer):
    return answer["value"] if isinstance(answer, dict) and "value" in answer else answer


@pytest.fixture
def tab(address, tmp_path) -> Tab:
    made = Tab(address, tmp_path / "got")
    made("open_example", STILL)
    made("draw", frames=9, width=256, height=144)
    return made


@pytest.fixture
def with_fox(tab) -> Tab:
    tab("add_object", [handle_file(str(FOX))])
    return tab


def where(picture: np.ndarray, empty: np.ndarray) -> float:
    """Mean column of the pixels that differ from the empty picture."""
    return float(np.nonzero(np.abs(picture.astype(int) - empty).max(axis=2) > 40)[1].mean())


def test_objects_are_added_placed_copied_replaced_and_removed(tab, tmp_path):
    chosen, *_, told = tab("add_object", [handle_file(str(FOX))])
    assert value(chosen) == "1: fox.glb" and "15,052 triangles" in told
    tab("place_object", chosen="1: fox.glb", moment=0.0, right=-0.5, **PLACE)
    assert "placed at 0, 1" in tab("place_object", chosen="1: fox.glb", moment=1.0, right=0.5, **PLACE)
    columns = [where(tab.look(moment, background="nothing"), np.zeros((144, 256, 3), int)) for moment in (0, 0.5, 1)]
    assert columns[0] < columns[1] < columns[2] and columns[2] - columns[0] > 30
    chosen, *_ = tab("copy_object", "1: fox.glb")
    assert value(chosen) == "2: fox.glb"
    cube = tmp_path / "cube.obj"
    cube.write_text("".join(f"v {x} {y} {z}\n" for x in (0, 1) for y in (0, 1) for z in (0, 1)) + "f 1 2 4 3\n")
    chosen, *_, told = tab("replace_object", [handle_file(str(cube))], "2: fox.glb")
    assert value(chosen) == "2: cube.obj" and "2 triangles" in told
    chosen, *_ = tab("remove_object", "1: fox.glb")
    assert value(chosen) == "1: cube.obj"
    with pytest.raises(AppError, match=r"1: fox\.glb"):
        tab("copy_object", "1: fox.glb")


def test_an_object_stays_where_it_is_held_and_other_controls_set_no_moment(with_fox):
    way = PLACE | {"chosen": "1: fox.glb"}
    with_fox("place_object", moment=0.0, right=-0.5, **way)
    with_fox("place_object", moment=1.0, right=0.5, **way)
    between = PLACE | {"chosen": "1: fox.glb", "moment": 0.5, "right": 0.0}
    assert "placed at 0, 1 of" in with_fox("place_object", **between | {"animation": "stands still"})
    assert "placed at 0, 0.5, 1 of" in with_fox("hold_moment", "1: fox.glb", 0.5)[-1]
    assert "placed at 0, 1 of" in with_fox("forget_moment", "1: fox.glb", 0.5)[-1]


def test_a_new_picture_keeps_the_objects(with_fox):
    with_fox(
        "open_example", next(example.name for example in EXAMPLES if example.kind == "still" and example.name != STILL)
    )
    with_fox("draw", frames=9, width=256, height=144)
    assert with_fox.look(background="nothing").any()


def test_a_scene_can_be_made_of_objects_alone(address, tmp_path):
    tab = Tab(address, tmp_path / "bare")
    background, told = tab("open_empty_stage")
    tab("draw", frames=9, width=256, height=144)
    *_, told = tab("add_object", [handle_file(str(FOX))])
    assert background == "nothing" and "fox.glb" in told
    shown = tab.look(background=background)
    assert 0.02 < shown.any(axis=2).mean() < 0.5


def test_objects_that_cannot_be_are_refused_in_a_sentence(tab, tmp_path):
    broken = tmp_path / "broken.glb"
    broken.write_bytes(b"glTF" + bytes(40))
    with pytest.raises(AppError, match="not a binary glTF 2 file"):
        tab("add_object", [handle_file(str(broken))])
    dancer = tmp_path / "dancer.fbx"
    dancer.write_bytes(b"Kaydara FBX Binary")
    with pytest.raises(AppError, match=r"open it in Blender"):
        tab("add_object", [handle_file(str(dancer))])
    with pytest.raises(AppError, match="add one first"):
        tab("copy_object", "No object yet")


def test_a_project_is_saved_and_opened_by_somebody_else(with_fox, address, tmp_path):
    with_fox("place_object", chosen="1: fox.glb", moment=1.0, right=0.3, **PLACE)
    saved = Path(value(with_fox("save_project", prompt="A sks fox.", light="a lamp")))
    project = read_project(saved)
    assert isinstance(project.scene, StagedScene) and len(project.scene.objects[0].keys) == 2
    assert project.settings.prompt == "A sks fox." and len(project.path or ()) == 9

    other = Tab(address, tmp_path / "other")
    answer = other("open_project", handle_file(str(saved)))
    assert "with 1 object is open" in answer[0] and "A sks fox." in answer
    assert "This method's moves" in answer, "which still draw the path that was saved"
    other("draw", frames=9, width=256, height=144)
    shown = [tab.look(1.0, background="nothing") for tab in (with_fox, other)]
    assert shown[0].any() and np.abs(shown[0].astype(int) - shown[1]).mean() < 1
    with pytest.raises(AppError, match="not a complete project"):
        junk = tmp_path / "junk.zip"
        junk.write_bytes(b"junk")
        other("open_project", handle_file(str(junk)))


def test_blender_gets_a_script_and_what_it_imports(with_fox):
    with zipfile.ZipFile(value(with_fox("scene_for_blender"))) as archive:
        names = {name.split("/")[1] for name in archive.namelist()}
    assert {"reshoot_scene.py", "objects.json", "00-fox.glb", "background.glb", "save_camera_infos.json"} <= names


def test_the_phases_run_one_by_one_and_their_results_can_be_changed(with_fox, address, tmp_path):
    with_fox("draw", frames=5, width=256, height=144)
    told, shown = with_fox("render_scene", **QUICK)
    assert [clip["label"] for clip in value(shown)] == ["coarse", "depth", "foreground", "visible", "normals"]

    learning = {"weights": "tiny", "prompt": "A sks fox.", "steps": 1, "rank": 2, "resolution": 64}
    told, _, _, file, lora = with_fox("train", **learning)
    assert "Trained" in told and Path(value(file)[0]).suffix == ".safetensors"

    run = QUICK | {"window": 4, "keyframes_at": "2"}
    told, _, gallery, *_ = with_fox("paint_keyframes", **run, lora_file=lora)
    assert [item["caption"] for item in value(gallery)] == ["Frame 0", "Frame 2", "Frame 4"]
    first, middle, last = (cv2.imread(picture(item)) for item in value(gallery))
    _, _, gallery, *_ = with_fox("paint_again", keyframe=2, keyframe_seed=5, keyframe_prompt="A blue fox.", **run)
    again = [cv2.imread(picture(item)) for item in value(gallery)]
    assert np.array_equal(again[0], first) and np.array_equal(again[2], last) and not np.array_equal(again[1], middle)
    saved = value(with_fox("save_project", lora_file=lora, prompt="A sks fox."))
    other = Tab(address, tmp_path / "other")
    answer = other("open_project", handle_file(str(saved)))
    assert any(str(one).endswith(".safetensors") and one != lora for one in answer), "the LoRA came along"
    assert other("drop_keyframe", keyframe=2)[0] == "Keyframes at 0, 4.", "and the keyframes"
    told, gallery, *_ = with_fox("drop_keyframe", keyframe=2)
    assert told == "Keyframes at 0, 4." and len(value(gallery)) == 2
    with pytest.raises(AppError, match="needs the first and the last keyframe"):
        with_fox("drop_keyframe", keyframe=4)

    status, _, _, files, *_, said = with_fox("shoot_between", **run)
    result = next(Path(file) for file in value(files) if str(file).endswith(".mp4"))
    assert "tiny random weights" in status and said.startswith("**The video is above**") and probe(result).frames == 5
    assert restore(result).settings["keyframes_at"] == "0, 4" and "changed after" not in status
    with_fox("place_object", chosen="1: fox.glb", moment=0.0, right=-0.4, **PLACE)
    status, *_ = with_fox("shoot_between", **run)
    assert "The scene or path changed after these keyframes were painted" in status


def picture(item) -> str:
    image = item["image"]
    return image["path"] if isinstance(image, dict) else image


def test_steps_that_come_too_early_say_what_is_missing(tab):
    with pytest.raises(AppError, match="paint them first"):
        tab("shoot_between", **QUICK)

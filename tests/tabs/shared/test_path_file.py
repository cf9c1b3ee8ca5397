"""A path file on the page: readings of matrices whose convention is not stated, and the scale of the path in the scene."""

import re

import numpy as np
import pytest
from playwright.sync_api import expect

from camera.conventions import nerfstudio_from_opencv
from camera.errors import InputError
from camera.formats import write
from camera.path import CameraPath, pinhole
from camera.rotation import look_at
from camera.view import Scene, View
from pipelines import method
from pipelines.project.content import PATH_FILE, MoveSource
from tabs.project.project import Project
from tabs.shared.path_file import FACTOR, open_path

KNOWN = method("gen3c")
AROUND = np.array([0.0, 0.0, 5.0])


def orbit(frames: int = 9, radius: float = 5.0) -> CameraPath:
    poses = np.repeat(np.eye(4)[None], frames, axis=0)
    for pose, angle in zip(poses, np.linspace(0, 0.8, frames)):
        pose[:3, 3] = [radius * np.sin(angle), 0.1 * angle, AROUND[2] - radius * np.cos(angle)]
        pose[:3, :3] = look_at(pose[:3, 3], AROUND)
    return CameraPath(poses, pinhole(128, 96, 50), 128, 96, 10.0)


def project(subject: float = 2.0, fov: float = 60) -> Project:
    view = View.of(np.zeros((96, 128, 3), np.uint8), np.full((96, 128), subject), pinhole(128, 96, fov))
    return Project().opened(Scene((view,), "still"))


def drawn(project: Project) -> Project:
    moves = KNOWN.moves(frames=25, width=128, height=96)
    return project.with_moves(moves).with_source(MoveSource(moves_from=PATH_FILE))


def saved(folder, name: str, data: bytes) -> str:
    (folder / name).write_bytes(data)
    return str(folder / name)


@pytest.mark.parametrize(("scale", "factor", "times"), [("keep", 3, 1), ("subject", 3, 2 / 5), (FACTOR, 0.01, 0.01)])
def test_the_path_comes_to_the_size_of_the_scene(tmp_path, scale, factor, times):
    file = saved(tmp_path, *write("reshoot", orbit()))
    given, told, _ = open_path(project(), file, path_scale=scale, path_factor=factor)
    assert ("scaled" in told) == (times != 1)
    moved = drawn(given).ready()[1]
    assert np.linalg.norm(moved.centres[-1] - moved.centres[0]) == pytest.approx(
        times * np.linalg.norm(orbit().centres[-1] - orbit().centres[0]), rel=1e-6
    )


def test_another_scene_scales_it_again_and_what_cannot_be_scaled_is_said(tmp_path):
    file = saved(tmp_path, *write("reshoot", orbit()))
    given, *_ = open_path(project(), file, path_scale="subject")
    nearer, farther = (drawn(given.opened(project(far).scene)).ready()[1] for far in (1.0, 4.0))
    np.testing.assert_allclose(4 * np.ptp(nearer.centres, axis=0), np.ptp(farther.centres, axis=0), rtol=1e-6)
    early, told, _ = open_path(Project(), file, path_scale="subject")
    assert "when you open a scene" in told and early.content.own_scale == "subject"
    straight = orbit().with_poses(np.repeat(np.eye(4)[None], 9, axis=0))
    with pytest.raises(InputError, match="no common point"):
        open_path(project(), saved(tmp_path, *write("reshoot", straight)), path_scale="subject")


def test_a_chosen_reading_is_taken_and_the_lens_is_the_scenes(tmp_path):
    matrices = nerfstudio_from_opencv(orbit().world_from_camera)
    np.save(tmp_path / "poses.npy", matrices)
    opened = drawn(project().with_own(orbit()))
    found, told, _ = open_path(opened, str(tmp_path / "poses.npy"), "c2w-opengl")
    np.testing.assert_allclose(found.own.world_from_camera, orbit().world_from_camera, atol=1e-9)
    assert found.own.fov_degrees[0, 0] == pytest.approx(60), "not that of the path file before"
    other, *_ = open_path(opened, str(tmp_path / "poses.npy"), "w2c-opencv")
    assert np.abs(other.own.world_from_camera - found.own.world_from_camera).max() > 0.1
    assert "lens" in told


def test_the_page_draws_the_eight_readings_and_takes_the_chosen_one(visit, gen3c_alone, tmp_path):
    np.save(tmp_path / "poses.npy", orbit().world_from_camera)
    page = visit(at=gen3c_alone)
    page.locator("#examples button").first.click()
    expect(page.locator("#stage .stage-plot")).to_have_attribute("data-frames", "121")
    page.get_by_label("Path file", exact=True).locator("visible=true").first.check()
    page.locator("#own-path input[type=file]").set_input_files(tmp_path / "poses.npy")
    drawings = page.locator("#readings svg")
    expect(drawings).to_be_visible()
    assert drawings.locator("g").count() == 8
    expect(drawings).to_contain_text("Likeliest: c2w-opencv, because")
    expect(page.get_by_text("c2w-opencv is taken").first).to_be_visible()
    page.get_by_label("w2c-opengl", exact=True).locator("visible=true").check()
    told = page.get_by_text(re.compile("9 frames, .* per second")).locator("visible=true").first
    expect(told).not_to_contain_text("is taken:")
    page.get_by_label("c2w-opencv", exact=True).locator("visible=true").check()
    page.get_by_label("To the subject's distance").locator("visible=true").check()
    expect(told).to_contain_text("The path was scaled by")

"""Objects in a scene: placement, motion, and units relative to the subject."""

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from camera.errors import InputError
from camera.objects.model import Model, read_model
from camera.objects.scene import Key, Lighting, Placement, SceneObject, StagedScene, empty_stage, plain, stage_objects
from camera.objects.surface import UNLIT
from camera.path import CameraPath, pinhole
from camera.render.scene import render
from camera.rotation import look_at
from camera.view import FAR, Scene, View


@pytest.fixture(scope="module")
def pillar() -> Model:
    """A pillar one unit high; its front (towards the viewer) is at z = 0.125."""
    return read_model(trimesh.creation.box(extents=[0.5, 2, 0.5]).export(file_type="ply"), "pillar.ply")


def still(depth: float = 4.0, pose: np.ndarray | None = None) -> Scene:
    colour = np.zeros((48, 64, 3), np.uint8)
    return Scene((View.of(colour, np.full((48, 64), depth, np.float32), pinhole(64, 48, 60), pose),))


def test_placement_is_right_up_ahead_in_subject_distances(pillar):
    scene = stage_objects(still(4.0), [SceneObject(pillar, (Key(0, Placement(0.5, -0.25, 1.0, size=2.0)),))])
    (surface,) = scene.surfaces(0, 16, 24)
    middle = (surface.vertices.min(axis=0) + surface.vertices.max(axis=0)) / 2
    assert middle == pytest.approx([2.0, 1.0 - 4.0, 4.0], abs=1e-5)  # y down: the base is 1 below the camera
    assert np.ptp(surface.vertices[:, 1]) == pytest.approx(8.0)
    smaller = scene.fitted(32, 32).surfaces(0, 16, 24)[0]
    assert np.array_equal(smaller.vertices, surface.vertices)


def test_objects_stay_upright_for_a_camera_that_looks_down(pillar):
    pose = np.eye(4)
    pose[:3, :3] = look_at([0, 0, 0], [3.0, 2.0, 3.0])
    pose[:3, 3] = [10, 20, 30]
    scene = stage_objects(still(2.0, pose), [SceneObject(pillar, (Key(0, Placement(0, 0, 1, size=1)),))])
    (surface,) = scene.surfaces(0, 1, 24)
    feet = surface.vertices[np.argsort(-surface.vertices[:, 1])[:4]]
    assert feet[:, 1] == pytest.approx([20] * 4, abs=1e-4)
    assert feet.mean(axis=0) == pytest.approx([10 + 2 * 0.5**0.5, 20, 30 + 2 * 0.5**0.5], abs=1e-4)


@pytest.mark.parametrize(
    ("turned", "front"),
    [({"turn": 90}, [1, 0, 0]), ({"tilt": 90}, [0, 1, 0]), ({"roll": 90}, [0, 0, 1])],
)
def test_angles_rotate_in_their_stated_direction(turned, front):
    matrix = Placement(0, 0, 0, size=1, **turned).matrix
    assert matrix[:3, :3] @ [0, 0, 1] == pytest.approx(front, abs=1e-12)
    if "roll" in turned:
        assert matrix[:3, :3] @ [0, 1, 0] == pytest.approx([1, 0, 0], abs=1e-12)


def test_motion_interpolates_keys_and_full_turns(pillar):
    a, b = Placement(0, 0, 1, turn=0, size=1), Placement(1, 0, 3, turn=360, size=4)
    keys = (Key(0.0, a), Key(0.5, b))
    for motion in ("even", "soft", "smooth"):
        way = SceneObject(pillar, keys, motion=motion)
        assert way.placement(0.0) == a and way.placement(0.7) == b
        middle = way.placement(0.25)
        assert (middle.turn, middle.size) == pytest.approx((180, 2)) and middle.ahead == pytest.approx(2)
    assert SceneObject(pillar, keys).placement(0.125).right == pytest.approx(0.25)
    assert SceneObject(pillar, keys, motion="soft").placement(0.125).right == pytest.approx(0.15625)


def test_a_pixel_gives_a_placement(pillar):
    scene = stage_objects(still(4.0))
    right, up, ahead = scene.spot(63, 40)
    assert ahead == pytest.approx(1.0) and right == pytest.approx((63 - 31.5) / 64 * 2 * np.tan(np.radians(30)))
    assert up < 0
    sky = still(4.0)
    view = replace(sky.first, known=np.zeros((48, 64), bool), depth=np.full((48, 64), FAR, np.float32))
    with pytest.raises(InputError, match="no depth"):
        StagedScene((view,)).spot(5, 5)


def test_objects_are_added_and_removed_without_changing_the_scene(pillar):
    scene = still()
    one = stage_objects(scene, [SceneObject(pillar)])
    two = stage_objects(one, [*one.objects, SceneObject(pillar)])
    assert (len(one.objects), len(two.objects)) == (1, 2) and two.distance == one.distance == pytest.approx(4)
    assert type(plain(two)) is Scene and plain(two).first is scene.first


@pytest.mark.parametrize("renderer", ["mesh", "zbuffer", "splat"])
def test_every_renderer_shows_the_objects(pillar, renderer):
    scene, path = still(4.0), still().first.camera
    red = [replace(part, colours=np.full_like(part.colours, 200)) for part in pillar.still]
    painted = replace(pillar, still=tuple(red))
    way = (Key(0, Placement(-0.3, -0.1, 0.8, size=0.2)), Key(1, Placement(0.3, -0.1, 0.8, size=0.2)))
    two = CameraPath(np.repeat(path.world_from_camera, 2, axis=0), path.intrinsics[0], path.width, path.height)
    before, after = (
        render(stage_objects(scene, [SceneObject(painted, way)]), two, frame=frame, renderer=renderer)
        for frame in (0, 1)
    )
    columns = [np.nonzero(made.colour[..., 0] == 200)[1].mean() for made in (before, after)]
    assert columns[0] < 25 < 39 < columns[1] and not after.holes[after.colour[..., 0] == 200].any()
    hidden = stage_objects(scene, [SceneObject(painted, (Key(0, Placement(0, 0, 2.0, size=0.2)),))])
    assert not (render(hidden, path, renderer=renderer).colour == 200).any()


def test_an_empty_stage_has_a_level_floor_and_a_wall():
    stage = empty_stage(320, 180)
    places = [stage.spot(160, row) for row in (150, 165, 179)]
    assert [up for _, up, _ in places] == pytest.approx([-0.3] * 3, abs=1e-3)
    assert places[0][2] > places[1][2] > places[2][2] > 0.3
    assert stage.spot(160, 20)[2] == pytest.approx(2.0) and stage.distance == 3.0


def test_light_angles_are_relative_to_the_viewer():
    scene = stage_objects(still())
    assert scene.light(Lighting(1.0)) is UNLIT and scene.light(Lighting(0.5, beside_camera=True)).direction is None
    lamp = scene.light(Lighting(0.5, around_degrees=90, above_degrees=0))
    assert lamp.direction == pytest.approx((1, 0, 0), abs=1e-12)
    above = scene.light(Lighting(0.5, above_degrees=90))
    assert above.direction == pytest.approx((0, -1, 0), abs=1e-12)  # y is down


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda model: Placement(size=0), "above 0"),
        (lambda model: Placement(right=float("nan")), "finite"),
        (lambda model: SceneObject(model, ()), "keys"),
        (lambda model: SceneObject(model, (Key(0.5, Placement()), Key(0.5, Placement()))), "ascending"),
        (lambda model: SceneObject(model, animation="walk"), "no animation 'walk'; it has none"),
        (lambda model: SceneObject(model, speed=float("inf")), "speed"),
        (lambda model: stage_objects(still(), [SceneObject(model)] * 51), "up to 50"),
    ],
)
def test_invalid_values_are_refused(pillar, made, words):
    with pytest.raises(InputError, match=words):
        made(pillar)

"""The far background: a surrounding dome with the sky's colours where sky was seen, in meshes, splats and flights."""

import io

import numpy as np
import pytest
import trimesh

from camera.path import CameraPath
from camera.view import FAR, Scene, View
from pipelines.reconstruct import display
from pipelines.reconstruct.gaussians.settings import SplatSettings
from pipelines.reconstruct.pipeline import Reconstruction, make, shots_of_views
from pipelines.reconstruct.sky_dome import make_dome, render_dome
from pipelines.splats.files import read_ply
from tests.scenes.reconstruct_room import path_of, room

BLUE = (40, 90, 230)


@pytest.fixture(scope="module")
def outdoors() -> Scene:
    """The room without its upper walls, under a uniform blue sky."""
    views = []
    for view in room(36, 48).views:
        colour, depth = view.colour.copy(), view.depth.copy()
        colour[:14], depth[:14] = BLUE, FAR
        views.append(View.of(colour, depth, view.intrinsics, view.world_from_camera))
    return Scene(tuple(views), "views")


def made_of(scene: Scene, kind: str, **choices) -> Reconstruction:
    return [step for step in make(shots_of_views(scene), kind, **choices) if isinstance(step, Reconstruction)][-1]


def elsewhere(path: CameraPath) -> CameraPath:
    """The first camera turned around: a direction that no frame covers."""
    return path.sliced(slice(1)).with_poses(path.world_from_camera[:1] @ np.diag([-1.0, 1, -1, 1]))


def test_the_sky_has_its_colour_and_the_unseen_what_is_next_to_it(outdoors):
    made = made_of(outdoors, "points", background="dome")
    assert made.dome is not None
    away = np.linalg.norm(made.dome.vertices - made.path.centres.mean(axis=0), axis=1)
    assert np.ptp(away) < 1e-3 and away[0] > np.linalg.norm(made.cloud.points, axis=1).max()
    seen = render_dome(made.dome, made.path)
    assert np.abs(seen[:, 2:11].astype(int) - BLUE).mean() < 3
    assert render_dome(made.dome, elsewhere(made.path)).any(axis=3).all()


def test_what_is_near_does_not_colour_it_where_something_far_is_seen(outdoors):
    """A red object close to the middle camera, in front of a wall that the other cameras see."""
    views = list(outdoors.views)
    colour, depth = views[2].colour.copy(), views[2].depth.copy()
    colour[20:30, 10:38], depth[20:30, 10:38] = (255, 0, 0), 0.3
    views[2] = View.of(colour, depth, views[2].intrinsics, views[2].world_from_camera)
    frames, path = np.stack([view.colour for view in views]), path_of(outdoors)
    cloud = made_of(outdoors, "points").cloud
    plain, soft = (
        render_dome(make_dome(frames, path, cloud, scene), path)[2, 23:27, 14:34].astype(int)
        for scene in (None, Scene(tuple(views), "views"))
    )
    redness = [float((each[..., 0] - each[..., 1]).mean()) for each in (plain, soft)]
    assert redness[1] < redness[0] - 20


def test_its_triangles_are_seen_from_inside(outdoors):
    dome = made_of(outdoors, "points", background="dome").dome
    inward = dome.vertices.mean(axis=0) - dome.triangles_center
    assert ((dome.face_normals * inward).sum(axis=1) > 0).all() and dome.is_watertight


def test_no_flight_through_a_mesh_looks_into_black(outdoors):
    without, made = (made_of(outdoors, "mesh", background=each) for each in ("nothing", "dome"))
    turned = elsewhere(made.path)
    assert (
        not next(display.render_flight(without, turned)).any()
        and next(display.render_flight(made, turned)).any(axis=2).all()
    )
    sky = next(display.render_flight(made, made.path))[2:9]
    assert np.abs(sky.astype(int) - BLUE).mean() < 6
    files = display.files(made)
    parts = trimesh.load(io.BytesIO(files["mesh.glb"]), file_type="glb").geometry
    assert set(parts) == {"mesh", "background"}
    assert len(trimesh.load(io.BytesIO(files["background.ply"]), file_type="ply").faces) == len(made.dome.faces)
    assert "background.ply" not in display.files(without)


def test_splats_are_fitted_before_it_and_carry_it(outdoors):
    settings = SplatSettings(iterations=30, most_splats=500, appearance=False)
    made = made_of(outdoors, "splats", background="dome", settings=settings)
    turned = next(display.render_flight(made, elsewhere(made.path)))
    assert turned.max(axis=2).min() > 10
    sky = next(display.render_flight(made, made.path))[2:9].astype(int)
    assert np.abs(sky - BLUE).mean() < 15
    count = len(made.fitted.splats)
    assert len(read_ply(display.files(made)["splats.ply"])) == count + len(made.dome.vertices)


def test_without_depth_all_pixels_count(outdoors):
    frames = np.stack([view.colour for view in outdoors.views])
    path = path_of(outdoors)
    dome = make_dome(frames, path, made_of(outdoors, "points").cloud)
    assert np.abs(render_dome(dome, path)[:, 3:10].astype(int) - BLUE).mean() < 12

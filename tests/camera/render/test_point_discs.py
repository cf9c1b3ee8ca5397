"""A point cloud drawn as discs: the source view is reproduced, near points occlude far ones, points behind the camera are not drawn."""

import numpy as np

from bench.room import front, side
from camera.cloud import PointCloud, cloud_of
from camera.path import CameraPath, pinhole
from camera.render.point_discs import Dots
from camera.view import Scene
from pipelines.media.image_metrics import psnr


def test_the_source_view_and_a_side_view_are_reproduced():
    cloud = cloud_of(Scene((front(72, 96),)))
    dots = Dots.of(cloud)
    picture, holes = dots.draw(front(72, 96).camera)
    assert holes.mean() < 0.01 and psnr(picture, front(72, 96).colour, ~holes) > 17
    picture, holes = dots.draw(side(72, 96).camera)
    assert 0.02 < holes.mean() < 0.4 and psnr(picture, side(72, 96).colour, ~holes) > 14


def test_near_points_occlude_far_ones_and_points_behind_are_clipped():
    camera = CameraPath(np.eye(4)[None], pinhole(9, 9, 60), 9, 9)
    points = np.array([[0, 0, 5], [0, 0, 2], [0, 0, -1], [0, 0, 3]], np.float32)
    colours = np.array([[9, 0, 0], [0, 9, 0], [0, 0, 9], [9, 9, 9]], np.uint8)
    picture, holes = Dots(PointCloud(points, colours), np.full(4, 1e-3, np.float32)).draw(camera)
    assert picture[4, 4].tolist() == [0, 9, 0] and (~holes).sum() == 1


def test_an_isolated_point_stays_small():
    points = np.concatenate([np.random.default_rng(0).random((500, 3)), [[50, 50, 50]]]).astype(np.float32)
    radii = Dots.of(PointCloud(points, np.zeros((501, 3), np.uint8))).radii
    assert radii[-1] < 10 * np.median(radii)

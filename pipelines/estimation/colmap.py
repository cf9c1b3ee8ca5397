"""Structure from motion with COLMAP through pycolmap: the database, the picture files and the individual steps."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.conventions import half_pixel_lens
from camera.errors import InputError
from camera.path import CameraPath

Matches = tuple[list[NDArray[np.float32]], dict[tuple[int, int], NDArray[np.uint32]]]
"""Keypoints (K,2) of every picture, pixel centres at integers, and the matches (M,2) of pairs of pictures."""
Matcher = Callable[[NDArray[np.uint8], list[tuple[int, int]]], Matches]

MASK_MARGIN = 0.01
"""Margin added to masks, as a share of the picture's width: features at an edge belong to both sides."""
LEAST_ANGLE = 0.5
"""Minimum angle in degrees between the rays to a point; generated videos move little."""
STRICT_PX = 1.5
"""Tolerance in pixels for tracked points of one video: objects that move almost with the camera have slightly larger errors."""
FIRST_ANGLE, TRIALS, MOST_SECONDS = 4.0, 12, 120
"""For one video: minimum angle in degrees between the rays of the first two frames, number of pairs tried, and time limit of the mapping."""


def pycolmap() -> ModuleType:
    try:
        import pycolmap
    except ImportError as error:
        raise InputError(
            "Finding cameras needs the package pycolmap, which is not installed; run `pip install pycolmap` or give the cameras."
        ) from error
    return pycolmap


@contextmanager
def _quiet(colmap: ModuleType) -> Iterator[None]:
    """Silence COLMAP's log, except for errors."""
    before = colmap.logging.minloglevel
    colmap.logging.minloglevel = 2
    try:
        yield
    finally:
        colmap.logging.minloglevel = before


@dataclass(frozen=True, eq=False)
class Workspace:
    """COLMAP's database and the pictures as files, in a temporary folder that is removed afterwards."""

    colmap: ModuleType
    folder: Path
    pictures: NDArray[np.uint8]
    masked: bool
    seed: int

    @staticmethod
    @contextmanager
    def of(pictures: NDArray[np.uint8], masks: NDArray[np.bool_] | None, seed: int) -> Iterator[Workspace]:
        colmap = pycolmap()
        with tempfile.TemporaryDirectory() as work, _quiet(colmap):
            colmap.set_random_seed(seed)
            _write_pictures(Path(work), pictures, masks)
            yield Workspace(colmap, Path(work), pictures, masks is not None, seed)

    @property
    def database(self) -> Path:
        return self.folder / "database.db"

    @property
    def images(self) -> Path:
        return self.folder / "images"

    def extract(self, model: str, *, one_lens: bool, known: CameraPath | None = None, few: bool = False) -> None:
        """Extract the keypoints of every picture; the lenses are initialised from ``known`` if it is given.

        ``few``: saves time, for keypoints that will be replaced.
        """
        reader = self.colmap.ImageReaderOptions(camera_model=model)
        if self.masked:
            reader.mask_path = str(self.folder / "masks")
        if known is not None:
            reader.camera_params = ",".join(map(repr, _parameters(known, 0)))
        mode = self.colmap.CameraMode.SINGLE if one_lens else self.colmap.CameraMode.PER_IMAGE
        options = self.colmap.FeatureExtractionOptions(num_threads=_threads(), use_gpu=False)
        if few:
            options.sift.max_num_features, options.sift.first_octave, options.sift.num_octaves = 1, 1, 1
        self.colmap.extract_features(
            self.database, self.images, camera_mode=mode, reader_options=reader, extraction_options=options
        )
        if known is not None and not one_lens:
            self._write_lenses(known)

    def _write_lenses(self, known: CameraPath) -> None:
        with self.colmap.Database.open(self.database) as database:
            for image in database.read_all_images():
                camera = database.read_camera(image.camera_id)
                camera.params = np.array(_parameters(known, picture_number(image)))
                database.update_camera(camera)

    def match(self, wanted: list[tuple[int, int]], matcher: Matcher | None, *, pixels: float | None = None) -> None:
        """Match the wanted pairs and store the matches that fit one camera motion to within ``pixels`` in the database."""
        listed = self.folder / "pairs.txt"
        listed.write_text("".join(f"{i:05d}.png {j:05d}.png\n" for i, j in wanted))
        checking = self.colmap.TwoViewGeometryOptions()
        checking.ransac.max_error = pixels or checking.ransac.max_error
        checking.ransac.random_seed = self.seed  # COLMAP's global seed is for one thread only
        if matcher is None:
            options = self.colmap.FeatureMatchingOptions(num_threads=_threads(), use_gpu=False)
            pairing = self.colmap.ImportedPairingOptions(match_list_path=str(listed))
            self.colmap.match_image_pairs(
                self.database, matching_options=options, pairing_options=pairing, verification_options=checking
            )
            return
        keypoints, matches = matcher(self.pictures, wanted)
        with self.colmap.Database.open(self.database) as database:
            numbers = {picture_number(image): image.image_id for image in database.read_all_images()}
            database.clear_keypoints()
            database.clear_descriptors()
            for i, places in enumerate(keypoints):
                database.write_keypoints(numbers[i], np.asarray(places, np.float32) + np.float32(0.5))
            for (i, j), matched in matches.items():
                if len(matched):
                    database.write_matches(numbers[i], numbers[j], np.asarray(matched, np.uint32))
        self.colmap.verify_matches(self.database, listed, checking)

    def mapped(self, *, hold_lens: bool = False, one_video: bool = False) -> list[Any]:
        """Map the matched pictures from scratch with COLMAP; ``hold_lens`` keeps the given focal length.

        ``one_video``: the pictures are frames of one short move: accepts small parallax, makes one model, and gives up if no
        mapping starts soon.
        """
        options = self.colmap.IncrementalPipelineOptions(
            num_threads=_threads(), random_seed=0, min_model_size=min(3, len(self.pictures))
        )
        options.ba_refine_focal_length = options.mapper.abs_pose_refine_focal_length = not hold_lens
        if one_video:
            options.multiple_models, options.extract_colors = False, False
            options.init_num_trials, options.ba_global_max_refinements = TRIALS, 2
            options.mapper.init_min_tri_angle, options.mapper.init_min_num_inliers = FIRST_ANGLE, 50
            options.mapper.init_max_forward_motion = 1.0  # a dolly moves only forward
            options.triangulation.min_angle = options.mapper.filter_min_tri_angle = LEAST_ANGLE
            options.max_runtime_seconds = MOST_SECONDS
            options.mapper.init_max_error = options.mapper.filter_max_reproj_error = STRICT_PX
            options.mapper.abs_pose_max_error = 2 * STRICT_PX
            options.triangulation.complete_max_reproj_error = options.triangulation.merge_max_reproj_error = STRICT_PX
        out = self.folder / "models"
        return list(self.colmap.incremental_mapping(self.database, self.images, out, options).values())

    def triangulated(self, path: CameraPath, pixels: float, degrees: float) -> Any:
        """Triangulate the matches with the cameras of ``path``, within a tolerance in pixels and degrees."""
        options = self.colmap.IncrementalPipelineOptions(
            num_threads=_threads(), random_seed=0, ba_refine_focal_length=False
        )
        joining = options.triangulation
        joining.create_max_angle_error = joining.continue_max_angle_error = degrees
        joining.complete_max_reproj_error = joining.merge_max_reproj_error = pixels
        joining.min_angle = options.mapper.filter_min_tri_angle = LEAST_ANGLE
        options.mapper.filter_max_reproj_error = pixels
        out = self.folder / "triangulated"
        out.mkdir(exist_ok=True)
        return self.colmap.triangulate_points(
            self._model_without_points(path), self.database, self.images, out, options=options
        )

    def _model_without_points(self, path: CameraPath) -> Any:
        """A model without points: the pictures of the database with the cameras of ``path``."""
        model = self.colmap.Reconstruction()
        with self.colmap.Database.open(self.database) as database:
            cameras, images = database.read_all_cameras(), database.read_all_images()
        camera_from_world = path.camera_from_world
        first = {image.camera_id: picture_number(image) for image in images}
        for camera in cameras:
            camera.params = np.array(_parameters(path, first[camera.camera_id]))
            model.add_camera_with_trivial_rig(camera)
        for image in images:
            new = self.colmap.Image(name=image.name, camera_id=image.camera_id, image_id=image.image_id)
            model.add_image_with_trivial_frame(new, self.colmap.Rigid3d(camera_from_world[picture_number(image)][:3]))
        return model

    def adjust(self, model: Any, *, lens: bool) -> None:
        """Bundle adjustment in place, with a robust loss, because frames of a generated video are not quite consistent."""
        options = self.colmap.BundleAdjustmentOptions(refine_focal_length=lens, print_summary=False)
        options.ceres.loss_function_type = self.colmap.LossFunctionType.CAUCHY
        options.ceres.solver_options.num_threads = _threads()
        options.ceres.solver_options.function_tolerance = 1e-6
        config = self.colmap.BundleAdjustmentConfig()
        for number in model.reg_image_ids():
            config.add_image(number)
        config.fix_gauge(self.colmap.BundleAdjustmentGauge.TWO_CAMS_FROM_WORLD)
        self.colmap.create_default_bundle_adjuster(options, config, model).solve()
        model.update_point_3d_errors()


def _threads() -> int:
    return os.cpu_count() or 1


def _parameters(path: CameraPath, frame: int) -> list[float]:
    """fx, fy, cx, cy of COLMAP's PINHOLE, pixel centres at halves."""
    lens = half_pixel_lens(path.intrinsics[frame])
    return [float(lens[0, 0]), float(lens[1, 1]), float(lens[0, 2]), float(lens[1, 2])]


def _write_pictures(work: Path, pictures: NDArray[np.uint8], masks: NDArray[np.bool_] | None) -> None:
    margin = max(1, round(MASK_MARGIN * pictures.shape[2]))
    for folder in ("images", "masks"):
        (work / folder).mkdir()
    for i, picture in enumerate(pictures):
        cv2.imwrite(str(work / "images" / f"{i:05d}.png"), picture[..., ::-1])
        if masks is not None:
            wide = cv2.dilate(masks[i].astype(np.uint8), np.ones((2 * margin + 1,) * 2, np.uint8))
            cv2.imwrite(str(work / "masks" / f"{i:05d}.png.png"), 255 * (1 - wide))


def picture_number(image: Any) -> int:
    return int(Path(image.name).stem)


def write_model(model: Any, folder: Path, names: Sequence[str] | None) -> None:
    """Write cameras.bin, images.bin and points3D.bin; leaves out the newer files about rigs, as in the data set."""
    for image in model.images.values():
        image.name = names[picture_number(image)] if names else image.name
    folder.mkdir(parents=True, exist_ok=True)
    model.write_binary(folder)
    for extra in ("rigs.bin", "frames.bin"):
        (folder / extra).unlink(missing_ok=True)

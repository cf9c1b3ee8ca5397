"""Makes a CamVid-30K entry from a plain video: cameras from its static parts, and the strength of its motion.

    python -m pipelines curate VIDEO FOLDER

writes the data set's layout (images/*.jpg, 0/cameras.bin, images.bin, points3D.bin, project.ini) and motion.json.
Source: arXiv 2411.02319, section 3; the original curation code was not published.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from pipelines.estimation.sfm import Reconstruction, reconstruct
from pipelines.media.video import complete, read_video
from pipelines.methods.genxd.curation import motion_strength as motion
from pipelines.methods.genxd.settings import CurationSettings

SHORT_SIDE = 256
Masks = NDArray[np.bool_]


@dataclass(frozen=True)
class Entry:
    """The results, saved as motion.json. ``things``: the motion of each moving object as a share of the picture.

    ``motion_strength``: 100 times the largest of them, the model's input; about 0.1 is still, 2 is dancing.
    """

    frames: int
    frames_without_camera: int
    fps: float
    points: int
    mean_error_px: float
    motion_strength: float
    things: dict[int, float]
    masks: str
    depth: str


def curate(
    frames: NDArray[np.uint8],
    folder: str | Path,
    *,
    fps: float,
    masks: Masks | None = None,
    masks_from: str = "given masks",
    relative_depth: Callable[[NDArray[np.uint8]], NDArray] | None = None,
    depth_from: str = "sparse points, spread",
    least_motion: float = 0.0,
) -> Iterator[str | Entry]:
    """Write an entry of the data set for ``frames`` (F,H,W,3); ``folder`` must not exist and appears when complete.

    Yields a line per step, and last the entry; closing it leaves no files behind.
    ``masks`` (F,H,W) are True where something might move; without masks, cameras are first estimated robustly, and pixels that
    do not fit them become the mask. ``relative_depth`` maps a picture to (H,W) that increases with distance.
    Raises `InputError` if no cameras can be found or the motion is below ``least_motion``.
    """
    folder = Path(folder)
    if folder.exists():
        raise InputError(f"{folder.name} exists already; remove it or choose another folder.")
    if masks is not None and masks.shape != frames.shape[:3]:
        raise InputError(f"The masks must be of the shape {frames.shape[:3]} of the frames, got {masks.shape}.")
    small = _shrink(frames)
    if masks is None:
        masks_from = "pixels that do not fit the cameras"
        yield "Estimating cameras despite moving parts."
        masks = _find_masks(small, fps)
    else:
        masks = np.stack([_resize_mask(mask, small.shape[2], small.shape[1]) for mask in masks])
    with _complete_folder(folder) as work:
        yield f"Estimating cameras from the still parts ({masks.mean():.0%} masked)."
        names = [f"{i:05d}.jpg" for i in range(len(small))]
        found = reconstruct(small, masks=masks, fps=fps, model_folder=work / "0", names=names)
        yield f"Measuring the motion of objects, over {len(found.frames)} frames with a camera."
        things = _motion(small, masks, found, relative_depth)
        entry = Entry(
            frames=len(found.frames),
            frames_without_camera=len(small) - len(found.frames),
            fps=fps,
            points=len(found.points),
            mean_error_px=round(found.mean_error_px, 4),
            motion_strength=round(motion.motion_strength(things), 4),
            things={number: round(value, 6) for number, value in things.items()},
            masks=masks_from,
            depth=depth_from,
        )
        if entry.motion_strength < least_motion:
            raise InputError(
                f"The motion strength is {entry.motion_strength:.2f}, less than {least_motion}; nothing was saved."
            )
        _write(work, small, found, entry)
    yield entry


@contextmanager
def _complete_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder that gets its final name only if the block ends without an error."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".part-", dir=folder.parent))
    try:
        yield work
        work.chmod(0o755)
        work.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _find_masks(frames: NDArray[np.uint8], fps: float) -> Masks:
    first = reconstruct(frames, fps=fps)
    placed = list(first.frames)
    masks = np.zeros(frames.shape[:3], bool)
    masks[placed] = motion.moving_things(frames[placed], first.path) > 0
    return masks


def _motion(
    frames: NDArray[np.uint8],
    masks: Masks,
    found: Reconstruction,
    relative_depth: Callable[[NDArray[np.uint8]], NDArray] | None,
) -> dict[int, float]:
    placed = list(found.frames)
    frames, masks = frames[placed], masks[placed]
    if not masks.any():
        return {}
    relative = None if relative_depth is None else [relative_depth(frame) for frame in frames]
    depths = motion.depths_of(found, relative, *frames.shape[1:3])
    return motion.motion_of_things(frames, motion.link_masks(frames, masks), found.path, depths)


def _shrink(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Short side 256, as in the data set; smaller videos stay as they are."""
    height, width = frames.shape[1:3]
    scale = min(1.0, SHORT_SIDE / min(height, width))
    size = (round(width * scale), round(height * scale))
    return np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames])


def _resize_mask(mask: NDArray[np.bool_], width: int, height: int) -> NDArray[np.bool_]:
    return cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST_EXACT) > 0


def _write(work: Path, frames: NDArray[np.uint8], found: Reconstruction, entry: Entry) -> None:
    (work / "images").mkdir()
    for frame in found.frames:
        name = str(work / "images" / f"{frame:05d}.jpg")
        cv2.imwrite(name, frames[frame][..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
    (work / "0" / "project.ini").write_text("image_path=images\n")
    (work / "motion.json").write_text(json.dumps(asdict(entry), indent=2) + "\n")


# --- from a video file --------------------------------------------------------------------------------------------


def curate_video(
    video: str | Path,
    folder: str | Path,
    settings: CurationSettings,
    *,
    mask_folder: str | Path | None = None,
) -> Iterator[str | Entry]:
    """`curate` for a file; ``mask_folder`` contains a png per frame used, white where something might move."""
    frames, fps = read_video(video, max_frames=settings.every * settings.most_frames)
    frames = frames[:: settings.every]
    if len(frames) < 3:
        raise InputError(f"Only {len(frames)} frames of the video would be used; at least 3 are needed.")
    masks, masks_from = _masks(settings.masks if mask_folder is None else mask_folder, frames)
    relative, depth_from = _depth(settings.depth)
    yield from curate(
        frames,
        folder,
        fps=fps / settings.every,
        masks=masks,
        masks_from=masks_from,
        relative_depth=relative,
        depth_from=depth_from,
        least_motion=settings.least_motion,
    )


def pack_entry(folder: Path, file: str | Path) -> Path:
    """Pack an entry as a zip, which appears only when complete."""
    with complete(file) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        for each in sorted(folder.rglob("*")):
            archive.write(each, Path(folder.name) / each.relative_to(folder))
    return Path(file)


def describe_entry(entry: Entry) -> str:
    """Describe an entry in one sentence."""
    return (
        f"{entry.frames} frames with cameras ({entry.frames_without_camera} without), {entry.points} static points, "
        f"{len(entry.things)} moving objects, motion strength {entry.motion_strength:.2f}."
    )


def _masks(choice: str | Path, frames: NDArray[np.uint8]) -> tuple[Masks | None, str]:
    if choice == "found":
        return None, ""
    if choice == "mask2former":
        from pipelines.methods.genxd.curation.segment import CHECKPOINT, movable_mask, segmenter_from_hub

        return movable_mask(frames, segmenter_from_hub()), CHECKPOINT.repo
    files = sorted(Path(choice).glob("*.png"))
    if len(files) != len(frames):
        raise InputError(f"The folder of masks needs {len(frames)} png files, one per frame used; it has {len(files)}.")
    return np.stack([_read_mask(file, frames.shape[2], frames.shape[1]) for file in files]), "given masks"


def _read_mask(file: Path, width: int, height: int) -> NDArray[np.bool_]:
    mask = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
    if mask is None or mask.shape != (height, width):
        raise InputError(f"The mask {file.name} must be a picture of {width} x {height} pixels.")
    return np.asarray(mask) > 127


def _depth(choice: str) -> tuple[Callable[[NDArray[np.uint8]], NDArray] | None, str]:
    if choice == "sparse":
        return None, "sparse points, spread"
    from pipelines.estimation.depth import MODELS, depth_of
    from pipelines.media.image import Picture

    model = MODELS[choice]

    def relative(frame: NDArray[np.uint8]) -> NDArray:
        values = depth_of(Picture(frame, None), model).values
        return np.nan_to_num(values, nan=float(np.nanmax(values)))

    return relative, model.label

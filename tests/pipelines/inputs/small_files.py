"""Small files of every supported kind, written with the things that are `added` to them and read as the app reads them."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from camera.formats import read, write
from camera.formats.account import Account
from camera.objects.model import read_model
from camera.path import CameraPath, pinhole
from pipelines.inputs.depth_frames import depth_of_file
from pipelines.inputs.open import read_material
from pipelines.media.depth_map.read import read_depth_map
from pipelines.media.image import read_picture
from pipelines.media.video import read_video, write_mp4
from pipelines.weights.lora_strength import read_strength

T, H, W = 4, 48, 64
POSES = np.repeat(np.eye(4)[None], T, axis=0)
POSES[:, 0, 3] = np.arange(T) ** 2 / 10
PATH = CameraPath(POSES, pinhole(W, H, 50), W, H, 10.0)
LIKE = CameraPath(np.eye(4)[None], pinhole(W, H, 55), W, H)
FRAMES = np.random.default_rng(0).integers(0, 255, (T, H, W, 3), dtype=np.uint8)
DEPTH = np.linspace(1, 3, T * H * W, dtype=np.float32).reshape(T, H, W)

Read = Callable[[Path], tuple[Any, str]]
Make = Callable[[Path, dict[str, Any]], Path]


@dataclass(frozen=True)
class Reader:
    """``make`` writes a file with the things ``added``, given by name; ``read`` returns comparable values and all notes."""

    make: Make
    read: Read
    added: dict[str, Any]


# --- writing and reading each kind ----------------------------------------------------------------------------------------


def path_read(file: Path) -> tuple[Any, str]:
    account = Account(file.name)
    path = read(file.name, file.read_bytes(), like=LIKE, account=account)
    return (path.world_from_camera, path.intrinsics, path.width, path.height, path.fps), account.text()


def scene_read(file: Path) -> tuple[Any, str]:
    files = sorted(each for each in file.iterdir() if each.is_file()) if file.name.startswith("loose") else [file]
    material = read_material(files)
    return of_scene(material.scene) + (
        (material.path.world_from_camera, material.path.intrinsics) if material.path else ()
    ), material.note


def of_scene(scene) -> tuple:
    views = scene.views
    parts = ("colour", "depth", "known", "intrinsics", "world_from_camera")
    return (scene.fps, scene.unit, *(np.stack([getattr(view, part) for view in views]) for part in parts))


def depth_read(file: Path) -> tuple[Any, str]:
    read = read_depth_map(file, "distance")
    return (read.values, read.fov_degrees), read.note


def depths_read(file: Path) -> tuple[Any, str]:
    account = Account(file.name)
    return (depth_of_file(file, FRAMES, account=account),), account.text()


def picture_read(file: Path) -> tuple[Any, str]:
    read = read_picture(file)
    return (read.colour, read.fov_degrees), " ".join(read.notes)


def clip_read(file: Path) -> tuple[Any, str]:
    account = Account(file.name)
    return read_video(file, account=account), account.text()


def lora_read(file: Path) -> tuple[Any, str]:
    account = Account(file.name)
    said = read_strength(file, "transformer", account)
    said.check_rank("blocks.0.to_q", 4, file.name)
    return (said.scale("blocks.0.to_q", 4, silent=-1.0), said.scale("x", 4, silent=-1.0)), account.text()


def mesh_read(file: Path) -> tuple[Any, str]:
    model = read_model(file.read_bytes(), file.name)
    surface = model.surfaces()[0]
    return (len(model.surfaces()), surface.vertices, surface.triangles, surface.colours), " ".join(model.notes)


def json_of(name: str, part: str = "") -> Make:
    """One of our path files with fields added at the top level, or to the second record of the list ``part``."""

    def make(folder: Path, added: dict[str, Any]) -> Path:
        file, data = write(name, PATH)
        values = json.loads(data)
        records: Any = values if isinstance(values, list) else values[part] if part else None
        target: Any = values if records is None else records[1] if isinstance(records, list) else records["1"]
        target |= added
        (folder / file).write_text(json.dumps(values))
        return folder / file

    return make


def npz_of(name: str, arrays: dict[str, Any]) -> Make:
    def make(folder: Path, added: dict[str, Any]) -> Path:
        np.savez(folder / name, **{**arrays, **added})
        return folder / name

    return make


def path_npz(name: str) -> Make:
    file, data = write(name, PATH)
    with np.load(io.BytesIO(data)) as arrays:
        return npz_of(file, dict(arrays))


def zip_of(name: str, files: Callable[[], dict[str, bytes]]) -> Make:
    def make(folder: Path, added: dict[str, Any]) -> Path:
        with zipfile.ZipFile(folder / name, "w") as archive:
            for member, data in {**files(), **added}.items():
                archive.writestr(member, data)
        return folder / name

    return make


def folder_of(name: str, files: Callable[[], dict[str, bytes]]) -> Make:
    def make(folder: Path, added: dict[str, Any]) -> Path:
        for member, data in {**files(), **added}.items():
            (folder / name / member).parent.mkdir(parents=True, exist_ok=True)
            (folder / name / member).write_bytes(data)
        return folder / name

    return make


def unzipped(name: str) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(write(name, PATH)[1])) as archive:
        return {entry: archive.read(entry) for entry in archive.namelist()}


def picture(number: int) -> bytes:
    box = io.BytesIO()
    Image.fromarray(FRAMES[number]).save(box, "PNG")
    return box.getvalue()


def npz(**arrays) -> bytes:
    box = io.BytesIO()
    np.savez(box, **arrays)
    return box.getvalue()


def npy(array: np.ndarray) -> bytes:
    box = io.BytesIO()
    np.save(box, array)
    return box.getvalue()


def mp4(folder: Path | None = None) -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        return write_mp4(Path(place, "rgb.mp4"), FRAMES, 8).read_bytes()


def exr(**channels) -> bytes:
    import tempfile

    import OpenEXR

    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    with tempfile.TemporaryDirectory() as place:
        with OpenEXR.File(header, channels) as file:
            file.write(f"{place}/a.exr")
        return Path(place, "a.exr").read_bytes()


def pictures_and_colmap() -> dict[str, bytes]:
    colmap = {name.replace("sparse/0", "sparse/0"): data for name, data in unzipped("colmap_txt").items()}
    return {**colmap, **{f"images/frame_{i + 1:05d}.png": picture(i) for i in range(T)}}


def pictures_and_transforms() -> dict[str, bytes]:
    return {
        "transforms.json": write("nerfstudio", PATH)[1],
        **{f"images/frame_{i + 1:05d}.png": picture(i) for i in range(T)},
    }


def loose() -> dict[str, bytes]:
    return {"cameras.json": write("reshoot", PATH)[1], **{f"{i}.png": picture(i) for i in range(T)}}


def transforms_with(folder: Path, added: dict[str, Any]) -> Path:
    values = json.loads(write("nerfstudio", PATH)[1]) | added
    return zip_of("set.zip", lambda: {**pictures_and_transforms(), "transforms.json": json.dumps(values).encode()})(
        folder, {}
    )


def posed_clip() -> dict[str, bytes]:
    return {
        "rgb.mp4": mp4(), "depth.npz": npz(depth=DEPTH), "mask.npz": npz(mask=np.ones_like(DEPTH)),
        "camera.npz": npz(w2c=PATH.camera_from_world, intrinsics=PATH.intrinsics),
    }  # fmt: skip


def with_arrays(member: str, arrays: dict[str, Any], files: Callable[[], dict[str, bytes]], name: str) -> Make:
    def make(folder: Path, added: dict[str, Any]) -> Path:
        return zip_of(name, lambda: {**files(), member: npz(**{**arrays, **added})})(folder, {})

    return make


def vipe() -> dict[str, bytes]:
    depth, box = DEPTH, io.BytesIO()
    with zipfile.ZipFile(box, "w") as archive:
        for i in range(T):
            archive.writestr(f"{i:05d}.exr", exr(Z=np.ascontiguousarray(depth[i])))
    return {
        "rgb/walk.mp4": mp4(), "depth/walk.zip": box.getvalue(), "pose/walk.npz": npz(inds=np.arange(T), data=POSES),
        "intrinsics/walk.npz": npz(inds=np.arange(T), data=np.tile([50.0, 51, 32, 24], (T, 1))),
    }  # fmt: skip


def raw_vipe() -> dict[str, bytes]:
    """The same as raw arrays, which ViPE also writes."""
    about = {"dtype": "float32", "frame_indices": list(range(T))}
    lenses = np.tile(np.float32([50, 51, 32, 24]), (T, 1))
    kept = {name: data for name, data in vipe().items() if name.startswith(("rgb", "depth"))}
    return {
        **kept, "pose/poses.bin": POSES.astype("<f4").tobytes(), "intrinsics/intrinsics.bin": lenses.tobytes(),
        "pose/poses_meta.json": json.dumps({**about, "shape": [T, 4, 4]}).encode(),
        "intrinsics/intrinsics_meta.json": json.dumps({**about, "shape": [T, 4]}).encode(),
    }  # fmt: skip


MULTIVIEW = {
    "images_key_frames": (FRAMES[:2].transpose(0, 3, 1, 2) / 127.5 - 1).astype(np.float32), "depth_key_frames": DEPTH[:2, None],
    "mask_key_frames": np.ones((2, 1, H, W), np.float32), "K_key_frames": PATH.intrinsics[:2],
    "w2cs_key_frames": PATH.camera_from_world[:2], "w2cs_all": PATH.camera_from_world,
}  # fmt: skip
MEGASAM = {"images": FRAMES, "depths": DEPTH, "intrinsic": PATH.intrinsics[0], "cam_c2w": POSES}


def reconfusion(folder: Path, added: dict[str, Any]) -> Path:
    from camera.formats.realestate10k import rows_of

    images = [torch.frombuffer(bytearray(picture(i)), dtype=torch.uint8) for i in range(T)]
    scene = {"images": images, "cameras": torch.from_numpy(rows_of(PATH, "x").astype(np.float32)), **added}
    torch.save([scene], folder / "scene.torch")
    return folder / "scene.torch"


def camvid() -> dict[str, bytes]:
    model = {f"0/{Path(name).name}": data for name, data in unzipped("colmap_bin").items()}
    return {**model, **{f"images/frame_{i + 1:05d}.png": picture(i) for i in range(T)}}


def png_with(folder: Path, added: dict[str, Any]) -> Path:
    """A PNG with chunks added before its pixels."""
    (folder / "a.png").write_bytes(with_chunks(picture(0), added))
    return folder / "a.png"


def depth_png_with(folder: Path, added: dict[str, Any]) -> Path:
    box = io.BytesIO()
    Image.fromarray((DEPTH[0] * 1000).astype(np.uint16)).save(box, "PNG")
    (folder / "a.png").write_bytes(with_chunks(box.getvalue(), added))
    return folder / "a.png"


def with_chunks(data: bytes, added: dict[str, bytes]) -> bytes:
    after_head = 8 + 12 + 13
    more = b"".join(
        struct.pack(">I", len(content))
        + name.encode()
        + content
        + struct.pack(">I", zlib.crc32(name.encode() + content))
        for name, content in added.items()
    )
    return data[:after_head] + more + data[after_head:]


def clip_with(folder: Path, added: dict[str, Any]) -> Path:
    import av

    with av.open(str(folder / "a.mp4"), "w") as box:
        streams = [box.add_stream("libx264", rate=8) for _ in range(2 if "picture tracks" in added else 1)]
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = W, H, "yuv420p"
            if "interlaced" in added:
                stream.options = {"x264-params": "tff=1"}
            if "pixels" in added:
                stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
            if "HLG" in added:
                stream.codec_context.color_trc, stream.codec_context.color_primaries = 18, 9
        for stream in streams:
            for picture in FRAMES:
                box.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            box.mux(stream.encode())
    return folder / "a.mp4"


def lora_with(folder: Path, added: dict[str, Any]) -> Path:
    config = {"r": 4, "lora_alpha": 8, "peft_type": "LORA"} | added
    header = {"lora_adapter_metadata": json.dumps({f"transformer.{key}": value for key, value in config.items()})}
    save_file({"a": torch.zeros(1)}, folder / "a.safetensors", metadata=header)
    return folder / "a.safetensors"


def lora_header(folder: Path, added: dict[str, Any]) -> Path:
    save_file({"a": torch.zeros(1)}, folder / "a.safetensors", metadata={"format": "pt", **added})
    return folder / "a.safetensors"


def obj_with(folder: Path, added: dict[str, Any]) -> Path:
    (folder / "a.obj").write_text(
        "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n" + "".join(f"{k} {v}\n" for k, v in added.items())
    )
    return folder / "a.obj"


def ply_with(folder: Path, added: dict[str, Any]) -> Path:
    more = "".join(f"property float {key}\n" for key in added)
    rows = "".join(f"{x} {y} 0{' 0.5' * len(added)}\n" for x, y in ((0, 0), (1, 0), (0, 1)))
    head = f"ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n{more}"
    (folder / "a.ply").write_text(
        f"{head}element face 1\nproperty list uchar int vertex_indices\nend_header\n{rows}3 0 1 2\n"
    )
    return folder / "a.ply"


def csv_with(folder: Path, added: dict[str, Any]) -> Path:
    lines = write("realityscan", PATH)[1].decode().splitlines()
    head = lines[0] + "".join(f",{key}" for key in added)
    (folder / "a.csv").write_text("\n".join([head, *(line + ",0.1" * len(added) for line in lines[1:])]))
    return folder / "a.csv"


def xml_with(folder: Path, added: dict[str, Any]) -> Path:
    text = write("metashape", PATH)[1].decode()
    more = "".join(f"<{key}>{value}</{key}>" for key, value in added.items())
    (folder / "a.xml").write_text(text.replace("</calibration>", f"{more}</calibration>", 1))
    return folder / "a.xml"

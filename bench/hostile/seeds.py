"""One small undamaged file for each reader of untrusted files, with the reader."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.hostile.seed_values import (
    COUNT,
    HEIGHT,
    WIDTH,
    MakeSeed,
    Seed,
    camera_path,
    colour,
    npz,
    picture,
    scene,
    seed_of_file,
    video,
    zip_files,
)  # fmt: skip
from camera import formats
from camera.formats.account import Account

# --- camera paths ----------------------------------------------------------------------------------------------------


def _path_file(file: Callable[[], tuple[str, bytes]]) -> MakeSeed:
    def make(folder: Path) -> Seed:
        name, data = file()
        return Seed(data, lambda copy: formats.read(name, copy, like=camera_path(), account=Account(name)))

    return make


def _written(name: str) -> MakeSeed:
    return _path_file(lambda: formats.write(name, camera_path()))


def _poses() -> NDArray[np.float64]:
    return camera_path().world_from_camera


def _paths() -> dict[str, MakeSeed]:
    names = [name for name, known in formats.FORMATS.items() if known.readable]
    lens = camera_path().intrinsics[0]
    return {f"path {name}": _written(name) for name in names} | {
        "path megasam": _path_file(lambda: ("scene.npz", npz(cam_c2w=_poses(), intrinsic=lens))),
        "path vipe": _path_file(lambda: ("pose.npz", npz(inds=np.arange(COUNT), data=_poses()))),
    }


# --- pictures, depth, clips ------------------------------------------------------------------------------------------


def _picture(kind: str, mode: str = "RGB") -> MakeSeed:
    from pipelines.media.image import read_picture

    return lambda folder: seed_of_file(folder, "picture", picture(kind, mode), read_picture)


def _depth(name: str, content: Callable[[], bytes]) -> MakeSeed:
    from pipelines.media.image import read_depth

    return lambda folder: seed_of_file(folder, name, content(), lambda file: read_depth(file, "metres"))


def _npy() -> bytes:
    stream = io.BytesIO()
    np.save(stream, scene().first.depth)
    return stream.getvalue()


def _deep_png() -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray((1000 * scene().first.depth).astype(np.uint16)).save(stream, "png")
    return stream.getvalue()


def _clip(kind: str, codec: str) -> MakeSeed:
    from pipelines.media.video import count_frames, probe, read_video

    def everything(file: Path) -> object:
        return probe(file), count_frames(file), read_video(file)

    return lambda folder: seed_of_file(folder, f"clip.{kind}", video(kind, codec), everything)


def _media() -> dict[str, MakeSeed]:
    kinds = {
        "png": "RGB",
        "jpeg": "RGB",
        "webp": "RGB",
        "avif": "RGB",
        "tiff": "RGB",
        "bmp": "RGB",
        "gif": "P",
        "ppm": "RGB",
    }
    return {
        **{f"picture {kind}": _picture(kind, mode) for kind, mode in kinds.items()},
        "picture grey and clear": _picture("png", "LA"),
        "depth png": _depth("depth.png", _deep_png),
        "depth npy": _depth("depth.npy", _npy),
        "depth exr": _depth("depth.exr", lambda: video("exr", "exr", "grayf32le")),
        "clip mp4": _clip("mp4", "libx264"),
        "clip webm": _clip("webm", "libvpx"),
        "clip avi": _clip("avi", "mpeg4"),
    }


# --- scenes ----------------------------------------------------------------------------------------------------------


def _material(name: str, content: Callable[[], bytes]) -> MakeSeed:
    from pipelines.inputs.open import read_material

    return lambda folder: seed_of_file(folder, name, content(), lambda file: read_material([file]))


def _pictures() -> dict[str, bytes]:
    return {f"{number}.png": picture("png", number=number) for number in range(COUNT)}


def _posed() -> bytes:
    transforms = json.loads(formats.write("nerfstudio", camera_path())[1])
    for number, frame in enumerate(transforms["frames"]):
        frame["file_path"] = f"{number}.png"
    return zip_files(_pictures() | {"transforms.json": json.dumps(transforms).encode()})


def _colmap() -> bytes:
    from pipelines.results.posed_folders import colmap_zip

    return colmap_zip(np.stack([colour(number) for number in range(COUNT)]), camera_path())


def _vipe() -> bytes:
    depths = {f"{number:05d}.exr": video("exr", "exr", "grayf32le") for number in range(COUNT)}
    lenses = np.tile([50.0, 51, WIDTH / 2, HEIGHT / 2], (COUNT, 1))
    return zip_files(
        {
            "rgb/walk.mp4": video(),
            "depth/walk.zip": zip_files(depths),
            "pose/walk.npz": npz(inds=np.arange(COUNT), data=camera_path().world_from_camera),
            "intrinsics/walk.npz": npz(inds=np.arange(COUNT), data=lenses),
        }
    )


def _posed_clip() -> bytes:
    depth = np.repeat(scene().first.depth[None], COUNT, axis=0).astype(np.float16)
    return zip_files(
        {
            "rgb.mp4": video(),
            "depth.npz": npz(depth=depth),
            "mask.npz": npz(mask=np.ones(depth.shape, bool)),
            "camera.npz": formats.write("gen3c_npz", camera_path())[1],
        }
    )


def _torch_scene() -> bytes:
    import torch

    rows = np.zeros((COUNT, 18), np.float32)
    rows[:, :4] = 0.5
    rows[:, 6:] = camera_path().camera_from_world[:, :3].reshape(COUNT, 12)
    pictures = [torch.frombuffer(bytearray(data), dtype=torch.uint8) for data in _pictures().values()]
    split = {"train_ids": torch.arange(3), "test_ids": torch.tensor([3])}
    stream = io.BytesIO()
    torch.save([{"images": pictures, "cameras": torch.from_numpy(rows), "train_test_split_3": split}], stream)
    return stream.getvalue()


def _scenes() -> dict[str, MakeSeed]:
    return {
        "views with transforms.json": _material("views.zip", _posed),
        "views with COLMAP": _material("colmap.zip", _colmap),
        "views of ViPE": _material("vipe.zip", _vipe),
        "posed clip": _material("clip.zip", _posed_clip),
        "views of ReconFusion": _material("scene.torch", _torch_scene),
    }


# --- objects and projects --------------------------------------------------------------------------------------------


def _box():
    import trimesh

    return trimesh.creation.box()


def _models(name: str, content: Callable[[], bytes]) -> MakeSeed:
    from camera.objects.model import read_models

    return lambda folder: Seed(content(), lambda copy: read_models({name: copy}))


def _exported(kind: str) -> Callable[[], bytes]:
    def make() -> bytes:
        data = _box().export(file_type=kind)
        return data.encode() if isinstance(data, str) else bytes(data)

    return make


def _painted_obj() -> bytes:
    obj = b"mtllib a.mtl\nusemtl a\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\nf 1/1 2/2 3/3\n"
    return zip_files({"a.obj": obj, "a.mtl": b"newmtl a\nKd 1 0 0\nmap_Kd a.png\n", "a.png": picture("png")})


def _objects(folder: Path) -> Seed:
    from camera.objects.archive import pack_objects, unpack_objects
    from camera.objects.model import read_model
    from camera.objects.scene import Placement, new_object

    model = read_model(_exported("glb")(), "box.glb")
    return Seed(pack_objects([new_object(model, Placement(0, 0, 1))]), unpack_objects)


def _project(folder: Path) -> Seed:
    from camera.objects.model import read_model
    from camera.objects.scene import Placement, new_object, stage_objects
    from pipelines.methods.i2v3d.scene.project import Project, pack, read_project

    stage = stage_objects(scene(), [new_object(read_model(_exported("glb")(), "box.glb"), Placement(0, 0, 1))])
    data = pack(Project(stage, camera_path(), keys=(camera_path(1),)))
    return Seed(data, lambda copy: read_project(io.BytesIO(copy), "project.zip"))


def _keyframes(folder: Path) -> Seed:
    from pipelines.methods.i2v3d.keyframes.files import pack, unpack

    data = pack(np.stack([colour(0), colour(1)]), [0, 3])
    return seed_of_file(folder, "keys.zip", data, lambda file: unpack(file, [0, 3], width=WIDTH, height=HEIGHT))


def _stages() -> dict[str, MakeSeed]:
    return {
        "model glb": _models("a.glb", _exported("glb")),
        "model obj": _models("a.obj", _exported("obj")),
        "model ply": _models("a.ply", _exported("ply")),
        "model obj in a zip": _models("a.zip", _painted_obj),
        "objects": _objects,
        "project": _project,
        "keyframes": _keyframes,
    }


# --- results, jobs, weights ------------------------------------------------------------------------------------------


def _result(name: str) -> MakeSeed:
    def make(folder: Path) -> Seed:
        import pipelines
        from pipelines.method import Clip
        from pipelines.results.embedded_scene import last_frame, read_embedded_scene, scene_to_embed
        from pipelines.results.record import record, restore, save
        from pipelines.shot import Shot

        method, clip = pipelines.method("gen3c"), Clip(np.stack([colour(i) for i in range(COUNT)]), 6.0, camera_path())
        about = record(Shot(method, scene(), clip.path, method.settings()))
        save(folder, "seed", clip, about, carries=scene_to_embed(clip, scene(), goes_on=True))

        def read(file: Path) -> object:
            return restore(file), (read_embedded_scene(file), last_frame(file)) if file.suffix == ".mp4" else None

        return seed_of_file(folder, f"copy{Path(name).suffix}", (folder / name).read_bytes(), read)

    return make


def _job(folder: Path) -> Seed:
    import pipelines
    from pipelines.runtime.job_file import read_job, write_job
    from pipelines.shot import Shot

    method = pipelines.method("gen3c")
    shot = Shot(method, scene(), camera_path(), method.settings())
    return Seed(write_job(io.BytesIO(), shot).getvalue(), lambda copy: read_job(io.BytesIO(copy)))


def _lora(folder: Path) -> Seed:
    import torch
    from safetensors.torch import save

    from pipelines.methods.dimensionx.loras.layouts import read_lora

    names = [f"transformer_blocks.0.attn1.to_{letter}" for letter in "qkv"]
    data = save({f"{name}.lora_{side}.weight": torch.ones(4, 4) for name in names for side in "AB"})
    return seed_of_file(folder, "own.safetensors", data, read_lora)


def _lora_pt(folder: Path) -> Seed:
    import torch

    from pipelines.methods.dimensionx.loras.layouts import read_lora

    stream = io.BytesIO()
    torch.save({f"transformer_blocks.0.attn1.to_q.lora_{side}.weight": torch.ones(4, 4) for side in "AB"}, stream)
    return seed_of_file(folder, "own.pt", stream.getvalue(), read_lora)


def _masks(folder: Path) -> Seed:
    from pipelines.reconstruct.object_mask import masks_of_files

    return seed_of_file(folder, "mask.png", picture("png"), lambda file: masks_of_files([file], 1, WIDTH, HEIGHT))


def _others() -> dict[str, MakeSeed]:
    return {
        "result mp4": _result("seed.mp4"),
        "result json": _result("seed.json"),
        "job": _job,
        "LoRA safetensors": _lora,
        "LoRA pt": _lora_pt,
        "masks": _masks,
    }


def _all(groups: Sequence[Callable[[], dict[str, MakeSeed]]]) -> dict[str, MakeSeed]:
    return {name: make for group in groups for name, make in group().items()}


SEEDS: dict[str, MakeSeed] = _all((_paths, _media, _scenes, _stages, _others))
"""Functions that make a reader's seed in a given folder, by what is read."""

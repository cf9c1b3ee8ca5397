"""Training on tiny data: how clips are defined, what is trained, that it learns, and that its result can be used."""

import json
import shutil
import sys
from itertools import islice

import cv2
import numpy as np
import pytest
import torch

from camera.errors import InputError
from camera.path import CameraPath
from pipelines.media.video import read_video, write_mp4
from pipelines.methods.dualcamctrl import cameras
from pipelines.methods.dualcamctrl.network import convert, load
from pipelines.methods.dualcamctrl.network.transformer import DualCamCtrlTransformer
from pipelines.methods.dualcamctrl.training.data import (
    ClipOrder,
    ClipShape,
    RealEstateClips,
    path_from_rows,
    pick_frames,
)
from pipelines.methods.dualcamctrl.training.train import (
    LEARNING_RATES,
    SAMPLE,
    SAMPLE_DEPTH,
    STATE,
    TrainSettings,
    main,
    select_trainable,
    start_from,
    train,
)
from pipelines.weights.checkpoints import build_random
from pipelines.weights.hub import Weights

from .conftest import GOLDEN, golden_file

SHAPE = ClipShape(frames=5, width=48, height=32, stride=8)
SETTINGS = TrainSettings(
    frames=5, width=48, height=32, updates=2, accumulate=2, workers=0, learning_rate=1e-3, save_every=1000
)


@pytest.fixture(scope="module")
def golden():
    return golden_file("cameras")


@pytest.fixture(scope="module")
def data(tmp_path_factory, golden):
    """Two scenes in the authors' layout, made from the golden cameras; frame i of a scene has the value 3i."""
    folder = tmp_path_factory.mktemp("data")
    records = []
    for key in ("short", "wide"):
        rows = golden[f"train.{key}.cameras"]
        height, width = golden[f"train.{key}.size_h_w_orih_oriw"][2:].tolist()
        pictures = [np.full((height, width, 3), 3 * i, np.uint8) for i in range(len(rows))]
        encoded = [torch.from_numpy(cv2.imencode(".jpg", picture)[1].flatten()) for picture in pictures]
        (folder / "train_scenes").mkdir(exist_ok=True)
        torch.save({"cameras": rows, "images": encoded, "url": "none"}, folder / "train_scenes" / f"{key}.torch")
        depth = folder / "train_video_depth_maps" / key
        depth.mkdir(parents=True)
        write_mp4(depth / "depth_vitl_fp16.mp4", pictures, 10)
        captions = folder / "train_captions" / key
        captions.mkdir(parents=True)
        sentences = {str(i): f"An image of room {i}" for i in (0, 60)}
        (captions / "captions.json").write_text(json.dumps(sentences))
        records.append({"key": key, "path": f"{key}.torch", "frame": len(rows), "height": height, "width": width})
    (folder / "train_meta.json").write_text(json.dumps(records))
    return folder


@pytest.mark.parametrize("case", ["short", "wide"])
def test_frames_are_picked_as_upstream_does(golden, case):
    stride, frames = golden[f"train.{case}.stride_nframes"].tolist()
    picked = pick_frames(len(golden[f"train.{case}.cameras"]), frames, stride=stride)
    assert (3 * picked).tolist() == golden[f"train.{case}.grey_levels_of_picked_frames"].tolist()


def test_a_clip_too_short_is_refused():
    with pytest.raises(InputError, match="too short"):
        pick_frames(4, 5)


def test_a_clip_holds_pictures_depth_rays_and_words(data, golden):
    clip = RealEstateClips(data, split="train", shape=SHAPE)[0]
    levels = golden["train.short.grey_levels_of_picked_frames"] / 127.5 - 1
    for name in ("rgb", "depth"):
        assert clip[name].shape == (3, 5, 32, 48)
        torch.testing.assert_close(clip[name].mean(dim=(0, 2, 3)), levels, atol=0.04, rtol=0)
    path = path_from_rows(golden["train.short.cameras"].numpy()[pick_frames(30, 5)], 48, 32)
    assert isinstance(path, CameraPath)
    height, width = golden["train.short.size_h_w_orih_oriw"][2:].tolist()
    expected = cameras.pack_rays(cameras.rays(cameras.network_path(path, source_aspect=width / height)))
    np.testing.assert_array_equal(clip["camera"].numpy(), expected)


def test_the_source_s_size_is_the_meta_file_s_also_where_pixels_are_not_square(data, golden, tmp_path):
    for part in data.iterdir():
        (tmp_path / part.name).symlink_to(part) if part.is_dir() else None
    records = json.loads((data / "train_meta.json").read_text())
    records[0]["width"] *= 2
    (tmp_path / "train_meta.json").write_text(json.dumps(records))
    told = RealEstateClips(tmp_path, split="train", shape=SHAPE)[0]["camera"].numpy()
    rows = golden["train.short.cameras"].numpy()[pick_frames(30, 5)]
    height, width = golden["train.short.size_h_w_orih_oriw"][2:].tolist()
    fx = (
        float(rows[0, 0]) * 32 * (2 * width / height)
    )  # upstream's rule: as if 32 rows of the source's shape were cropped
    lens = cameras.network_path(path_from_rows(rows, 48, 32), source_aspect=2 * width / height).intrinsics[0]
    assert lens[0, 0] == pytest.approx(fx) and lens[1, 1] == pytest.approx(float(rows[0, 1]) * 32)
    assert not np.allclose(told, RealEstateClips(data, split="train", shape=SHAPE)[0]["camera"].numpy())
    records[0]["width"] = "wide"
    (tmp_path / "train_meta.json").write_text(json.dumps(records))
    with pytest.raises(InputError, match=r"a width and a height in pixels, got \['wide'"):
        RealEstateClips(tmp_path, split="train", shape=SHAPE)


def test_words_are_those_of_the_original(data):
    shapes = (ClipShape(frames=9, width=48, height=32), SHAPE)
    words = [RealEstateClips(data, split="train", shape=shape)[1 - i]["caption"] for i, shape in enumerate(shapes)]
    assert words == json.loads((GOLDEN / "cameras_meta.json").read_text())["train_prompt_example"]


def test_training_clips_start_anywhere_but_reproducibly(data):
    clips = RealEstateClips(data, split="train", shape=SHAPE, seed=3)
    first, again = clips[1]["rgb"], clips[1]["rgb"]
    assert torch.equal(first, again)
    assert not torch.equal(clips[3]["rgb"], first) and clips[3]["caption"].split()[:3] == ["An", "video", "of"]


def test_every_round_shows_every_clip_in_its_own_order_from_wherever_it_begins():
    numbers = list(islice(ClipOrder(5, seed=1), 15))
    rounds = [[number % 5 for number in numbers[i : i + 5]] for i in (0, 5, 10)]
    assert all(sorted(order) == list(range(5)) for order in rounds) and rounds[0] != rounds[1]
    assert [number // 5 for number in numbers] == [0] * 5 + [1] * 5 + [2] * 5
    assert list(islice(ClipOrder(5, seed=1, done=7), 8)) == numbers[7:]
    assert list(islice(ClipOrder(5, seed=2), 5)) != numbers[:5]


@pytest.mark.parametrize(
    ("file", "words"), [("train_meta.json", "train_meta"), ("train_scenes/wide.torch", "wide.torch")]
)
def test_damaged_data_is_named(data, tmp_path, file, words):
    folder = tmp_path / "damaged"
    shutil.copytree(data, folder)
    (folder / file).write_bytes(b"{]")
    with pytest.raises(InputError, match=words):
        _ = RealEstateClips(folder, split="train", shape=SHAPE)[1]


def test_what_each_stage_trains():
    transformer = build_random(DualCamCtrlTransformer, load.TINY[DualCamCtrlTransformer], seed=0, dtype=torch.float32)
    trained = {}
    for stage in LEARNING_RATES:
        select_trainable(transformer, stage)
        trained[stage] = {name for name, parameter in transformer.named_parameters() if parameter.requires_grad}
    assert all(".rgb." in name or ".depth." in name for name in trained["decoupled"])
    assert {name.split(".")[2] for name in trained["fusion"] - trained["decoupled"]} == {"rgb_to_depth", "depth_to_rgb"}
    assert not any(name.startswith(("patch", "condition", "camera", "proj_out", "scale")) for name in trained["fusion"])


@pytest.mark.parametrize("mode", ["picture", "text"])
def test_updates_change_what_is_trained_and_nothing_else(data, tmp_path, mode):
    weights = Weights(mode="tiny", seed=1, folder=None)
    settings = TrainSettings.of(SETTINGS.values() | {"mode": mode})
    updates = list(train(data, tmp_path, settings=settings, weights=weights))
    assert [update.number for update in updates] == [1, 2] and all(np.isfinite(u.total) for u in updates)
    assert updates[-1].saved == tmp_path / "update-000002" and [p.name for p in tmp_path.iterdir()] == ["update-000002"]
    before, after = start_from(weights, None, "fusion"), convert.load_folder(updates[-1].saved, dtype=torch.float32)
    changed = {name for name, value in after.state_dict().items() if not torch.equal(value, before.state_dict()[name])}
    assert any(".depth_to_rgb." in name for name in changed) and any(".rgb." in name for name in changed)
    assert all(name.startswith("blocks.") for name in changed)


def test_it_learns(data, tmp_path):
    """One scene, repeated at many noise levels: the mean loss falls."""
    settings = TrainSettings.of(SETTINGS.values() | {"updates": 18, "accumulate": 1, "learning_rate": 1e-2})
    weights = Weights(mode="tiny", seed=1, folder=None)
    losses = [update.rgb for update in train(data, tmp_path, settings=settings, weights=weights)]
    assert np.mean(losses[-6:]) < 0.9 * np.mean(losses[:6])


def test_a_continued_training_equals_one_in_a_single_piece(data, tmp_path):
    """Interrupted during the warmup and within a pass over the two clips, with several clips per update."""
    weights, longer = Weights(mode="tiny", seed=1, folder=None), {"updates": 2, "accumulate": 3, "save_every": 1}
    settings = TrainSettings.of(SETTINGS.values() | longer)
    whole = list(train(data, tmp_path / "whole", settings=settings, weights=weights))
    sampled = TrainSettings.of(settings.values() | {"sample_steps": 1})
    broken = train(data, tmp_path / "broken", settings=sampled, weights=weights)
    first = next(broken)
    assert (first.saved / SAMPLE).is_file(), "and a sample changes nothing that comes after"
    broken.close()
    rest = list(train(data, tmp_path / "broken", settings=settings, weights=weights))
    assert [update.number for update in rest] == [2]
    assert [update.total for update in (first, *rest)] == [update.total for update in whole]
    ends = [convert.load_folder(updates[-1].saved, dtype=torch.float32).state_dict() for updates in (whole, rest)]
    assert all(torch.equal(value, ends[1][name]) for name, value in ends[0].items())
    assert list(train(data, tmp_path / "broken", settings=settings, weights=weights)) == [], "it was at its end"


def test_another_training_in_the_same_folder_is_refused_and_a_damaged_state_named(data, tmp_path):
    weights = Weights(mode="tiny", seed=1, folder=None)
    settings = TrainSettings.of(SETTINGS.values() | {"updates": 1, "accumulate": 1})
    (update,) = train(data, tmp_path, settings=settings, weights=weights)
    with pytest.raises(InputError, match="contains a training with seed 42, not 7; resume it with the same settings"):
        next(train(data, tmp_path, settings=TrainSettings.of(settings.values() | {"seed": 7}), weights=weights))
    (update.saved / STATE).write_bytes(b"half")
    with pytest.raises(InputError, match="cannot be read; remove update-000001"):
        next(train(data, tmp_path, settings=settings, weights=weights))
    (update.saved / STATE).unlink()
    with pytest.raises(InputError, match=r"without its optimiser.* start again from it with --start .*update-000001"):
        next(train(data, tmp_path, settings=settings, weights=weights))
    assert (update.saved / "config.json").is_file(), "nothing is written over"


def test_stage_fusion_needs_a_start():
    with pytest.raises(InputError, match="--start"):
        start_from(Weights(mode="real", folder=None), None, "fusion")


def test_stage_fusion_continues_from_a_folder(data, tmp_path):
    weights = Weights(mode="tiny", seed=1, folder=None)
    settings = TrainSettings.of(SETTINGS.values() | {"updates": 1, "accumulate": 1})
    (first,) = train(
        data, tmp_path / "one", settings=TrainSettings.of(settings.values() | {"stage": "decoupled"}), weights=weights
    )
    (second,) = train(data, tmp_path / "two", settings=settings, weights=weights, start=first.saved)
    assert second.saved is not None and second.saved.is_dir()


def test_wrong_sizes_are_refused(data, tmp_path):
    settings = TrainSettings.of(SETTINGS.values() | {"frames": 6})
    with pytest.raises(InputError, match="4k"):
        next(train(data, tmp_path, settings=settings, weights=Weights(mode="tiny", folder=None)))


def test_the_command_line(data, tmp_path, monkeypatch, capsys):
    options = (
        f"--data {data} --out {tmp_path} --weights tiny --frames 5 --width 48 --height 32 --updates 1 --accumulate 1"
    )
    monkeypatch.setattr(sys, "argv", ["train", *options.split(), "--workers", "0", "--sample-steps", "2"])
    main()
    assert capsys.readouterr().out.startswith("1: loss ")
    assert (tmp_path / "update-000001" / "config.json").is_file()
    for name in (SAMPLE, SAMPLE_DEPTH):
        frames, _ = read_video(tmp_path / "update-000001" / name)
        assert frames.shape == (5, 32, 48, 3) and frames.std() > 1
    main()
    assert "contains a training of 1 updates; request more" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["train", *options.split(), "--frames", "6"])
    with pytest.raises(SystemExit, match="4k"):
        main()

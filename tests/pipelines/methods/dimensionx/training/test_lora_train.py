"""A tiny training run: it learns, resumes exactly, and its LoRA works in the app at once."""

from __future__ import annotations

import shutil
import sys
from itertools import islice

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from camera.errors import InputError
from camera.path import pinhole
from camera.view import Scene, View
from pipelines.media.video import read_video, write_mp4
from pipelines.method import Clip, Progress
from pipelines.methods.dimensionx.loras.layouts import read_lora
from pipelines.methods.dimensionx.method import METHOD, DimensionXMoves, DimensionXSettings
from pipelines.methods.dimensionx.pipeline import load
from pipelines.methods.dimensionx.training.data import camera_speed, find_clips, read_clip, with_camera
from pipelines.methods.dimensionx.training.loss import velocity_loss
from pipelines.methods.dimensionx.training.settings import TrainSettings
from pipelines.methods.dimensionx.training.train import STATE, Trainer, main, train
from pipelines.training import Sample, TrainedWeights, TrainingStep
from pipelines.weights.hub import Weights


def texture(seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 255, (16, 24, 3)).astype(np.uint8)
    return np.repeat(np.repeat(noise, 12, axis=0), 12, axis=1)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Two clips of nine frames: a window sliding over a texture, and a still window in which a square moves."""
    folder = tmp_path_factory.mktemp("clips")
    wide = texture(0)
    write_mp4(folder / "slide.mp4", [wide[40:104, 40 + 4 * i : 136 + 4 * i] for i in range(9)], 8)
    still = [texture(1)[:64, :96].copy() for _ in range(9)]
    for i, frame in enumerate(still):
        frame[20:36, 8 * i : 8 * i + 16] = 255
    write_mp4(folder / "still.mp4", still, 8)
    (folder / "slide.txt").write_text("a wall of tiles")
    (folder / "still.txt").write_text("a white square on tiles")
    return folder


def settings(clips, output, **changes) -> TrainSettings:
    given = {
        "data": str(clips), "output": str(output), "name": "orbit_left", "steps": 4, "rank": 4, "accumulation": 1,
        "batch": 2, "frames": 9, "save_every": 100, "sample_every": 0, "checkpointing": False,
    }  # fmt: skip
    return TrainSettings(**{**given, **changes})


def run(given: TrainSettings) -> tuple[TrainedWeights, list[Progress | Sample]]:
    *progress, trained = train(given, Weights("tiny"))
    assert isinstance(trained, TrainedWeights)
    return trained, progress


def test_it_learns(clips, tmp_path):
    from accelerate import Accelerator

    given = settings(clips, tmp_path, peak_rate=0.3, steps=150)
    trainer = Trainer(given, Weights("tiny"), find_clips(clips), Accelerator(cpu=True))

    def loss() -> float:
        with torch.no_grad():
            return float(
                np.mean([velocity_loss(trainer.network, *trainer.batch(10_000 + i, 0)).mean() for i in range(8)])
            )

    before = loss()
    for step in range(101, 131):  # after the warmup
        trainer.update(step)
    after = loss()
    assert after < 0.8 * before


def losses(progress) -> dict[int, float]:
    return {event.step: event.loss for event in progress if isinstance(event, TrainingStep)}


def same(one, other) -> bool:
    one, other = load_file(one), load_file(other)
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_a_continued_training_is_the_same_as_one_in_a_single_piece(clips, tmp_path):
    whole, progress = run(settings(clips, tmp_path / "whole"))
    wanted = losses(progress)
    assert list(wanted) == [1, 2, 3, 4] and progress[-1].note.startswith("loss ")
    pieces = settings(clips, tmp_path / "pieces", save_every=2)
    stopped = train(pieces, Weights("tiny"))
    made = losses(islice(stopped, 4))
    saved = (tmp_path / "pieces" / STATE).read_bytes()
    stopped.close()
    (tmp_path / "pieces" / STATE).write_bytes(saved)  # as after a power failure in the third step
    continued, progress = run(pieces)
    assert losses(progress) == {3: wanted[3], 4: wanted[4]} and made == {step: wanted[step] for step in (1, 2, 3)}
    assert same(whole.file, continued.file) and same(whole.further[0], continued.further[0])
    assert {path.name for path in (tmp_path / "pieces").iterdir()} == {
        "training.pt",
        "orbit_left_lora_weights.safetensors",
        "orbit_left_lora_weights_ema.safetensors",
        *(f"orbit_left_lora_weights_00000{step}.safetensors" for step in (2, 3, 4)),
    }


def test_a_cancelled_training_goes_on_with_its_next_step(clips, tmp_path):
    wanted = losses(run(settings(clips, tmp_path / "whole"))[1])
    given = settings(clips, tmp_path / "cancelled", sample_every=2, sample_steps=2)
    stopped = train(given, Weights("tiny"))
    while next(stopped).phase != "Sampling":
        pass
    stopped.close()
    trained, progress = run(given)
    assert losses(progress) == {3: wanted[3], 4: wanted[4]}
    again, progress = run(given)
    assert losses(progress) == {} and again == trained


def test_a_name_is_part_of_a_file_name(clips, tmp_path):
    with pytest.raises(InputError, match="letters, digits"):
        run(settings(clips, tmp_path, name="../outside"))


def test_another_training_in_the_same_folder_is_refused(clips, tmp_path):
    run(settings(clips, tmp_path, steps=1))
    with pytest.raises(InputError, match="contains a training with rank 4, not 8"):
        run(settings(clips, tmp_path, steps=1, rank=8))


def test_the_result_is_a_director_of_the_app(clips, tmp_path):
    trained, progress = run(settings(clips, tmp_path, steps=2, sample_every=2, sample_steps=2, peak_rate=1.0))
    (sample,) = [event for event in progress if isinstance(event, Sample)]
    assert sample == Sample(tmp_path / "samples" / "step-000002.mp4", 2)
    frames, fps = read_video(sample.file)
    assert frames.shape == (9, 64, 96, 3) and fps == 8
    lora = read_lora(trained.file)
    assert (lora.rank, lora.alpha, len(lora.tensors)) == (4, 1.0, 16)
    view = View.of(texture(2)[:64, :96], np.full((64, 96), 3.0, np.float32), pinhole(96, 64, 60))
    scene, pipeline = Scene((view,)), load(Weights("tiny"))
    path = METHOD.path(DimensionXMoves(frames=9), scene)
    made = {}
    for name, file, strength in (("own", str(trained.file), 1.0), ("none", str(trained.file), 0.0)):
        given = DimensionXSettings(steps=1, lora_file=file, strength=strength)
        made[name] = [event for event in pipeline(scene, path, given) if isinstance(event, Clip)][-1].frames
    assert made["own"].shape == made["none"].shape and not np.array_equal(made["own"], made["none"])


def test_one_command(clips, tmp_path, monkeypatch, capsys):
    command = ["train", "--weights", "tiny", "--data", str(clips), "--steps", "1", "--frames", "9", "--rank", "2"]
    command += ["--accumulation", "1", "--sample-every", "0", "--output"]
    monkeypatch.setattr(sys, "argv", [*command, str(tmp_path / "out")])
    main()
    assert "Training 1/1 loss" in capsys.readouterr().out
    assert (tmp_path / "out" / "director_lora_weights.safetensors").is_file()
    monkeypatch.setattr(sys, "argv", [*command, str(tmp_path), "--data", str(tmp_path / "nowhere")])
    with pytest.raises(SystemExit, match="neither a folder of videos nor a CSV"):
        main()


def test_clips_are_sorted_by_their_camera(clips):
    found = find_clips(clips)
    assert [clip.video.stem for clip in with_camera(found, "moving")] == ["slide"]
    assert [clip.video.stem for clip in with_camera(found, "still")] == ["still"]
    assert camera_speed(read_video(clips / "slide.mp4")[0]) == pytest.approx(100 * 4 / 96, rel=0.1)


def test_a_csv_names_its_clips(clips, tmp_path):
    shutil.copy(clips / "slide.mp4", tmp_path)
    table = tmp_path / "clips.csv"
    table.write_text('video,caption\nslide.mp4,"tiles, many of them"\n')
    assert find_clips(table)[0].caption == "tiles, many of them"
    assert read_clip(tmp_path / "slide.mp4", frames=13, width=48, height=32).shape == (3, 13, 32, 48)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("slide.mp4\n", "Row 2 of clips.csv has 1 columns"),
        ("gone.mp4,words\n", "Row 2 of clips.csv names 'gone.mp4'"),
        ("", "contains no clips"),
        ("a.mp4,words,more\n", "Row 2 of clips.csv has 3 columns"),
        (f"{'a' * 5000}.mp4,words\n", "Row 2 of clips.csv names 'aaaa"),
        ("a\0.mp4,words\n", "Row 2 of clips.csv names|is damaged"),
        ("..,words\n", "Row 2 of clips.csv names '..'"),
        (f'"{"a" * 200_000}",words\n', "clips.csv is damaged: a line is incomplete"),
        ("\udcff.mp4,words\n", "it is not text; save it again as CSV in UTF-8"),
    ],
)
def test_wrong_tables_are_refused_by_row(tmp_path, rows, message):
    table = tmp_path / "clips.csv"
    table.write_bytes(("video,caption\n" + rows).encode(errors="surrogateescape"))
    with pytest.raises(InputError, match=message):
        find_clips(table)


def test_missing_captions_and_clips_are_named(tmp_path):
    write_mp4(tmp_path / "a.mp4", texture(0)[None, :32, :32].repeat(6, axis=0), 8)
    with pytest.raises(InputError, match=r"a\.mp4 has no caption; put a file a\.txt"):
        find_clips(tmp_path)
    (tmp_path / "a.txt").write_bytes(b"caf\xe9")
    with pytest.raises(InputError, match=r"a\.txt is not text; save it as plain text in UTF-8"):
        find_clips(tmp_path)
    (tmp_path / "a.txt").write_text("\ufeffa street ")
    assert find_clips(tmp_path)[0].caption == "a street"
    with pytest.raises(InputError, match="at least five"):
        write_mp4(tmp_path / "b.mp4", texture(0)[None, :32, :32].repeat(2, axis=0), 8)
        read_clip(tmp_path / "b.mp4", frames=9, width=32, height=32)

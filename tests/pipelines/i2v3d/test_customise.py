"""Phase 1 against the original training: pictures, losses, gradients, two steps, the file; and whole small trainings."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from camera.errors import InputError
from pipelines import method
from pipelines.bench import default_shot
from pipelines.checkpoints import unfilled
from pipelines.i2v3d import customise
from pipelines.i2v3d.customise import Batch, losses, predict, train
from pipelines.i2v3d.keyframes import Schedule, Words
from pipelines.i2v3d.method import I2V3DSettings
from pipelines.i2v3d.networks import FULL, load_keyframe_networks
from pipelines.i2v3d.subject import read_subject
from pipelines.i2v3d.subject_settings import SubjectSettings
from pipelines.i2v3d.training_pictures import Views, instance, rendered_views, view, view_mask
from pipelines.method import Progress
from pipelines.runtime.weights import Weights
from pipelines.training import Learnt, Trained
from tests.pipelines.i2v3d.conftest import GOLDEN, difference, draw, network, packed_json


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "p1_loss.npz") as file:
        return {key: file[key] for key in file.files}


def test_pictures_views_and_masks_are_those_of_the_original_data_set(golden):
    for number in range(3):
        case = {key.split("/")[1]: value for key, value in golden.items() if key.startswith(f"ds{number}/")}
        top, left = case["crop_top_left"].tolist()
        ours = instance(golden["instance_image"], 64, mirrored=bool(case["flip"]), top=top, left=left)
        assert difference(ours, torch.from_numpy(case["instance"])) < 1e-6
        index = int(case["class_index"])
        assert difference(view(golden["class_images"][index], 64), torch.from_numpy(case["class"])) < 1e-6
        mask = view_mask(golden["class_masks"][index], 64)
        assert torch.equal(mask, torch.from_numpy(case["mask"]) > 0)


def test_two_steps_have_the_original_losses_gradients_and_file(golden):
    unet = network("sdxl_unet")
    matrices = customise.add_subject_adapter(unet, rank=2, seed=0)
    names = [name for name, parameter in unet.named_parameters() if parameter.requires_grad]
    keys = [name.replace(f".{customise.ADAPTER}", "") for name in names]
    for key, matrix in zip(keys, matrices):
        values = draw(f"lora/{key}", tuple(matrix.shape))
        matrix.data = torch.from_numpy(values / 2 if ".lora_A." in key else values * np.float32(0.05))
    optimiser = customise.optimiser_of(matrices, 1e-4)
    unet.train()
    for step in ("s0", "s1"):
        given = {key.split("/")[1]: value for key, value in golden.items() if key.startswith(f"{step}/")}
        tensor = {key: torch.from_numpy(value) for key, value in given.items() if value.dtype.kind != "U"}
        text = Words(tensor["prompt_embeds"], tensor["pooled"])
        noisy, noise, times = tensor["noisy_latents"], tensor["noise"], tensor["timesteps"]
        batch = Batch(noisy, noise, times, text, tensor["time_ids"], tensor["prior_mask"])
        predicted = predict(unet, batch)
        assert difference(predicted, tensor["model_pred"]) < 1e-4
        of_picture, of_view = losses(predicted, batch)
        assert of_picture.item() == pytest.approx(float(given["loss_instance"]), rel=1e-5)
        assert of_view.item() == pytest.approx(float(given["loss_prior"]), rel=1e-5)
        (of_picture + of_view).backward()
        by_key = dict(zip(keys, matrices))
        for number, key in enumerate(given["grad_keys"]):
            assert difference(by_key[str(key)].grad, tensor[f"grad_{number}"]) < 1e-3, key
        norm = torch.nn.utils.clip_grad_norm_(matrices, customise.CLIP)
        assert float(norm) == pytest.approx(float(given["grad_norm_before_clip"]), rel=1e-4)
        optimiser.step()
        optimiser.zero_grad()
    state = customise.subject_state(unet)
    expected = packed_json("p1_tiny_lora_keys")["keys"]
    assert {key: list(value.shape) for key, value in state.items()} == expected
    for number, key in enumerate(golden["final_keys"]):
        assert difference(state[str(key)], torch.from_numpy(golden[f"final_{number}"])) < 1e-3, key


def test_the_full_size_file_has_exactly_upstream_s_tensors():
    kind = next(kind for kind in FULL if kind.__name__ == "UNet2DConditionModel")
    unet = unfilled(lambda: kind(**FULL[kind]))
    config = customise.LoraConfig(r=32, lora_alpha=32, init_lora_weights=False, target_modules=list(customise.TARGETS))
    unet.add_adapter(config, adapter_name=customise.ADAPTER)
    shapes = {}
    for name, value in unet.named_parameters():
        if customise.ADAPTER in name:
            key = name.replace(f".{customise.ADAPTER}", "")
            old = key.replace(".lora_A.", ".lora.down.").replace(".lora_B.", ".lora.up.")
            shapes["unet." + (key if ".ff." in key else old)] = list(value.shape)
    assert shapes == packed_json("lora_sdxl_rank32_keys")["keys"]


def test_upstream_s_file_is_read_whole(sdxl):
    state = read_subject(GOLDEN / "p1_tiny_lora_fp16.safetensors", sdxl["sdxl_unet"])
    assert len(state) == len(packed_json("p1_tiny_lora_keys")["keys"])
    assert all(key.endswith((".lora_A.weight", ".lora_B.weight")) for key in state)


def test_kohya_s_layout_has_its_names_and_its_alpha_counts(sdxl, tmp_path):
    unet = sdxl["sdxl_unet"]
    ours = read_subject(GOLDEN / "p1_tiny_lora_fp16.safetensors", unet)
    made = customise.kohya_state(ours)
    module = "lora_unet_up_blocks_0_attentions_0_transformer_blocks_0_attn1_to_out_0"
    assert {f"{module}.{part}" for part in ("lora_down.weight", "lora_up.weight", "alpha")} <= made.keys()
    rank = len(made[f"{module}.lora_down.weight"])
    assert float(made[f"{module}.alpha"]) == rank
    made[f"{module}.alpha"] /= 2
    customise.save_subject(tmp_path / "kohya.safetensors", made)
    back = read_subject(tmp_path / "kohya.safetensors", unet)
    halved = "up_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0.lora_B.weight"
    assert back.keys() == ours.keys() and torch.allclose(back[halved], ours[halved] / 2)
    assert all(torch.equal(back[key], ours[key]) for key in ours if key != halved)
    customise.save_subject(tmp_path / "text.safetensors", made | {"lora_te1_text_model.alpha": torch.ones(())})
    with pytest.raises(InputError, match="UNet alone"):
        read_subject(tmp_path / "text.safetensors", unet)


def test_snr_weights_are_one_in_noise_and_less_without():
    weights = customise.snr_weights(torch.tensor([0, 500, 999]), 5.0)
    signal = Schedule(1).signal
    assert float(weights[0]) == pytest.approx(5 * float((1 - signal[0]) / signal[0]), rel=1e-4)
    assert weights[1] == weights[2] == 1


@pytest.fixture(scope="module")
def scene():
    return default_shot(method("i2v3d"), size="128x72")[0]


def settings(**changed) -> SubjectSettings:
    options = {"prompt": "A sks toy.", "rank": 2, "steps": 2, "save_every": 1, "resolution": 64}
    return SubjectSettings(**options | changed)


def test_a_training_goes_on_where_it_stopped_and_leaves_the_network_clean(scene, tmp_path):
    weights, views = Weights("tiny"), rendered_views(scene, I2V3DSettings(), 64)
    *steps, whole = train(scene.first.colour, views, settings(), weights, tmp_path / "whole")
    assert isinstance(whole, Trained) and [step.step for step in steps] == [0, 1, 2]
    run = train(scene.first.colour, views, settings(), weights, tmp_path / "parts")
    assert next(event for event in run if isinstance(event, Progress) and event.step == 1)
    run.close()
    *_, parts = train(scene.first.colour, views, settings(), weights, tmp_path / "parts")
    ours, theirs = load_file(whole.file), load_file(parts.file)
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert any(value.abs().sum() > 0 for key, value in ours.items() if key.endswith(("up.weight", "lora_B.weight")))
    with pytest.raises(InputError, match="holds a training with rank 2"):
        list(train(scene.first.colour, views, settings(rank=3), weights, tmp_path / "parts"))


def test_samples_come_when_they_are_due_and_change_nothing(scene, tmp_path):
    weights = Weights("tiny")
    files = {}
    for every in (0, 2):
        chosen = settings(steps=3, sample_every=every, view_weight=0.0)
        *steps, done = train(scene.first.colour, None, chosen, weights, tmp_path / str(every))
        samples = {step.step: step.preview for step in steps if isinstance(step, Learnt) and step.preview is not None}
        assert [*samples] == ([2, 3] if every else []) and all(s.shape == (64, 64, 3) for s in samples.values())
        files[every] = load_file(done.file)
    assert all(torch.equal(files[0][key], files[2][key]) for key in files[0])
    assert not np.array_equal(samples[2], samples[3])


def test_every_option_trains(scene, tmp_path):
    options = {"dora": True, "snr_gamma": 5.0, "centre_crop": True, "mirror": False, "checkpointing": True, "steps": 1,
               "kohya": True}  # fmt: skip
    *_, done = train(scene.first.colour, None, settings(view_weight=0.0, **options), Weights("tiny"), tmp_path)
    unet = load_keyframe_networks(Weights("tiny")).unet
    ours, kohya = read_subject(done.file, unet), read_subject(done.further[0], unet)
    assert done.loss > 0 and len(ours) == 3 * 700  # with DoRA's magnitudes
    assert ours.keys() == kohya.keys() and all(torch.equal(ours[key], kohya[key]) for key in ours)


def test_what_cannot_be_trained_is_refused(scene, tmp_path):
    picture = scene.first.colour
    for wrong, words in (
        ({"prompt": " "}, "rare word"),
        ({}, "needs them"),
        ({"eight_bit": True, "view_weight": 0.0}, "bitsandbytes"),
        ({"view_weight": 0.0, "resolution": 512}, "too small"),
    ):
        with pytest.raises(InputError, match=words):
            next(train(picture, None, settings(**wrong), Weights("tiny"), tmp_path))
    with pytest.raises(InputError, match="square"):
        Views(np.zeros((1, 8, 9, 3), np.uint8), np.zeros((1, 8, 9), np.uint8))
    with pytest.raises(InputError, match="no foreground"):
        rendered_views(scene, I2V3DSettings(foreground="nothing"), 64)

"""Phase 1 against the original training: pictures, losses, gradients, two steps, the file; and complete small training runs."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, StableDiffusionXLPipeline
from diffusers.hooks.layerwise_casting import apply_layerwise_casting
from diffusers.utils import (
    convert_all_state_dict_to_peft,
    convert_state_dict_to_diffusers,
    convert_state_dict_to_kohya,
    convert_unet_state_dict_to_peft,
)
from peft import LoraConfig, get_peft_model_state_dict, inject_adapter_in_model
from safetensors.torch import load_file

from camera.errors import InputError
from camera.formats.account import Account
from pipelines import method
from pipelines.cli.bench import default_shot
from pipelines.method import Progress
from pipelines.methods.i2v3d.keyframes import prompts
from pipelines.methods.i2v3d.keyframes.sampling import PromptEmbeddings, Schedule
from pipelines.methods.i2v3d.load import FULL, load_keyframe_networks
from pipelines.methods.i2v3d.method import I2V3DSettings
from pipelines.methods.i2v3d.subject import adapter
from pipelines.methods.i2v3d.subject import train as customise
from pipelines.methods.i2v3d.subject.data import Views, instance, render_views, view, view_mask
from pipelines.methods.i2v3d.subject.lora import attach_lora, detach_lora, read_subject
from pipelines.methods.i2v3d.subject.settings import SubjectSettings
from pipelines.methods.i2v3d.subject.train import Batch, losses, predict, train
from pipelines.training import TrainedWeights, TrainingStep
from pipelines.weights.checkpoints import on_meta_device
from pipelines.weights.hub import Weights
from tests.pipelines.methods.i2v3d.conftest import GOLDEN, difference, draw, network, packed_json


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
    matrices = adapter.add_subject_adapter(unet, rank=2, seed=0)
    names = [name for name, parameter in unet.named_parameters() if parameter.requires_grad]
    keys = [name.replace(f".{adapter.ADAPTER}", "") for name in names]
    for key, matrix in zip(keys, matrices):
        values = draw(f"lora/{key}", tuple(matrix.shape))
        matrix.data = torch.from_numpy(values / 2 if ".lora_A." in key else values * np.float32(0.05))
    optimiser = customise.optimiser_of(matrices, 1e-4)
    unet.train()
    for step in ("s0", "s1"):
        given = {key.split("/")[1]: value for key, value in golden.items() if key.startswith(f"{step}/")}
        tensor = {key: torch.from_numpy(value) for key, value in given.items() if value.dtype.kind != "U"}
        text = PromptEmbeddings(tensor["prompt_embeds"], tensor["pooled"])
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
    state = adapter.subject_state({"unet": unet})
    expected = packed_json("p1_tiny_lora_keys")["keys"]
    assert {key: list(value.shape) for key, value in state.items()} == expected
    for number, key in enumerate(golden["final_keys"]):
        assert difference(state[str(key)], torch.from_numpy(golden[f"final_{number}"])) < 1e-3, key


def test_the_full_size_file_has_exactly_upstream_s_tensors():
    kind = next(kind for kind in FULL if kind.__name__ == "UNet2DConditionModel")
    unet = on_meta_device(lambda: kind(**FULL[kind]))
    config = LoraConfig(r=32, lora_alpha=32, init_lora_weights=False, target_modules=list(adapter.TARGETS))
    unet.add_adapter(config, adapter_name=adapter.ADAPTER)
    shapes = {}
    for name, value in unet.named_parameters():
        if adapter.ADAPTER in name:
            key = name.replace(f".{adapter.ADAPTER}", "")
            old = key.replace(".lora_A.", ".lora.down.").replace(".lora_B.", ".lora.up.")
            shapes["unet." + (key if ".ff." in key else old)] = list(value.shape)
    assert shapes == packed_json("lora_sdxl_rank32_keys")["keys"]


def test_the_text_encoders_full_size_matrices_are_named_as_diffusers_names_them(tmp_path):
    ours, theirs = {}, {}
    kinds = {kind.__name__: kind for kind in FULL}
    for part, name, count in (
        ("text_encoder", "CLIPTextModel", 12),
        ("text_encoder_2", "CLIPTextModelWithProjection", 32),
    ):
        kind = kinds[name]
        encoder = on_meta_device(lambda kind=kind: kind(kind.config_class(**FULL[kind])))
        config = LoraConfig(r=32, lora_alpha=32, init_lora_weights=False, target_modules=list(adapter.TEXT_TARGETS))
        inject_adapter_in_model(config, encoder, adapter_name=adapter.ADAPTER)
        small = {key: torch.zeros(1) for key, value in encoder.named_parameters() if adapter.ADAPTER in key}
        assert len(small) == count * 4 * 2
        wide = FULL[kind]["hidden_size"]
        shapes = {tuple(value.shape) for key, value in encoder.named_parameters() if key in small}
        assert shapes == {(32, wide), (wide, 32)}
        ours |= {adapter.key_in_file(part, key): value for key, value in small.items()}
        peft = get_peft_model_state_dict(encoder, adapter_name=adapter.ADAPTER)
        plain = {key if key.startswith("text_model.") else f"text_model.{key}": torch.zeros(1) for key in peft}
        theirs |= {f"{part}.{key}": value for key, value in convert_state_dict_to_diffusers(plain).items()}
    assert ours.keys() == theirs.keys()
    kohya = convert_state_dict_to_kohya(convert_all_state_dict_to_peft(theirs))
    assert adapter.kohya_state(ours).keys() == kohya.keys()


def test_upstream_s_file_is_read_whole(sdxl):
    state = read_subject(GOLDEN / "p1_tiny_lora_fp16.safetensors", {"unet": sdxl["sdxl_unet"]})["unet"]
    assert len(state) == len(packed_json("p1_tiny_lora_keys")["keys"])
    assert all(key.endswith((".lora_A.weight", ".lora_B.weight")) for key in state)


def test_kohya_s_layout_has_its_names_and_its_alpha_counts(sdxl, tmp_path):
    parts = {"unet": sdxl["sdxl_unet"]}
    ours = read_subject(GOLDEN / "p1_tiny_lora_fp16.safetensors", parts)["unet"]
    made = adapter.kohya_state({f"unet.{key}": value for key, value in ours.items()})
    module = "lora_unet_up_blocks_0_attentions_0_transformer_blocks_0_attn1_to_out_0"
    assert {f"{module}.{part}" for part in ("lora_down.weight", "lora_up.weight", "alpha")} <= made.keys()
    rank = len(made[f"{module}.lora_down.weight"])
    assert float(made[f"{module}.alpha"]) == rank
    made[f"{module}.alpha"] /= 2
    adapter.save_subject(tmp_path / "kohya.safetensors", made)
    back = read_subject(tmp_path / "kohya.safetensors", parts)["unet"]
    halved = "up_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0.lora_B.weight"
    assert back.keys() == ours.keys() and torch.allclose(back[halved], ours[halved] / 2)
    assert all(torch.equal(back[key], ours[key]) for key in ours if key != halved)
    adapter.save_subject(tmp_path / "text.safetensors", made | {"lora_te1_text_model.alpha": torch.ones(())})
    with pytest.raises(InputError, match=r"no layer for 'lora_te1_text_model\.alpha'"):
        read_subject(tmp_path / "text.safetensors", parts)


@pytest.mark.parametrize(
    "about", [{}, {"use_rslora": True}, {"alpha_pattern": {"attn2.to_q": 1.0}}, {"rank_pattern": {"attn1.to_q": 4}}]
)
def test_a_file_s_header_counts_as_in_diffusers_own_loader(about, sdxl, tmp_path):
    trained, theirs = deepcopy(sdxl["sdxl_unet"]), deepcopy(sdxl["sdxl_unet"])
    config = LoraConfig(r=2, lora_alpha=6, target_modules=["to_q"], init_lora_weights=False, **about)
    trained.add_adapter(config)
    own = convert_state_dict_to_diffusers(get_peft_model_state_dict(trained))
    StableDiffusionXLPipeline.save_lora_weights(
        tmp_path, unet_lora_layers=own, unet_lora_adapter_metadata=config.to_dict()
    )
    (file,) = tmp_path.iterdir()
    state, alphas, metadata = StableDiffusionXLPipeline.lora_state_dict(str(file), return_lora_metadata=True)
    StableDiffusionXLPipeline.load_lora_into_unet(state, alphas, theirs, adapter_name="a", metadata=metadata)
    account = Account(file.name)
    ours = read_subject(file, {"unet": sdxl["sdxl_unet"]}, account)["unet"]
    worn = [(key, module) for key, module in theirs.named_modules() if hasattr(module, "scaling")]
    assert worn and len(ours) == 2 * len(worn)
    for key, module in worn:
        expected = module.scaling["a"] * module.lora_B["a"].weight  # type: ignore[operator]
        assert torch.allclose(ours[f"{key}.lora_B.weight"], expected), key
    assert not any("applied unscaled" in note for note in account.notes())


def test_a_silent_file_is_applied_once_and_says_so(sdxl):
    account = Account("p1")
    read_subject(GOLDEN / "p1_tiny_lora_fp16.safetensors", {"unet": sdxl["sdxl_unet"]}, account)
    assert account.notes() == [
        "p1 contains no alpha; its matrices are applied unscaled at strength 1, as diffusers does."
    ]


def test_ready_loras_with_the_names_of_stability_s_code_are_read(sdxl, tmp_path):
    places = ("input_blocks_4_1", "input_blocks_8_1", "middle_block_1", "output_blocks_0_1", "output_blocks_5_1")
    names = [f"lora_unet_{place}_transformer_blocks_0_attn2_to_out_0" for place in places]
    unet, file = sdxl["sdxl_unet"], tmp_path / "ready.safetensors"
    stored = {}
    for number, name in enumerate(names, 1):
        stored[f"{name}.lora_down.weight"] = torch.full((2, 32), float(number))
        stored[f"{name}.lora_up.weight"] = torch.full((32, 2), float(number))
        stored[f"{name}.alpha"] = torch.tensor(2.0)
    adapter.save_subject(file, stored)
    theirs, _ = StableDiffusionXLPipeline.lora_state_dict(dict(stored), unet_config=unet.config)
    ours = read_subject(file, {"unet": unet})["unet"]
    theirs = convert_unet_state_dict_to_peft({key.removeprefix("unet."): value for key, value in theirs.items()})
    assert len(ours) == 10 and ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_a_lora_is_worn_by_a_network_whose_weights_stay_in_8_bits(tmp_path):
    encoder = deepcopy(load_keyframe_networks(Weights("tiny")).text_encoder)
    apply_layerwise_casting(encoder, storage_dtype=torch.float8_e4m3fn, compute_dtype=torch.float32)
    base, tokens = "text_encoder.text_model.encoder.layers.0.self_attn.q_proj", torch.arange(77)[None]
    down, up = torch.randn(2, 16), torch.randn(16, 2)
    file = tmp_path / "one.safetensors"
    keys = (f"{base}.lora_linear_layer.down.weight", f"{base}.lora_linear_layer.up.weight")
    adapter.save_subject(file, dict(zip(keys, (down, up))))
    with torch.no_grad():
        plain = encoder(tokens).last_hidden_state
        attach_lora({"text_encoder": encoder}, str(file), 1.0)
        worn = encoder(tokens).last_hidden_state
        kept = encoder.get_parameter("encoder.layers.0.self_attn.q_proj.lora_B.subject.weight")
    assert torch.equal(kept, up) and difference(worn, plain) > 1e-3
    adapter.save_subject(file, {keys[0]: down, keys[1]: up, "text_encoder.text_model.nothing.alpha": torch.ones(1)})
    with pytest.raises(InputError, match=r"no layer for 'text_encoder\.text_model\.nothing\.alpha'"):
        attach_lora({"text_encoder": encoder}, str(file), 1.0)


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


@pytest.mark.parametrize("text", [False, True])
def test_a_training_goes_on_where_it_stopped_and_leaves_the_network_clean(scene, tmp_path, text):
    weights, views = Weights("tiny"), render_views(scene, I2V3DSettings(), 64)
    chosen = settings(train_text_encoder=text)
    *steps, whole = train(scene.first.colour, views, chosen, weights, tmp_path / "whole")
    assert isinstance(whole, TrainedWeights) and [step.step for step in steps] == [0, 1, 2]
    run = train(scene.first.colour, views, chosen, weights, tmp_path / "parts")
    assert next(event for event in run if isinstance(event, Progress) and event.step == 1)
    run.close()
    *_, parts = train(scene.first.colour, views, chosen, weights, tmp_path / "parts")
    ours, theirs = load_file(whole.file), load_file(parts.file)
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert any(value.abs().sum() > 0 for key, value in ours.items() if key.endswith(("up.weight", "lora_B.weight")))
    with pytest.raises(InputError, match="contains a training with rank 2"):
        list(train(scene.first.colour, views, replace(chosen, rank=3), weights, tmp_path / "parts"))


def test_the_text_encoders_are_taught_and_diffusers_reads_them_from_the_file(scene, tmp_path):
    weights, device = Weights("tiny"), torch.device("cpu")
    networks = load_keyframe_networks(weights)
    with torch.no_grad():
        before = prompts.encode(networks, ["A sks toy."], device)
    made = {}
    for name, more in (("taught", {"checkpointing": True}), ("quick", {"text_encoder_rate": 1e-2})):
        chosen = settings(view_weight=0.0, train_text_encoder=True, **more)
        *_, done = train(scene.first.colour, None, chosen, weights, tmp_path / name)
        made[name] = load_file(done.file)
    for part in ("text_encoder", "text_encoder_2"):
        up = f"{part}.text_model.encoder.layers.0.self_attn.q_proj.lora_linear_layer.up.weight"
        change, quick = (made[name][up].abs().max().item() for name in ("taught", "quick"))
        assert 1e-6 < change < 2e-5, "two steps of Adam at the rate of the text encoders"
        assert quick > 100 * change

    attach_lora(networks.trainable, str(done.file), 0.5)
    with torch.no_grad():
        worn = prompts.encode(networks, ["A sks toy."], device)
    detach_lora(networks.trainable)
    pipeline = StableDiffusionXLPipeline(
        networks.vae, networks.text_encoder, networks.text_encoder_2, networks.tokenizer, networks.tokenizer_2,
        networks.unet, DDIMScheduler(),
    )  # fmt: skip
    pipeline.load_lora_weights(done.file.parent, weight_name=done.file.name)
    pipeline.set_adapters(pipeline.get_active_adapters(), 0.5)
    found = [key for network in networks.trainable.values() for key in network.state_dict() if ".lora_" in key]
    theirs = pipeline.encode_prompt("A sks toy.", device=device, do_classifier_free_guidance=False)
    pipeline.unload_lora_weights()
    with torch.no_grad():
        after = prompts.encode(networks, ["A sks toy."], device)
    assert len(found) == len(made["quick"]) == 2 * (700 + 2 * 8)
    assert torch.allclose(worn.embeddings, theirs[0], atol=1e-6) and torch.allclose(worn.pooled, theirs[2], atol=1e-6)
    assert difference(before.embeddings, worn.embeddings) > 1e-5 and torch.equal(before.embeddings, after.embeddings)


def test_samples_come_when_they_are_due_and_change_nothing(scene, tmp_path):
    weights = Weights("tiny")
    files = {}
    for every in (0, 2):
        chosen = settings(steps=3, sample_every=every, view_weight=0.0)
        *steps, done = train(scene.first.colour, None, chosen, weights, tmp_path / str(every))
        samples = {
            step.step: step.preview for step in steps if isinstance(step, TrainingStep) and step.preview is not None
        }
        assert [*samples] == ([2, 3] if every else []) and all(s.shape == (64, 64, 3) for s in samples.values())
        files[every] = load_file(done.file)
    assert all(torch.equal(files[0][key], files[2][key]) for key in files[0])
    assert not np.array_equal(samples[2], samples[3])


def test_every_option_trains(scene, tmp_path):
    options = {"dora": True, "snr_gamma": 5.0, "centre_crop": True, "mirror": False, "checkpointing": True, "steps": 1,
               "kohya": True, "train_text_encoder": True}  # fmt: skip
    *_, done = train(scene.first.colour, None, settings(view_weight=0.0, **options), Weights("tiny"), tmp_path)
    parts = load_keyframe_networks(Weights("tiny")).trainable
    ours, kohya = read_subject(done.file, parts), read_subject(done.further[0], parts)
    assert done.loss > 0 and len(ours["unet"]) == 3 * 700  # with DoRA's magnitudes
    assert len(ours["text_encoder"]) == len(ours["text_encoder_2"]) == 3 * 2 * 4
    assert all(ours[part].keys() == kohya[part].keys() for part in parts)
    assert all(torch.equal(ours[part][key], kohya[part][key]) for part in ours for key in ours[part])


def test_what_cannot_be_trained_is_refused(scene, tmp_path):
    picture = scene.first.colour
    for wrong, told in (
        ({"prompt": " "}, "rare word"),
        ({}, "needs views"),
        ({"eight_bit": True, "view_weight": 0.0}, "bitsandbytes"),
        ({"view_weight": 0.0, "resolution": 512}, "too small"),
    ):
        with pytest.raises(InputError, match=told):
            next(train(picture, None, settings(**wrong), Weights("tiny"), tmp_path))
    with pytest.raises(InputError, match="square"):
        Views(np.zeros((1, 8, 9, 3), np.uint8), np.zeros((1, 8, 9), np.uint8))
    with pytest.raises(InputError, match="no foreground"):
        render_views(scene, I2V3DSettings(foreground="nothing"), 64)

"""Phase 2 with the goldens' tiny networks: masks, inversion, single steps with eight settings, and the whole loop."""

import copy
import json

import pytest
import torch
from safetensors.torch import load_file

from pipelines.methods.i2v3d.keyframes.injection import ATTENTION, FEATURES, Masks, extend_mask, scale_masks
from pipelines.methods.i2v3d.keyframes.sampling import (
    CoarseKeyframes,
    KeyframeOptions,
    PromptEmbeddings,
    Schedule,
    SteeredSDXL,
    decode_pictures,
    denoise,
    encode_pictures,
    invert,
    rows_of,
)
from pipelines.methods.i2v3d.load import FULL
from pipelines.methods.i2v3d.schedule import keyframe_indices, sliding_windows
from pipelines.weights.checkpoints import on_meta_device
from tests.pipelines.methods.i2v3d.conftest import GOLDEN, arrays, difference, draw, packed_json

PROMPT, NEGATIVE = "A sks toy on a desk.", "ugly, blurry, low res, unrealistic, unaesthetic"
STEPS = 6


@pytest.fixture(scope="module")
def case(sdxl):
    with torch.no_grad():
        yield Case(sdxl)
    sdxl["sdxl_unet"].unload_lora()


class Case:
    """Five frames of 128x64, with the LoRA written by the original training."""

    def __init__(self, sdxl):
        self.golden = arrays("p2_a_units")
        self.vae = sdxl["sdxl_vae"]
        self.networks = SteeredSDXL(sdxl["sdxl_unet"], sdxl["sdxl_controlnet"], 64, 128)
        self.networks.unet.load_lora_adapter(load_file(GOLDEN / "p1_tiny_lora_fp16.safetensors"), prefix="unet")
        depth = torch.stack([self.golden[f"normalize_depth/out{i}"] for i in range(5)]).float() / 255
        frames = self.golden["frames"].permute(0, 3, 1, 2).float() / 255
        self.masks = Masks(*(scale_masks(self.golden[f"{name}_masks"] == 255) for name in ("fg", "vis")))
        self.coarse = CoarseKeyframes(
            encode_pictures(self.vae, frames), depth[:, None].expand(-1, 3, -1, -1), self.masks
        )
        self.words = self._words("EMPTY", NEGATIVE, PROMPT)

    def _words(self, *prompts):
        found = [torch.cat([self.golden[f"{kind}/{p}"] for p in prompts]) for kind in ("prompt_embeds", "pooled")]
        return PromptEmbeddings(*found)

    def inverted(self):
        words = PromptEmbeddings(self.words.embeddings[:1], self.words.pooled[:1])
        *_, (_, states) = invert(self.networks, self.coarse, words, steps=STEPS)
        return states


def test_the_schedule_of_windows_and_keyframes_is_the_original_one():
    logic = json.loads((GOLDEN / "p2_logic.json").read_text())
    for key, expected in logic["sliding_window__n_window_overlap"].items():
        assert sliding_windows(*map(int, key.split(","))) == expected, key
    for key, expected in logic["keyframe_indices__numframes_videolength"].items():
        frames, window = map(int, key.split(","))
        assert [i + 1 for i in keyframe_indices(frames, window, upstream=True)] == expected, key


@pytest.mark.parametrize("frames, expected", [(16, [0, 15]), (31, [0, 15, 30]), (20, [0, 15, 19]), (2, [0, 1])])
def test_no_frame_is_lost(frames, expected):
    assert keyframe_indices(frames, 16) == expected


def test_injected_modules_are_those_of_the_original_code_and_are_in_sdxl():
    points = packed_json("injection_points")
    assert [*ATTENTION] == points["phase2_attn"] and [*FEATURES] == points["phase2_conv"]
    kind = next(kind for kind in FULL if kind.__name__ == "UNet2DConditionModel")
    network = on_meta_device(lambda: kind(**FULL[kind]))
    for name in (*ATTENTION, *FEATURES):
        network.get_submodule(name)
    lora = packed_json("lora_sdxl_rank32_keys")["keys"]
    shapes = {name: tuple(value.shape) for name, value in network.named_parameters()}
    for key, shape in lora.items():
        if key.endswith((".lora.down.weight", ".lora_A.weight")):
            module = key.removeprefix("unet.").rsplit(".lora", 1)[0]
            assert shapes[f"{module}.weight"][1] == shape[1]


def test_masks_by_resolution_and_between_frames(case):
    golden = case.golden
    for (height, width), mask in case.masks.foreground.items():
        assert torch.equal(mask, golden[f"prepare_fg_masks/{height * width}"])
    assert torch.equal(case.masks.visible[8, 16].view(5, 8, 16), golden["prepare_erase_masks"])
    for tokens in (32, 8):
        mask = next(mask for mask in case.masks.foreground.values() if mask.shape[1] == tokens)
        assert torch.equal(extend_mask(mask[:3]).repeat(2, 1, 1)[:, None], golden[f"process_attn_mask_first3/{tokens}"])


@torch.no_grad()
def test_pictures_and_inversion(case):
    golden = case.golden
    assert difference(case.coarse.latents, golden["encode_imgs"]) < 1e-4
    assert difference(case.inverted(), golden["ddim_inversion/latents"].flip(0)) < 1e-3
    assert torch.equal(Schedule(STEPS).times.flip(0), golden["ddim_inversion/timesteps_ascending"])
    assert difference(decode_pictures(case.vae, golden["encode_imgs"]), golden["decode_latents"]) < 2e-3


STEP_SETTINGS = {
    "no_pnp": (1, 0.0, 0.0, 0.0),
    "ext_attn_only": (1, 0.0, 0.01, 0.01),
    "conv_only": (1, 0.6, 0.01, 0.01),
    "attn_only_vis": (1, 0.0, 1.0, 0.8),
    "attn_only_seg": (1, 0.0, 1.0, 0.0),
    "default_step1": (1, 0.6, 1.0, 0.8),
    "default_last_step": (5, 0.6, 1.0, 0.8),
    "unmasked": (1, 0.6, 1.0, 0.8),
}


@torch.no_grad()
@pytest.mark.parametrize("name", STEP_SETTINGS)
def test_single_steps(case, name):
    golden = case.golden
    step, features, foreground, background = STEP_SETTINGS[name]
    options = KeyframeOptions(
        STEPS, 7.5, 1.0, features, foreground, background, everywhere=name == "unmasked"
    )  # fmt: skip
    time = golden[f"inj/{name}/timestep"]
    source = golden["inj/source_latents"]
    noise = rows_of(case.networks, case.coarse, source, case.words, [0, 1], golden["inj/x"], time, step, options)
    assert difference(noise, golden[f"inj/{name}/noise_pred_all"]) < 1e-4


LOOPS = {
    "default": {},
    "conv0_attn0": {"feature_share": 0.0, "foreground_share": 0.0, "background_share": 0.0},
    "win3_ov1": {"together": 3},
}


@torch.no_grad()
@pytest.mark.parametrize("name", LOOPS)
def test_the_whole_loop(case, name):
    golden = {key.split("/")[1]: value for key, value in arrays("p2_b_loop").items() if key.startswith(f"{name}/")}
    inverted = case.golden["ddim_inversion/latents"].flip(0)
    options = KeyframeOptions(STEPS, **LOOPS[name])
    windows = sliding_windows(5, options.together, 1)
    kept = case.golden["prepare_erase_masks"][:, None]
    starts = []
    for number, frames in enumerate(windows):
        starts.append(torch.where(kept[frames], inverted[0][frames], golden[f"erase_noise_window{number}"]))
    call = 0
    for step in denoise(case.networks, case.coarse, inverted, case.words, starts, options):
        for window in step.windows:
            assert difference(window, golden[f"call{call:02d}_out"]) < 1e-3, call
            call += 1
    assert call == int(golden["n_calls"])
    frames = (decode_pictures(case.vae, step.latents) * 255).round().permute(0, 2, 3, 1)
    assert float((frames - golden["frames"].float()).abs().max()) <= 2
    stock = {type(module).__name__ for module in case.networks.unet.attn_processors.values()}
    assert stock == {"AttnProcessor2_0"} and not any(
        case.networks.unet.get_submodule(part).conv2._forward_hooks for part in FEATURES
    )


@torch.no_grad()
def test_a_step_at_the_size_that_upstream_knows(case):
    """Upstream's own masks at 1024x576; the smaller cases had to be given theirs."""
    golden = arrays("p2_c_fullres")
    large = {key: golden[f"{key}_9x16"].repeat_interleave(64, 1).repeat_interleave(64, 2)
             for key in ("fg_masks", "vis_masks", "depth")}  # fmt: skip
    masks = Masks(*(scale_masks(large[key] == 255) for key in ("fg_masks", "vis_masks")))
    now, source = (torch.from_numpy(draw(f"full/{name}", (2, 4, 72, 128))) for name in ("x", "src"))
    words = PromptEmbeddings(
        *(torch.from_numpy(draw(f"full/{n}", s)) for n, s in (("ehs", (3, 5, 24)), ("pooled", (3, 16))))
    )
    unet, time = case.networks.unet, golden["timestep"]
    unet.disable_lora()
    try:
        networks = SteeredSDXL(unet, case.networks.controlnet, 576, 1024)
        coarse = CoarseKeyframes(now, large["depth"][:, None].expand(-1, 3, -1, -1), masks)
        noise = rows_of(networks, coarse, source, words, [0, 1], now, time, 20, KeyframeOptions(50))
    finally:
        unet.enable_lora()
    assert difference(noise[..., ::6, ::6], golden["noise_pred_all_stride6"]) < 1e-4
    _, without, following = noise.unflatten(0, (3, 2))
    schedule, guided = Schedule(50), without + 7.5 * (following - without)
    after = schedule.moved(now, guided, schedule.signal[time], schedule.before(int(time)))
    assert difference(after[..., ::6, ::6], golden["prev_sample_stride6"]) < 1e-4


def test_what_is_between_two_steps_stays_in_float32_on_half_networks(case):
    half = {"dtype": torch.bfloat16}
    networks = SteeredSDXL(
        copy.deepcopy(case.networks.unet).to(**half), copy.deepcopy(case.networks.controlnet).to(**half), 64, 128
    )
    words = PromptEmbeddings(case.words.embeddings[:1].to(**half), case.words.pooled[:1].to(**half))
    *_, (_, states) = invert(networks, case.coarse, words, steps=2)
    assert states.dtype == torch.float32 and states.isfinite().all()
    assert not torch.equal(states, states.bfloat16().float()), "nothing was rounded between the steps"


@pytest.mark.parametrize(("late", "at_the_switch"), [(True, "visible"), (False, "foreground")])
def test_attention_goes_over_to_the_foreground_where_its_share_says(case, late, at_the_switch):
    options = KeyframeOptions(10, background_share=0.5, late_switch=late)
    found = [options.injection(step, case.masks) for step in (4, 5, 6)]
    assert [one and one.attention for one in found] == ["visible", at_the_switch, "foreground"]

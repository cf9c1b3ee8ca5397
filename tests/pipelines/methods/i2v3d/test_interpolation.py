"""Phase 3 with the goldens' tiny networks: conditioning, inversion in both directions, and generation with seven settings."""

import copy

import pytest
import torch

from pipelines.methods.i2v3d.video import conditions
from pipelines.methods.i2v3d.video.sampling import (
    CORRECTED,
    PUBLISHED,
    Direction,
    Renders,
    SteeredUnet,
    VideoForm,
    VideoOptions,
    initial_noise,
    interpolate,
    invert,
    reverse_renders,
)
from tests.pipelines.methods.i2v3d.conftest import arrays, difference

STEPS = 4


def pictures(images: torch.Tensor) -> torch.Tensor:
    """(...,H,W,3) uint8 to (N,3,H,W) in 0..1."""
    return images.reshape(-1, *images.shape[-3:]).permute(0, 3, 1, 2).float() / 255


def depth_video(images: torch.Tensor) -> torch.Tensor:
    """(F,H,W) uint8 to (1,F,3,H,W) in -1..1."""
    return (images.float() / 127.5 - 1)[None, :, None].expand(-1, -1, 3, -1, -1)


class Case:
    """The goldens' scene: four renders, two keyframes."""

    def __init__(self, svd):
        self.golden = arrays("p3_c_interp")
        self.vae, self.encoder = svd["svd_vae"], svd["svd_image_encoder"]
        ids = conditions.added_ids(fps=30, motion_bucket=127, noise_level=0.02, like=torch.zeros(1))
        self.networks = SteeredUnet(svd["svd_unet"], svd["svd_controlnet"], ids)
        frames = pictures(self.golden["src_images"])
        self.frames, self.keys = frames, pictures(self.golden["keyframes"])
        latents = conditions.encode_video(self.vae, frames)
        self.renders = Renders(latents, depth_video(self.golden["depth_images"]), self.golden["mask_images"] == 255)

    def seen(self, picture, generator):
        return conditions.encode_picture(
            self.vae, self.encoder, picture[None], noise_level=0.02, generator=generator, normalise=False
        )

    def inverted(self, renders, picture):
        *_, (_, states) = invert(self.networks, renders, self.seen(picture, torch.Generator().manual_seed(888)), STEPS)
        return states

    def directions(self, form, renders=None):
        renders, generator = renders or self.renders, torch.Generator().manual_seed(888)
        drawn = [self.seen(p, generator) for p in (self.keys[0], self.frames[0], self.keys[1], self.frames[-1])]
        _, used = reverse_renders(renders, form)
        return (
            Direction(renders, self.golden["latents_inv_forward"], drawn[1], drawn[0]),
            Direction(used, self.golden["latents_inv_reverse"], drawn[3], drawn[2]),
        )


@pytest.fixture(scope="module")
def case(svd):
    with torch.no_grad():
        return Case(svd)


@torch.no_grad()
def test_pictures_are_encoded_as_by_the_original_code(case):
    golden = arrays("p3_e_encoders")
    picture = pictures(golden["image"])
    seen = case.seen(picture[0], torch.Generator().manual_seed(888))
    assert difference(seen.embedding, golden["image_embeds_cfg0"]) < 1e-4
    assert difference(seen.embedding, golden["prep_cfg/image_embeddings"][1:]) < 1e-4
    assert difference(seen.latents, golden["prep_cfg/image_latents"][1:, 0]) < 1e-4
    both = torch.cat([picture, pictures(golden["image2"])])
    assert difference(conditions.encode_video(case.vae, both), golden["video_latents"]) < 1e-4
    for together in (1, 3):
        decoded = conditions.decode_video(case.vae, golden["decode_in"], together=together)
        expected = golden[f"decode_chunk{together}"]
        assert difference(decoded, (expected[0].transpose(0, 1).float() / 2 + 0.5).clamp(0, 1)) < 2e-3


@torch.no_grad()
def test_normalised_pictures_are_what_svd_s_own_pipeline_gives_its_encoder(case):
    from transformers import CLIPImageProcessorPil

    picture = case.frames[:1]
    resized = conditions._resize_with_antialiasing(picture * 2 - 1, (224, 224)) / 2 + 0.5
    options = {"do_resize": False, "do_center_crop": False, "do_rescale": False, "do_normalize": True}
    pixels = CLIPImageProcessorPil()(
        images=resized[0].numpy(), return_tensors="pt", input_data_format="channels_first", **options
    )
    expected = case.encoder(pixels.pixel_values.float()).image_embeds[:, None]
    generator = torch.Generator().manual_seed(0)
    seen = conditions.encode_picture(case.vae, case.encoder, picture, noise_level=0.0, generator=generator)
    assert difference(seen.embedding, expected) < 1e-4


@torch.no_grad()
def test_inversion_forwards_and_backwards(case):
    golden = case.golden
    assert difference(case.inverted(case.renders, case.frames[0]), golden["latents_inv_forward"]) < 1e-3
    upstream, _ = reverse_renders(case.renders, PUBLISHED)
    mended, _ = reverse_renders(case.renders, CORRECTED)
    assert difference(case.inverted(upstream, case.frames[-1]), golden["latents_inv_reverse"]) < 1e-3
    assert difference(case.inverted(mended, case.frames[-1]), golden["latents_inv_reverse_depth_flipped"]) < 1e-3


OPTIONS = {
    "full": {},
    "no_vis": {},
    "no_controlnet": {},
    "forward_only": {"fusion_share": -1.0},
    "half_injection": {"feature_share": 0.5, "attention_share": 0.5},
    "cn_scale_0.5": {"depth_strength": 0.5},
    "interp_strength_0.5": {"fusion_share": 0.5},
}


@torch.no_grad()
@pytest.mark.parametrize("name", OPTIONS)
def test_generation_step_by_step(case, name):
    golden, renders = case.golden, case.renders
    if name == "no_vis":
        renders = Renders(renders.latents, renders.depth, None)
    if name == "no_controlnet":
        renders = Renders(renders.latents, None, renders.visible)
    noise = golden["latents_inv_forward"][0] if name == "no_vis" else golden["start_code_full"]
    options = VideoOptions(STEPS, form=PUBLISHED, **OPTIONS[name])
    made = list(interpolate(case.networks, noise, *case.directions(PUBLISHED, renders), options))
    for i, step in enumerate(made):
        assert difference(step.velocity, golden[f"{name}/guided_noise_pred"][i]) < 1e-3, i
        assert difference(step.latents, golden[f"{name}/latents_after_step"][i]) < 1e-3, i
    if name == "full":
        decoded = conditions.decode_video(case.vae, made[-1].latents, together=1)
        frames = (decoded * 255).round().permute(0, 2, 3, 1)
        assert float((frames - golden["full/frames"].float()).abs().max()) <= 2


@torch.no_grad()
def test_new_noise_goes_exactly_where_nothing_is_visible(case):
    noise = initial_noise(case.golden["latents_inv_forward"], case.renders.visible, torch.Generator().manual_seed(0))
    kept = (noise == case.golden["latents_inv_forward"][0]).all(dim=2)
    expected = (case.golden["start_code_full"] == case.golden["latents_inv_forward"][0]).all(dim=2)
    assert torch.equal(kept, expected) and 0 < int(kept.sum()) < kept.numel()


@torch.no_grad()
@pytest.mark.parametrize("field", ["forward_masks_backwards", "faint_source"])
def test_each_mended_fault_changes_the_video(case, field):
    noise, first = case.golden["start_code_full"], {}
    for form in (CORRECTED, VideoForm(**{field: True})):
        options = VideoOptions(STEPS, form=form)
        first[form] = next(iter(interpolate(case.networks, noise, *case.directions(form), options))).velocity
    assert difference(*first.values()) > 0.05


def test_what_is_between_two_steps_stays_in_float32_on_half_networks(case):
    half = {"dtype": torch.bfloat16}
    networks = SteeredUnet(
        copy.deepcopy(case.networks.unet).to(**half), copy.deepcopy(case.networks.controlnet).to(**half),
        case.networks.ids.to(**half),
    )  # fmt: skip
    seen = case.seen(case.frames[0], torch.Generator().manual_seed(0))
    picture = conditions.Picture(seen.embedding.to(**half), seen.latents.to(**half))
    with torch.no_grad():
        *_, (_, states) = invert(networks, case.renders, picture, 2)
    assert states.dtype == torch.float32 and states.isfinite().all()
    assert not torch.equal(states, states.bfloat16().float()), "nothing was rounded between the steps"

"""Memory modes give the same picture and leave no hooks; a mode that fits is chosen; a refusal names one that would fit."""

import gc
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from toy_method import TOY, ToySettings, behaviour, toy, toy_estimate, toy_shot

import pipelines
from camera.errors import InputError
from pipelines import registry
from pipelines.environment import offered_methods
from pipelines.method import Clip
from pipelines.options import RunOptions
from pipelines.runtime import forecast as estimates
from pipelines.runtime import memory
from pipelines.runtime.acceleration import magcache
from pipelines.runtime.device import Device
from pipelines.runtime.memory import networks, place_on_device
from pipelines.runtime.runner import Runtime
from pipelines.shot import Shot
from pipelines.weights.checkpoints import build_random

gc.freeze()
CPU = torch.device("cpu")
NEEDS = {"full": 43.0, "model offload": 20.0, "group offload": 12.0}


@pytest.fixture
def runtime():
    made = Runtime(Device("cpu"))
    behaviour.loads = 0
    yield made
    made.unload()


def frames(runtime, settings=None, **options):
    scene, path, chosen = toy_shot()
    items = list(runtime.run(Shot(TOY, scene, path, settings or chosen, RunOptions(weights="tiny", **options))))
    return next(item for item in reversed(items) if isinstance(item, Clip)).frames


def hooks(runtime):
    """Names of all hooks on the loaded networks."""
    (loaded,) = runtime.loaded.values()
    found = set()
    for network in networks(loaded.pipeline).values():
        for part in network.modules():
            found |= set(part._diffusers_hook.hooks) if hasattr(part, "_diffusers_hook") else set()
            found |= {"accelerate"} if hasattr(part, "_hf_hook") else set()
    return found


@pytest.mark.parametrize("mode", ["model offload", "group offload"])
def test_offloading_changes_nothing_and_leaves_no_hooks(runtime, mode, monkeypatch):
    monkeypatch.setattr(memory, "RESIDENT_BYTES", 0)
    plain = frames(runtime)
    during = []
    behaviour.in_step = lambda step: during.append(hooks(runtime))
    assert np.array_equal(frames(runtime, memory=mode), plain)
    behaviour.in_step = lambda step: None
    assert during[0] == ({"accelerate"} if mode == "model offload" else {"group_offloading"})
    assert hooks(runtime) == set()
    assert np.array_equal(frames(runtime), plain) and behaviour.loads == 1


def test_small_networks_stay_whole_in_group_offload(runtime):
    during = []
    behaviour.in_step = lambda step: during.append(hooks(runtime))
    frames(runtime, memory="group offload")
    behaviour.in_step = lambda step: None
    assert during[0] == set()


def test_fp8_stores_in_eight_bits_changes_little_and_is_loaded_anew_to_undo(runtime):
    plain = frames(runtime)
    cast = frames(runtime, memory="fp8")
    (loaded,) = runtime.loaded.values()
    transformer = networks(loaded.pipeline)["transformer"]
    types = {name: parameter.dtype for name, parameter in transformer.named_parameters()}
    assert types["transformer_blocks.0.attn1.to_q.weight"] == torch.float8_e4m3fn
    assert types["patch_embed.proj.weight"] == torch.float32
    difference = np.abs(plain.astype(int) - cast)
    assert 0 < difference.mean() < 8
    del loaded, transformer
    assert np.array_equal(frames(runtime), plain) and behaviour.loads == 2


def test_int8_stores_in_eight_bits_changes_little_and_makes_way_for_other_modes(runtime):
    """Through torchao; bytes are counted as actually stored, not as the tensor reports."""
    plain = frames(runtime)
    (loaded,) = runtime.loaded.values()
    transformer = networks(loaded.pipeline)["transformer"]
    before = runtime.device.bytes_of([transformer])
    cast = frames(runtime, memory="int8")
    assert memory.storage_mode(transformer) == "int8" and runtime.device.bytes_of([transformer]) < 0.7 * before
    stored = {name: type(parameter).__name__ for name, parameter in transformer.named_parameters()}
    assert stored["transformer_blocks.0.attn1.to_q.weight"] == "Int8Tensor"
    assert stored["patch_embed.proj.weight"] == "Parameter"
    assert 0 < np.abs(plain.astype(int) - cast).mean() < 8
    assert np.array_equal(frames(runtime, memory="int8"), cast) and behaviour.loads == 1
    del loaded, transformer
    frames(runtime, memory="fp8")
    assert behaviour.loads == 2 and np.array_equal(frames(runtime), plain) and behaviour.loads == 3


def test_int8_without_torchao_says_what_to_install(runtime, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchao.quantization", None)
    with pytest.raises(InputError, match=r"int8 needs torchao: run `pip install torchao`, or choose fp8\."):
        frames(runtime, memory="int8")


def test_fp8_of_one_method_never_reaches_another_that_shares_its_networks(runtime):
    scene, path, settings = toy_shot()
    plain = frames(runtime)
    frames(runtime, memory="fp8")
    *_, clip, report = runtime.run(Shot(toy("other"), scene, path, settings, RunOptions(weights="tiny")))
    assert np.array_equal(clip.frames, plain) and report.mode == "full"


def test_t5_survives_fp8():
    from transformers import T5EncoderModel

    config = {"vocab_size": 32, "d_model": 8, "d_kv": 4, "d_ff": 16, "num_layers": 2, "num_heads": 2}
    encoder = build_random(T5EncoderModel, config, seed=0, dtype=torch.float32)

    class One:
        components, device = {"text_encoder": encoder}, CPU

    before = encoder(torch.arange(4)[None])[0]
    with place_on_device(One(), "fp8", CPU):
        after = encoder(torch.arange(4)[None])[0]
    assert any(p.dtype == torch.float8_e4m3fn for p in encoder.parameters())
    assert 0 < (before - after).abs().max() < 0.3 * before.abs().max()


def test_model_offload_keeps_one_network_or_those_of_one_step_on_the_device():
    linear = {name: torch.nn.Linear(2, 2) for name in "abc"}
    stage = memory._Stage(linear, (("a", "b"),), CPU)
    seen = []
    for name in "abcab":
        stage.enter(name)
        seen.append("".join(sorted(stage.present)))
    assert seen == ["a", "ab", "c", "a", "ab"]


def test_offload_hooks_go_away_when_a_run_is_cancelled_or_fails(runtime):
    frames(runtime)
    scene, path, settings = toy_shot()
    run = runtime.run(Shot(TOY, scene, path, settings, RunOptions(weights="tiny", memory="model offload")))
    next(run)
    run.close()
    assert hooks(runtime) == set()


@pytest.mark.parametrize(
    ("free", "mode"),
    [(80.0, "full"), (45.2, "full"), (45.1, "model offload"), (24.0, "model offload"), (13.0, "group offload")],
)
def test_auto_takes_the_fastest_that_fits_and_says_why(free, mode):
    choice = estimates.choose(NEEDS, free)
    assert choice.mode == mode and choice.gigabytes == NEEDS[mode]
    assert mode in choice.words and f"{free:.1f} GB" in choice.words


def test_auto_changes_the_picture_only_where_nothing_else_fits():
    needs = {"full": 40.0, "fp8": 21.0, "model offload": 20.0, "group offload": 12.0}
    assert estimates.choose(needs, 24.0).mode == "model offload"
    small = {"full": 40.0, "fp8": 21.0}
    assert estimates.choose(small, 24.0).mode == "fp8" and "full would need 40.0" in estimates.choose(small, 24.0).words
    assert estimates.choose(needs, 24.0, "int8").gigabytes == 21.0


def test_what_does_not_fit_is_refused_with_the_mode_that_would():
    with pytest.raises(
        InputError, match=r"full needs about 43.0 GB, 24.0 GB are free; model offload would fit with 20.0 GB"
    ):
        estimates.choose(NEEDS, 24.0, "full")
    with pytest.raises(InputError, match=r"at least 12.0 GB of GPU memory \(group offload\), 10.0 GB are free"):
        estimates.choose(NEEDS, 10.0)


def test_a_smaller_shot_that_fits_is_found_within_the_methods_limits():
    scene, path, settings = toy_shot(frames=8)
    assert min(toy_estimate(path, settings).gigabytes.values()) == 16
    words = estimates.what_fits(Shot(TOY, scene, path, settings), 9.0)
    assert words == "4 frames of 64 x 64 would fit."
    assert estimates.what_fits(Shot(TOY, scene, path, settings), 0.01) == ""


def test_forecasts_for_gpu_processor_and_tiny():
    scene, path, settings = toy_shot()

    def forecast(free, on_gpu, **options):
        return estimates.forecast(Shot(TOY, scene, path, settings, RunOptions(**options)), free=free, on_gpu=on_gpu)

    assert "full" in forecast(30, True).words and not forecast(30, True).refusal
    assert "would fit" in forecast(3, True).refusal
    assert "needs about 10.0 GB" in forecast(6, True, memory="full").refusal
    assert "no GPU" in forecast(12, False).refusal and "tiny weights" in forecast(12, False).refusal
    assert "hours" in forecast(50, False).words and not forecast(50, False).refusal
    assert not forecast(3, False, weights="tiny").refusal


def test_quota_is_said_and_refused_before_asking():
    scene, path, settings = toy_shot()
    asked = estimates.zerogpu_seconds(Shot(TOY, scene, path, settings))
    assert asked == round(4 * 1.3 + 15 + 0.5)
    assert estimates.quota_seconds(60) == 90 and estimates.quota_seconds(60, size="xlarge") == 120
    assert estimates.quota_words(60) == (
        "Takes 90 s of your ZeroGPU quota; a day's quota of someone not logged in or more is enough."
    )
    assert "quota of a PRO account or more is enough" in estimates.quota_words(300)
    assert "more than any account" in estimates.quota_words(3000)
    estimates.check_quota(80, "someone not logged in")
    with pytest.raises(
        InputError,
        match=r"needs 122 s of ZeroGPU quota and someone not logged in has at most 120 s a day; use fewer steps",
    ):
        estimates.check_quota(81, "someone not logged in")


def test_on_zerogpu_the_forecast_says_the_cost_and_refuses_what_no_day_pays(monkeypatch):
    scene, path, settings = toy_shot()

    def forecast(steps, **moves):
        monkeypatch.setenv("SPACES_ZERO_GPU", "true")
        monkeypatch.setattr(registry, "method", lambda name: TOY)
        return pipelines.forecast(Shot(TOY, scene, path, replace(settings, steps=steps)))

    told = forecast(20)
    assert told.mode == "full" and not told.refusal and "of 48.0 GB free" in told.words
    assert told.words.endswith(
        "Takes 62 s of your ZeroGPU quota; a day's quota of someone not logged in or more is enough."
    )
    monkeypatch.setenv("RESHOOT_ZEROGPU_SIZE", "xlarge")
    assert "of 96.0 GB free" in forecast(20).words
    monkeypatch.setattr(estimates, "QUOTAS", (estimates.Quota("a free account", 50),))
    assert "more than any account has in a day (50 s). Use fewer steps" in forecast(20).refusal


def test_step_caches_change_the_work_not_the_shape_and_go_away(runtime):
    settings = ToySettings(steps=60)
    plain = frames(runtime, settings)
    for cache in ("first block", "TaylorSeer"):
        cached = frames(runtime, settings, cache=cache, cache_threshold=0.5)
        assert cached.shape == plain.shape and not np.array_equal(cached, plain)
    assert hooks(runtime) == set()
    assert np.array_equal(frames(runtime, settings), plain)


def calibrated(runtime, settings):
    measured = magcache.MeasuredRatios(settings.steps)
    scene, path, _ = toy_shot()
    around = partial(magcache.measure_ratios, measured=measured)
    *_, clip, _ = runtime.run(Shot(TOY, scene, path, settings, RunOptions(weights="tiny")), around=around)
    return clip.frames, measured


def test_magcache_skips_steps_once_its_ratios_are_measured(runtime, tmp_path, monkeypatch):
    monkeypatch.setenv("RESHOOT_CALIBRATION", str(tmp_path / "kept"))
    settings = ToySettings(steps=20)
    plain = frames(runtime, settings)
    seen, measured = calibrated(runtime, settings)
    assert np.array_equal(seen, plain), "a run that measures skips nothing"
    ((network, ratios),) = measured.ratios.items()
    assert network.startswith("CogVideoXTransformer3DModel, ") and len(ratios) == 20 and ratios[0] == 1
    assert hooks(runtime) == set()
    file = magcache.save_ratios(measured, "toy", "tiny")
    assert file.parent == tmp_path / "kept"
    worked = []
    (loaded,) = runtime.loaded.values()
    block = networks(loaded.pipeline)["transformer"].transformer_blocks[1].attn1
    hook = block.register_forward_hook(lambda *_: worked.append(True))
    cached = frames(runtime, settings, cache="MagCache", cache_threshold=0.5)
    hook.remove()
    assert 4 <= len(worked) < 20 and not np.array_equal(cached, plain)
    file.write_text("[1")
    with pytest.raises(InputError, match=r"magcache-toy-tiny\.json is damaged; remove it and calibrate again"):
        frames(runtime, settings, cache="MagCache")


def test_ratios_are_the_mean_of_passes_and_parts():
    assert magcache._per_step([[1.0, 0.9, 5.0, 0.7], [1.0, 0.8]], 2) == [1.0, pytest.approx(0.8)]
    with pytest.raises(InputError, match="fewer than its 3 steps"):
        magcache._per_step([[1.0, 0.9]], 3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"cache": "MagCache"},
            r"run `python -m pipelines calibrate toy --weights tiny` once, or choose first block\.",
        ),
        ({"compile": True}, "no repeated blocks"),
        ({"attention": "flash"}, "flash is not available here"),
    ],
)
def test_speed_options_that_a_network_lacks_are_refused_in_words(runtime, options, words, tmp_path, monkeypatch):
    monkeypatch.setenv("RESHOOT_CALIBRATION", str(tmp_path))
    with pytest.raises(InputError, match=words):
        frames(runtime, **options)
    assert hooks(runtime) == set()


def test_tiles_are_switched_for_one_run(runtime):
    plain = frames(runtime)
    (loaded,) = runtime.loaded.values()
    vae = networks(loaded.pipeline)["vae"]
    during = []
    behaviour.in_step = lambda step: during.append(vae.use_tiling)
    in_tiles = frames(runtime, tiling="tiles")
    behaviour.in_step = lambda step: None
    assert during == [True] * 4 and not vae.use_tiling
    assert in_tiles.shape == plain.shape and not np.array_equal(in_tiles, plain)
    assert np.array_equal(frames(runtime), plain)


def test_the_environment_chooses_methods(monkeypatch):
    names = ("a", "b", "c")
    monkeypatch.delenv("RESHOOT_METHODS", raising=False)
    assert offered_methods(names) == names
    monkeypatch.setenv("RESHOOT_METHODS", " c, a ")
    assert offered_methods(names) == ("a", "c")
    monkeypatch.setenv("RESHOOT_METHODS", "all")
    assert offered_methods(names) == names
    monkeypatch.setenv("RESHOOT_METHODS", "d")
    with pytest.raises(ValueError, match="'d'; known are all, a, b, c"):
        offered_methods(names)


def test_options_are_checked():
    with pytest.raises(InputError, match="Memory must be one of auto, full"):
        replace(RunOptions(), memory="a lot")

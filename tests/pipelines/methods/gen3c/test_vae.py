"""The video tokenizer against the original: values at tiny size, names and shapes at full size, archives read safely."""

import gzip
import json
import pickle
import zipfile

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLCosmos
from safetensors.torch import load_file

from camera.errors import InputError
from pipelines.methods.gen3c.network.latents import SIGMA_DATA, decode, encode, statistics
from pipelines.methods.gen3c.weights.convert import VAE_DROPPED, VAE_RENAMES, load_vae, read_statistics
from pipelines.methods.gen3c.weights.torchscript import read_torchscript
from pipelines.weights.checkpoints import load_strict, on_meta_device

from .conftest import GOLDEN_VAE


@pytest.fixture(scope="module")
def arrays(golden):
    with np.load(golden / "gen3c/vae.npz") as loaded:
        return {key: torch.from_numpy(loaded[key].astype(np.float32)) for key in loaded}


@pytest.fixture(scope="module")
def tiny(published_tokenizer, arrays) -> AutoencoderKLCosmos:
    tables = {f"latents_{name}": arrays[name].flatten().tolist() for name in ("mean", "std")}
    vae = on_meta_device(lambda: AutoencoderKLCosmos(**GOLDEN_VAE, **tables))
    load_vae(vae, published_tokenizer / "encoder.jit", published_tokenizer / "decoder.jit", dtype=torch.float32)
    return vae


def test_archive_gives_the_tensors_that_were_saved(golden, published_tokenizer):
    saved = load_file(golden / "gen3c/vae_tiny.safetensors")
    read = {
        **read_torchscript(published_tokenizer / "encoder.jit"),
        **read_torchscript(published_tokenizer / "decoder.jit"),
    }
    assert read.keys() == saved.keys()
    for key, value in saved.items():
        torch.testing.assert_close(read[key], value.float(), atol=0, rtol=0)


def test_raw_latents_and_reconstruction_equal_the_original(tiny, arrays):
    with torch.inference_mode():
        raw = tiny.encode(arrays["x"]).latent_dist.mode()
        torch.testing.assert_close(raw, arrays["latent_raw"], atol=1e-4, rtol=0)
        torch.testing.assert_close(tiny.decode(raw).sample, arrays["recon"], atol=1e-4, rtol=0)


def test_normalised_latents_use_the_table_of_each_frame(tiny, arrays):
    mean, std = statistics(tiny, 2, torch.device("cpu"))
    torch.testing.assert_close(mean, arrays["latent_mean_used"])
    torch.testing.assert_close(std, arrays["latent_std_used"])
    latents = encode(tiny, arrays["x"])
    torch.testing.assert_close(latents / SIGMA_DATA, arrays["latent_normalized"], atol=1e-4, rtol=0)
    torch.testing.assert_close(decode(tiny, latents), arrays["recon_from_normalized"], atol=1e-4, rtol=0)


def test_tables_restart_with_every_clip(tiny, arrays):
    both = torch.cat([encode(tiny, arrays["x"]), encode(tiny, arrays["x"].flip(2))], dim=2) / SIGMA_DATA
    torch.testing.assert_close(both, arrays["latent_normalized_two_chunks"], atol=1e-4, rtol=0)


def test_the_first_latent_frame_depends_on_the_first_picture_only(tiny, arrays):
    alone = encode(tiny, arrays["x"][:, :, :1])
    torch.testing.assert_close(alone, encode(tiny, arrays["x"])[:, :, :1], atol=1e-5, rtol=0)


def test_a_clip_longer_than_the_tables_is_refused(tiny):
    with pytest.raises(InputError, match="supports 16 latent frames, the clip needs 17"):
        statistics(tiny, 17, torch.device("cpu"))


def test_full_size_takes_every_published_tensor(golden):
    with gzip.open(golden / "gen3c/vae_keys.json.gz") as stream:
        manifest = json.load(stream)
    vae = on_meta_device(AutoencoderKLCosmos)
    state = {key: torch.empty(entry["shape"], device="meta").requires_grad_(False) for key, entry in manifest.items()}
    report = load_strict(vae, state, VAE_RENAMES, dropped=VAE_DROPPED)
    assert sum(p.numel() for p in vae.parameters()) == 105_653_696
    assert set(report.dropped) == {key for key, entry in manifest.items() if entry["diffusers"] is None}
    expected = {entry["diffusers"] for entry in manifest.values()} - {None}
    assert expected == set(vae.state_dict()) and report.loaded == len(expected)


def test_statistics_file(tmp_path):
    mean, std = torch.randn(16, 20), torch.rand(16, 20)
    torch.save((mean.flatten(), std.flatten()), tmp_path / "mean_std.pt")
    for made, given in zip(read_statistics(tmp_path / "mean_std.pt"), (mean, std)):
        torch.testing.assert_close(made, given[:, :16])
    torch.save(torch.zeros(3), tmp_path / "wrong.pt")
    with pytest.raises(InputError, match="two tensors of 16 x 16"):
        read_statistics(tmp_path / "wrong.pt")


class _Canary:
    ran = False

    def __reduce__(self):
        return (_run_canary, ())


def _run_canary():
    _Canary.ran = True


def test_an_archive_that_wants_to_run_code_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "bad.jit", "w") as archive:
        archive.writestr("bad/data.pkl", pickle.dumps(_Canary(), protocol=2))
    with pytest.raises(InputError, match=r"contains more than a network and is not opened: it names .*_run_canary"):
        read_torchscript(tmp_path / "bad.jit")
    assert not _Canary.ran


def test_broken_archives_are_refused_in_words(tmp_path, published_tokenizer):
    whole = (published_tokenizer / "encoder.jit").read_bytes()
    (tmp_path / "cut.jit").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.jit").write_text("no archive")
    with zipfile.ZipFile(tmp_path / "empty.jit", "w") as archive:
        archive.writestr("a/b", "")
    for name in ("cut", "text", "empty", "absent"):
        with pytest.raises(InputError, match="download it again"):
            read_torchscript(tmp_path / f"{name}.jit")

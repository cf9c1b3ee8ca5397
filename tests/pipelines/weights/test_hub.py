"""Weights from a loopback hub, the cache, a local folder, or missing; every failure gives one helpful sentence."""

import errno
import time
from pathlib import Path

import huggingface_hub as hub_client
import numpy as np
import pytest
import torch
from fake_hub import COMMIT, Hub, Repository, serving
from huggingface_hub import constants

from camera.errors import InputError
from pipelines.method import Checkpoint
from pipelines.weights import hub as weights_module
from pipelines.weights.components import byte_tokenizer, component
from pipelines.weights.hub import Cancelled, Weights, folder_of

MIB = 1 << 20
DATA = np.random.default_rng(0).integers(0, 255, 3 * MIB, dtype=np.uint8).tobytes()
NAME = "lab/net"
CHECKPOINT = Checkpoint("net", NAME, ("config.json", "unet/*.safetensors"))


@pytest.fixture
def hub(tmp_path, monkeypatch):
    repository = Repository(
        {"config.json": b"{}", "unet/a.safetensors": DATA, "unet/b.safetensors": b"b", "x.bin": b"x"}
    )
    with serving(Hub({NAME: repository})) as hub:
        cache = tmp_path / "cache"
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
        monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", MIB // 4)
        monkeypatch.delenv("RESHOOT_WEIGHTS", raising=False)
        monkeypatch.setenv("HF_TOKEN", "")
        yield hub


def fetched(checkpoint=CHECKPOINT, **options):
    weights = Weights(**options)
    return weights.files(checkpoint), weights


def test_files_arrive_exactly_with_progress_and_the_commit(hub):
    told = []
    files, weights = fetched(announce=told.append)
    assert set(files) == {"config.json", "unet/a.safetensors", "unet/b.safetensors"}
    assert Path(files["unet/a.safetensors"]).read_bytes() == DATA
    assert (folder_of(files) / "unet" / "b.safetensors").read_bytes() == b"b"
    assert weights.revisions == {NAME: COMMIT}
    last = told[-1]
    assert last.phase == f"Downloading {NAME}" and last.step == last.steps == len(DATA) + 3
    assert last.note.startswith("3 of 3 files, 0.00 of 0.00 GB, ") and last.note.endswith(" MB/s")
    assert told[0].seconds_left > 0 and [one.step for one in told] == sorted(one.step for one in told)


def test_the_second_time_nothing_is_sent(hub):
    fetched()
    before = hub.bytes_sent, sum(verb == "GET" and "resolve" in path for verb, path, _ in hub.requests)
    told = []
    fetched(announce=told.append)
    after = sum(verb == "GET" and "resolve" in path for verb, path, _ in hub.requests)
    assert after == before[1] and told == []


def test_a_cut_connection_is_resumed_where_it_broke(hub, monkeypatch):
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)
    hub.repositories[NAME].cut["unet/a.safetensors"] = [MIB, MIB]
    files, _ = fetched()
    assert Path(files["unet/a.safetensors"]).read_bytes() == DATA
    starts = [first for verb, path, first in hub.requests if verb == "GET" and path.endswith("a.safetensors")]
    assert len(starts) == 3 and starts[0] == 0 and 0 < starts[1] <= MIB < starts[2] <= 2 * MIB
    assert hub.bytes_sent < len(DATA) + MIB


def test_a_wrong_checksum_is_refused_deleted_and_fetched_again(hub):
    hub.repositories[NAME].wrong.add("unet/a.safetensors")
    with pytest.raises(InputError, match=r"a\.safetensors of lab/net arrived damaged .* start again"):
        fetched()
    hub.repositories[NAME].wrong.clear()
    files, _ = fetched()
    assert Path(files["unet/a.safetensors"]).read_bytes() == DATA


def test_gated_says_where_to_accept_and_how_to_log_in(hub, monkeypatch):
    hub.repositories[NAME].gated = True
    with pytest.raises(
        InputError, match=rf"lab/net is gated: accept its terms at {hub.url}/lab/net, then run `hf auth login`"
    ):
        fetched()
    monkeypatch.setenv("HF_TOKEN", "good")
    assert len(fetched()[0]) == 3


def test_missing_private_and_wrong_revision_are_told_apart(hub):
    with pytest.raises(InputError, match="lab/other does not exist or is private"):
        fetched(Checkpoint("net", "lab/other", ("*",)))
    hub.repositories[NAME].private = True
    with pytest.raises(InputError, match=r"does not exist or is private.*hf auth login"):
        fetched()
    hub.repositories[NAME].private = False
    with pytest.raises(InputError, match="lab/net has no revision v9"):
        fetched(Checkpoint("net", NAME, ("*",), revision="v9"))


def test_a_repository_without_a_needed_file_is_refused_before_anything_is_fetched(hub):
    with pytest.raises(InputError, match=r"has no file vae/\*\.safetensors that net needs"):
        fetched(Checkpoint("net", NAME, ("config.json", "vae/*.safetensors")))
    assert not any("resolve" in path for _, path, _ in hub.requests)


def test_without_network_the_cache_serves_and_an_empty_one_says_so_at_once(hub, monkeypatch):
    fetched()
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    files, weights = fetched()
    assert Path(files["unet/a.safetensors"]).read_bytes() == DATA and weights.revisions == {NAME: COMMIT}
    began = time.monotonic()
    with pytest.raises(
        InputError,
        match=r"lab/other could not be downloaded \((the connection failed|nothing listens there)\) and is not in the cache; check",
    ):
        fetched(Checkpoint("net", "lab/other", ("*",)))
    assert time.monotonic() - began < 3


def test_switched_off_hub_serves_from_the_cache_or_says_so(hub, monkeypatch):
    fetched()
    hub.requests.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert len(fetched()[0]) == 3
    with pytest.raises(InputError, match="switched off \\(HF_HUB_OFFLINE\\)"):
        fetched(Checkpoint("net", "lab/other", ("*",)))
    assert hub.requests == []


def test_an_incomplete_cache_is_not_taken_for_the_checkpoint(hub, monkeypatch):
    fetched(Checkpoint("net", NAME, ("config.json",)))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="not in the cache"):
        fetched()


@pytest.fixture
def sharded(hub, tmp_path):
    """A network in several files on the hub, and a function that loads it."""
    from diffusers import AutoencoderKL

    network = AutoencoderKL(block_out_channels=(8,), norm_num_groups=2)
    network.save_pretrained(tmp_path / "vae", max_shard_size="20KB")
    files = {f"vae/{file.name}": file.read_bytes() for file in (tmp_path / "vae").iterdir()}
    assert len(files) > 3
    hub.repositories["lab/vae"] = Repository(files)
    checkpoint = Checkpoint("vae", "lab/vae", ("vae/*",))

    def load():
        got = component(Weights(), AutoencoderKL, checkpoint, tiny={}, full={}, subfolder="vae")
        assert all(torch.equal(got.state_dict()[name], value) for name, value in network.state_dict().items())

    load()
    yield load, sorted((tmp_path / "cache").rglob("snapshots/*/vae/*-00002-of-*.safetensors"))[0]


def _missing(link):
    link.unlink()


def _dangling(link):
    link.resolve().unlink()


def _cut_short(link):
    blob = link.resolve()
    blob.write_bytes(blob.read_bytes()[:-100])


@pytest.mark.parametrize("damage", [_missing, _dangling, _cut_short])
def test_half_a_cache_is_one_sentence_without_the_hub_and_fetched_anew_with_it(sharded, monkeypatch, damage):
    load, link = sharded
    damage(link)
    with monkeypatch.context() as off:
        off.setattr(constants, "HF_HUB_OFFLINE", True)
        with pytest.raises(InputError, match="lab/vae") as refused:
            load()
    words = str(refused.value)
    assert "/vae/" not in words.replace("lab/vae/vae", "") and str(Path(link).parents[5]) not in words, words
    assert "download" in words and "Error" not in words and "\n" not in words
    load()


def test_full_disks_are_named_before_and_during_the_download(hub, monkeypatch):
    usage = type("Usage", (), {"free": 10**6})()
    with monkeypatch.context() as small:
        small.setattr(weights_module.shutil, "disk_usage", lambda place: usage)
        with pytest.raises(InputError, match=r"needs 0\.0 GB of disk space, 0\.0 GB are free at .*HF_HOME"):
            fetched()

    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(hub_client, "hf_hub_download", full)
    with pytest.raises(InputError, match=r"The disk is full while downloading config\.json of lab/net"):
        fetched()


def test_cancelling_stops_within_a_chunk_and_keeps_whole_files(hub):
    seen = []
    weights = Weights(announce=seen.append, cancelled=lambda: bool(seen) and seen[-1].step > MIB)
    weights_module_wait, weights_module._SECONDS_BETWEEN_REPORTS = weights_module._SECONDS_BETWEEN_REPORTS, 0.0
    try:
        with pytest.raises(Cancelled):
            weights.files(CHECKPOINT)
    finally:
        weights_module._SECONDS_BETWEEN_REPORTS = weights_module_wait
    assert seen[-1].step < len(DATA)
    hub.requests.clear()
    fetched()
    assert not any(path.endswith("config.json") and verb == "GET" for verb, path, _ in hub.requests)


def test_a_local_folder_comes_first(hub, tmp_path):
    folder = tmp_path / "own" / NAME / "unet"
    folder.mkdir(parents=True)
    (folder / "mine.safetensors").write_bytes(b"mine")
    with pytest.raises(InputError, match=r"The folder .*lab/net has no file config\.json"):
        fetched(folder=tmp_path / "own")
    (folder.parent / "config.json").write_text("{}")
    files, weights = fetched(folder=tmp_path / "own")
    assert Path(files["unet/mine.safetensors"]).read_bytes() == b"mine"
    assert weights.revisions == {NAME: "local folder"} and hub.requests == []


def test_the_environment_names_the_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("RESHOOT_WEIGHTS", str(tmp_path))
    assert Weights().folder == tmp_path


def test_random_weights_ask_for_no_files():
    with pytest.raises(ValueError, match="tiny weights have no files"):
        Weights(mode="tiny").files(CHECKPOINT)


def test_a_component_is_the_same_object_for_all_and_deterministic():
    from diffusers import AutoencoderKL

    config = {"block_out_channels": (8,), "norm_num_groups": 2}

    def made(**options):
        weights = Weights(mode="tiny", **options)
        return component(weights, AutoencoderKL, CHECKPOINT, tiny=config, full={})

    first, second, other = made(), made(), made(seed=1)
    assert first is second and first is not other
    value = first.decoder.conv_in.weight.clone()
    assert not torch.equal(value, other.decoder.conv_in.weight)
    del first, second
    assert torch.equal(made().decoder.conv_in.weight, value)


def test_byte_tokenizer_is_lossless_and_needs_no_files():
    tokenizer = byte_tokenizer(300, max_length=32)
    batch = tokenizer(["slow pan", "山"], padding="max_length", return_tensors="pt")
    assert batch.input_ids.shape == (2, 32) and batch.input_ids.max() < 300
    assert tokenizer.decode(batch.input_ids[1], skip_special_tokens=True) == "山"
    with pytest.raises(ValueError, match="need 300"):
        byte_tokenizer(100)

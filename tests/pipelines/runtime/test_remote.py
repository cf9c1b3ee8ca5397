"""A hub Space shoots in another Space: a real gradio app on loopback, called with the visitor's token."""

import gc
import json
import os
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toy_method import TOY, toy_shot

import pipelines
from camera.errors import InputError
from pipelines import registry
from pipelines.method import Clip, Progress
from pipelines.methods.dimensionx.method import METHOD as DIMENSIONX
from pipelines.methods.dimensionx.method import DimensionXSettings
from pipelines.options import RunOptions
from pipelines.results.record import record
from pipelines.runtime import job_file, remote, serve
from pipelines.runtime import runner as job
from pipelines.runtime.progress_clock import Report
from pipelines.shot import Shot

gc.freeze()
TINY = RunOptions(weights="tiny")
SECRET = "between two Spaces"
TESTS = Path(__file__).parents[2]
SIBLING = """
import sys
import gradio as gr
import toy_method
from pipelines import registry
from pipelines.runtime import serve
registry.method = lambda name: {"toy": toy_method.TOY}[name]

def run_job(file: str, request: gr.Request):
    print("token", request.headers.get("x-ip-token"), flush=True)
    try:
        yield from serve.serve(file)
    finally:
        print("ended after", toy_method.behaviour.begun, flush=True)

with gr.Blocks() as page:
    file, values, result = gr.File(), gr.JSON(), gr.File()
    gr.Button().click(run_job, file, [values, result], api_name="run_job")
page.queue()
_, url, _ = page.launch(prevent_thread_lock=True, quiet=True)
print("url", url, flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def only_the_toy(monkeypatch):
    monkeypatch.setattr(registry, "method", lambda name: {"toy": TOY}[name])
    monkeypatch.setenv(job_file.SECRET_VARIABLE, SECRET)
    yield
    job.default().unload()


@pytest.fixture(scope="module")
def sibling():
    environment = os.environ | {job_file.SECRET_VARIABLE: SECRET, "PYTHONPATH": f"{TESTS}:{TESTS.parent}"}
    child = subprocess.Popen(
        [sys.executable, "-c", SIBLING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    child.place = _read(child, "url")
    yield child
    child.stdin.close()
    child.wait(120)
    child.stdout.close()


def _read(child, word):
    for line in child.stdout:
        if line.startswith(word):
            return line.removeprefix(word).strip()
    raise AssertionError(f"the sibling ended before it said {word!r}")


def test_jobs_survive_the_way_exactly(tmp_path):
    scene, path, settings = toy_shot(frames=3)
    file = job_file.write_job(tmp_path / "job.npz", Shot(TOY, scene, path, replace(settings, seed=7), TINY))
    job = job_file.read_job(file)
    there, same = job.scene, job.path
    assert (job.method, job.settings, job.options) == (TOY, replace(settings, seed=7), TINY) and job.after is None
    assert np.array_equal(there.first.colour, scene.first.colour) and np.array_equal(
        there.first.known, scene.first.known
    )
    assert np.array_equal(same.world_from_camera, path.world_from_camera) and same.fps == path.fps
    assert (there.kind, there.unit, there.source) == (scene.kind, scene.unit, scene.source)


@pytest.mark.parametrize("damage", ["empty", "cut", "pickle", "not a zip", "nan pose"])
def test_damaged_jobs_are_refused_in_words(tmp_path, damage):
    scene, path, settings = toy_shot()
    file = job_file.write_job(tmp_path / "job.npz", Shot(TOY, scene, path, settings, TINY))
    data = file.read_bytes()
    if damage == "pickle":
        np.savez(file, head=np.array([{}], dtype=object))
    elif damage == "nan pose":
        with np.load(file) as arrays:
            np.savez(file, **dict(arrays) | {"poses": np.full((2, 4, 4), np.nan)})
    else:
        file.write_bytes({"empty": b"", "cut": data[: len(data) // 2], "not a zip": b"x" * 100}[damage])
    with pytest.raises(InputError):
        job_file.read_job(file)


@pytest.mark.parametrize("damage", ["none", "empty", "cut", "no head", "a name outside"])
def test_damaged_results_are_refused_in_words(tmp_path, damage):
    scene, path, _ = toy_shot()
    clip = Clip(np.zeros((2, 16, 16, 3), np.uint8), 24.0, path.sliced(slice(0, 2)), files={"notes.txt": b"held"})
    shot = Shot(TOY, scene, path, TOY.settings(), TINY)
    file = serve._pack(tmp_path, clip, record(shot))
    data = file.read_bytes()
    if damage == "none":
        assert job_file.read_result(file)[0].files == {"notes.txt": b"held"}
        return
    if damage in ("empty", "cut"):
        file.write_bytes({"empty": b"", "cut": data[: len(data) // 2]}[damage])
    else:
        with zipfile.ZipFile(file) as packed:
            parts = {name: packed.read(name) for name in packed.namelist()}
        head = json.loads(parts.pop("head.json")) | {"files": {"notes.txt": str(tmp_path / "private.txt")}}
        (tmp_path / "private.txt").write_bytes(b"of this computer")
        with zipfile.ZipFile(file, "w") as packed:
            for name, part in (
                parts.items() if damage == "no head" else {**parts, "head.json": json.dumps(head)}.items()
            ):
                packed.writestr(name, part)
    with pytest.raises(InputError, match=r"other Space|damaged"):
        job_file.read_result(file)


def test_a_job_names_no_files(tmp_path, monkeypatch):
    scene, path, _ = toy_shot()
    job = Shot(DIMENSIONX, scene, path, DimensionXSettings(lora_file="/etc/passwd"), TINY)
    with pytest.raises(InputError, match="files on your computer cannot be sent"):
        job_file.write_job(tmp_path / "job.npz", job)
    with monkeypatch.context() as patched:
        patched.setattr(job_file, "_check_no_files", lambda settings: None)
        file = job_file.write_job(tmp_path / "job.npz", job)
    monkeypatch.setattr(registry, "method", lambda name: DIMENSIONX)
    with pytest.raises(InputError, match="files on your computer cannot be sent"):
        job_file.read_job(file)


def test_only_who_holds_the_secret_is_served(tmp_path, monkeypatch):
    scene, path, settings = toy_shot()
    file = job_file.write_job(tmp_path / "job.npz", Shot(TOY, scene, path, settings, TINY))
    with pytest.raises(InputError, match="was not signed with"):
        job_file.check_sender(file)
    job_file.check_sender(job_file.sign(file))
    assert np.array_equal(job_file.read_job(file).path.world_from_camera, path.world_from_camera)
    data = file.read_bytes()
    file.write_bytes(data[:200] + bytes([data[200] ^ 1]) + data[201:])
    with pytest.raises(InputError, match="was not signed with"):
        job_file.check_sender(file)
    file.write_bytes(data)
    now = time.time()
    monkeypatch.setattr(job_file.time, "time", lambda: now + 2 * job_file.PROOF_SECONDS)
    with pytest.raises(InputError, match="too old"):
        job_file.check_sender(file)
    monkeypatch.delenv(job_file.SECRET_VARIABLE)
    assert "does not shoot for other Spaces" in next(serve.serve(str(file)))[0]["refused"]


def test_only_methods_that_are_offered_are_shot(tmp_path, monkeypatch):
    scene, path, settings = toy_shot()
    file = job_file.write_job(tmp_path / "job.npz", Shot(TOY, scene, path, settings, TINY))
    monkeypatch.setenv("RESHOOT_METHODS", "gen3c")
    assert "toy is not offered" in next(serve.serve(str(job_file.sign(file))))[0]["refused"]


def test_a_job_that_would_fill_the_memory_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(job_file, "LARGEST_JOB", 10**6)
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("view0.colour.npy", b"\0" * (2 * 10**6))
    with pytest.raises(InputError, match="unpacks to more than"):
        job_file.read_job(tmp_path / "bomb.npz")


def test_a_sibling_shoots_with_the_visitors_token(sibling):
    items = list(remote.run(sibling.place, Shot(TOY, *toy_shot(), TINY), headers={"X-IP-Token": "visitor"}))
    assert _read(sibling, "token") == "visitor"
    assert [item.step for item in items if isinstance(item, Progress) and item.phase == "Denoising"][-1] == 4
    clip, report = items[-2:]
    assert isinstance(clip, Clip) and isinstance(report, Report) and report.options["weights"] == "tiny"
    here = next(item for item in job.default().run(Shot(TOY, *toy_shot(), TINY)) if isinstance(item, Clip))
    assert clip.frames.shape == here.frames.shape
    brightness = [frames.mean(axis=-1) for frames in (clip.frames, here.frames)]
    assert np.corrcoef(*(values.ravel() for values in brightness))[0, 1] > 0.8, "through H.264"
    assert "process" in clip.files and len(clip.path) == 2


def test_a_siblings_refusal_arrives_in_its_words(sibling):
    scene, path, settings = toy_shot()
    with pytest.raises(InputError, match=r"^The toy needs sizes in multiples of 16, got 60 x 64\.$"):
        list(remote.run(sibling.place, Shot(TOY, scene, path.resized(60, 64), settings, TINY)))


def test_closing_cancels_in_the_sibling(sibling):
    scene, path, settings = toy_shot()
    run = remote.run(sibling.place, Shot(TOY, scene, path, replace(settings, steps=500), TINY))
    while next(run).phase != "Denoising":
        pass
    run.close()
    _read(sibling, "token")
    began = time.monotonic()
    assert int(_read(sibling, "ended after")) < 400
    assert time.monotonic() - began < 10


def test_a_sibling_that_is_not_there_is_named():
    with pytest.raises(InputError, match=r"http://127\.0\.0\.1:9 that shoots toy does not answer"):
        list(remote.run("http://127.0.0.1:9", Shot(TOY, *toy_shot(), TINY)))


def test_generate_goes_where_the_process_runs_things(monkeypatch):
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    assert isinstance(list(pipelines.generate(Shot(TOY, *toy_shot(), TINY)))[-1], Report)
    monkeypatch.setenv("RESHOOT_SIBLINGS", "gen3c=a/b, toy=http://127.0.0.1:9")
    assert remote.siblings() == {"gen3c": "a/b", "toy": "http://127.0.0.1:9"}
    assert next(pipelines.generate(Shot(TOY, *toy_shot(), TINY))).note == "http://127.0.0.1:9"

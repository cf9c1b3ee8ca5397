"""Uploaded clips: zips and loose files go into one folder, and the same files always into the same folder."""

from __future__ import annotations

import zipfile

import pytest

from camera.errors import InputError
from pipelines.methods.dimensionx.training.uploads import collect_clips, find_source, trainings_folder


def packed(file, entries: dict[str, bytes]):
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return file


def inside(folder) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_loose_files_and_a_zip_of_them_are_the_same_training(tmp_path):
    files = {"a.mp4": b"one", "a.txt": b"words"}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    root = tmp_path / "trainings"
    loose = collect_clips([tmp_path / name for name in files], "orbit_left", root)
    zipped = collect_clips([packed(tmp_path / "clips.zip", files)], "orbit_left", root)
    assert loose == zipped and loose.parent == root and inside(loose) == {"clips/a.mp4", "clips/a.txt"}
    assert find_source(loose / "clips") == loose / "clips"
    others = {
        collect_clips([tmp_path / "clips.zip"], "orbit_right", root),
        collect_clips([packed(tmp_path / "more.zip", {**files, "a.txt": b"other words"})], "orbit_left", root),
    }
    assert len(others | {loose}) == 3 and inside(root) == {
        f"{folder.name}/{name}" for folder in (others | {loose}) for name in inside(folder)
    }


def test_a_folder_in_a_zip_and_a_table_are_found(tmp_path):
    nested = collect_clips([packed(tmp_path / "a.zip", {"mine/a.mp4": b"", "mine/a.txt": b""})], "n", tmp_path / "t")
    assert find_source(nested / "clips") == nested / "clips" / "mine"
    entries = {"table.csv": b"", "one/a.mp4": b"", "two/b.mp4": b""}
    table = collect_clips([packed(tmp_path / "b.zip", entries)], "n", tmp_path / "t")
    assert find_source(table / "clips").name == "table.csv"


def test_nothing_but_clips_and_captions_leaves_a_zip(tmp_path):
    entries = ["run.py", ".hidden.txt", "__MACOSX/a.mp4", "good.mp4"]
    folder = collect_clips([packed(tmp_path / "a.zip", dict.fromkeys(entries, b"x"))], "n", tmp_path / "t")
    assert inside(tmp_path) == {"a.zip", f"t/{folder.name}/clips/good.mp4"}
    for outside in ("../out.mp4", "/abs.mp4", "a/../../up.txt"):
        with pytest.raises(InputError, match="leaves its folder"):
            collect_clips([packed(tmp_path / "b.zip", {outside: b"x"})], "n", tmp_path / "t")
    assert inside(tmp_path) == {"a.zip", "b.zip", f"t/{folder.name}/clips/good.mp4"}


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"a.txt": b""}, "no video"),
        ({"a.csv": b"", "b.csv": b"", "c.mp4": b""}, "2 CSV files"),
        ({"one/a.mp4": b"", "two/b.mp4": b""}, "in 2 folders"),
    ],
)
def test_what_cannot_be_read_as_clips_is_said(tmp_path, entries, words):
    folder = collect_clips([packed(tmp_path / "a.zip", entries)], "n", tmp_path / "t")
    with pytest.raises(InputError, match=words):
        find_source(folder / "clips")


@pytest.mark.parametrize("named", ["/etc/a.mp4", "../../../a.mp4", "a\0b.mp4"])
def test_a_table_names_only_what_came_with_it(tmp_path, named):
    table = f"file,caption\n{named},a street\n".encode()
    folder = collect_clips([packed(tmp_path / "a.zip", {"a.csv": table, "b.mp4": b""})], "n", tmp_path / "t")
    with pytest.raises(InputError, match="was not uploaded with it"):
        find_source(folder / "clips")


def test_wrong_files_are_refused(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"no zip")
    (tmp_path / "a.py").write_bytes(b"")
    for files, words in (([], "needs clips"), (["a.zip"], "damaged"), (["a.py"], "neither a clip nor a caption")):
        with pytest.raises(InputError, match=words):
            collect_clips([tmp_path / file for file in files], "n", tmp_path / "t")
    with pytest.raises(InputError, match="letters, digits"):
        collect_clips([tmp_path / "a.py"], "../n", tmp_path / "t")
    assert not list((tmp_path / "t").iterdir())


def test_trainings_live_where_one_says(monkeypatch, tmp_path):
    monkeypatch.setenv("RESHOOT_TRAININGS", str(tmp_path))
    assert trainings_folder() == tmp_path
    monkeypatch.delenv("RESHOOT_TRAININGS")
    assert trainings_folder().parts[-2:] == ("reshoot", "trainings")

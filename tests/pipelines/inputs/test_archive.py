"""Untrusted zip files: entries outside the folder, too much data and damage are refused before anything is written."""

import zipfile
from pathlib import PurePosixPath

import pytest

from camera.errors import InputError
from pipelines.inputs.archive import open_folder, unpack


@pytest.fixture
def packed(tmp_path):
    def make(entries, name="some.zip"):
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
            for entry, content in entries.items():
                archive.writestr(entry, content)
        return tmp_path / name

    return make


def test_a_zip_is_a_folder_for_the_while(packed, tmp_path):
    with open_folder(packed({"a/b.txt": "b", "c.txt": "c"})) as folder:
        assert (folder / "a/b.txt").read_text() == "b" and (folder / "c.txt").is_file()
    assert not folder.exists()
    with open_folder(tmp_path) as same:
        assert same == tmp_path


def test_only_what_is_chosen_is_unpacked_where_it_shall_be(packed, tmp_path):
    source = packed({"deep/in/a.jpg": "a", "b.exe": "b"})
    unpack(source, tmp_path / "out", place=lambda name: PurePosixPath("x.jpg") if name.endswith("jpg") else None)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["x.jpg"]


@pytest.mark.parametrize("name", ["../up.txt", "/etc/up.txt", "a/../../up.txt", "a\\..\\up.txt"])
def test_nothing_leaves_its_folder(packed, tmp_path, name):
    with pytest.raises(InputError, match="leaves its folder"):
        unpack(packed({name: "x"}), tmp_path / "out")
    assert not list(tmp_path.rglob("up.txt"))


def test_too_much_is_refused_unread(packed, tmp_path):
    bomb = packed({"zeros": b"\0" * (1 << 20)})
    with pytest.raises(InputError, match="more than 20000 files or 0 GiB"):
        unpack(bomb, tmp_path / "out", most_bytes=1 << 19)
    with pytest.raises(InputError, match="more than 1 files"):
        unpack(packed({"a": "", "b": ""}, "two.zip"), tmp_path / "out", most_files=1)
    assert not (tmp_path / "out").exists()


def test_damage_and_other_files_are_refused_in_words(packed, tmp_path):
    whole = packed({"a.bin": bytes(range(256)) * 64})
    data = bytearray(whole.read_bytes())
    data[60:80] = b"\xff" * 20
    (tmp_path / "bad.zip").write_bytes(data)
    with pytest.raises(InputError, match="damaged or encrypted"):
        unpack(tmp_path / "bad.zip", tmp_path / "out")
    (tmp_path / "no.zip").write_text("no")
    with pytest.raises(InputError, match="neither a folder nor a zip"), open_folder(tmp_path / "no.zip"):
        pass

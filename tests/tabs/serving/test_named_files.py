"""Our files are requested by name: no response reveals the server's folders, and no other file can be requested this way."""

from __future__ import annotations

import json
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import unquote

from bench.load import EXAMPLE
from tabs.browser import stage
from tabs.browser.timeline.component import SCRIPTS
from tabs.project import folders
from tabs.serving.named_files import FOLDERS, address_of, file_of

ROOT = Path(__file__).parents[3]


def asked(url: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_addresses_lead_back_to_their_files():
    scripts = [stage.PLOTLY_JS, *stage.DRAWING.glob("*.js"), *SCRIPTS.glob("*.js"), folders.ROOT / "a b" / "c%.bin"]
    for file in scripts:
        assert str(file.parent) not in address_of(file)
        assert file_of(unquote(f"/{address_of(file)}")) == file
    assert address_of(Path("/elsewhere/a.bin")) == "gradio_api/file=/elsewhere/a.bin"
    assert file_of("/files/unknown/a.js") is None and file_of("/config") is None


def test_scripts_come_whole_and_nothing_beside_them(whole_app):
    _, url = whole_app
    for file in (stage.PLOTLY_JS, stage.DRAWING / "eye.js", SCRIPTS / "timeline.js"):
        assert asked(url + address_of(file)) == (200, file.read_bytes())
    for wrong in (
        "browser/stage.py",
        "browser/drawing/%2e%2e/stage.py",
        "browser//etc/passwd",
        "browser/%2fetc%2fpasswd",
        "x/eye.js",
    ):
        assert asked(f"{url}files/{wrong}") == (404, b'{"detail":"Not Found"}'), wrong


def test_what_a_session_shows_is_sent_and_neither_page_nor_answer_says_where_it_is(whole_app):
    page, url = whole_app
    names = {fn.api_name: number for number, fn in page.fns.items()}

    def call(name: str, *data) -> bytes:
        body = json.dumps({"fn_index": names[name], "data": data, "session_hash": "one"}).encode()
        request = urllib.request.Request(f"{url}gradio_api/run/predict", body, {"Content-Type": "application/json"})
        return urllib.request.urlopen(request).read()

    opened = page.fns[names["gen3c_open_example"]]
    call("gen3c_open_example", *[None] * (len(opened.inputs) - 1), EXAMPLE)
    drawn = page.fns[names["gen3c_draw"]]
    values = {each["id"]: each["props"].get("value") for each in json.loads(asked(f"{url}config")[1])["components"]}
    answer = call("gen3c_draw", *[values.get(each._id) for each in drawn.inputs])
    assert b'"points":{"url":"files/sessions/' in answer
    shown = next(each for each in json.loads(answer)["data"] if isinstance(each, dict) and "points" in each)
    status, points = asked(url + shown["points"]["url"])
    file = file_of(shown["points"]["url"])
    assert file is not None and status == 200 and points == file.read_bytes()
    for said in (answer, asked(url)[1]):
        assert str(ROOT).encode() not in said and str(folders.ROOT).encode() not in said
    assert tempfile.gettempdir().encode() not in answer


def test_every_folder_is_there():
    assert all(folder.is_dir() for folder in FOLDERS.values())

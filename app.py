"""Reshoot: one Gradio app, a tab per method. ``python app.py`` starts it; on a Space this file is the app."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from functools import cache
from importlib import import_module
from pathlib import Path

from camera.errors import InputError, describe_fault
from pipelines.environment import METHODS_VARIABLE, offered_methods, on_zerogpu
from tabs.light_gradio import light_gradio

try:
    tempfile.gettempdir()
except FileNotFoundError as no_folder:  # Gradio would end with a traceback, while it is imported
    sys.exit(describe_fault(no_folder))

if on_zerogpu():  # the spaces package must be there before anything can touch CUDA
    import pipelines.runtime.zerogpu  # noqa: F401

with light_gradio():
    import gradio as gr

from starlette.middleware import Middleware

from pipelines import NAMES, method
from pipelines.registry import FIVE
from pipelines.results import process_folder
from tabs import theme
from tabs.compare import tab as compare
from tabs.evaluation import tab as takes
from tabs.exports.pack import Exports
from tabs.parts import method_tab
from tabs.parts.form import VISITORS, wrap_handler
from tabs.project import folders
from tabs.project.link import decode_link
from tabs.scene import tab as scene
from tabs.scene_parts.captures import Captures
from tabs.scene_parts.section import SceneParts
from tabs.serving import kernels_ahead
from tabs.serving.ending import NoNewWork, on_sigterm
from tabs.serving.first_page import FirstPage
from tabs.serving.headers import SafeHeaders
from tabs.serving.light_page import defer_server, lighten, skip_reload_check
from tabs.serving.named_files import NamedFiles
from tabs.serving.own_words import use_own_words
from tabs.serving.patient_start import patient_start
from tabs.serving.short_calls import limit_short_calls
from tabs.serving.status_page import StatusPages
from tabs.shared.autosave import Autosave
from tabs.shared.move import Move
from tabs.shared.old_endpoints import Shared
from tabs.shared.project_file import ProjectFiles
from tabs.shared.rehearsal import PathDownload, Rehearsal
from tabs.shared.restore import Restore
from tabs.shared.source import Source
from tabs.shared.stage import Stage
from tabs.shared.studio import Studio
from tabs.shared.undo import Undo

HERE = Path(__file__).parent
SESSIONS = 300
"""Maximum number of visitors whose state is kept; each takes about a quarter of a megabyte, plus the open scene."""
UPLOAD_LIMIT = "600mb"
"""Upload limit; the largest usual upload is a DimensionX LoRA of 529 MB."""
HOUR = 3600
PAGE_FIRST = 1.0
"""Seconds from the first visit to the warm-up, so that page and figure come first."""


@defer_server()
def build() -> gr.Blocks:
    """The whole page; RESHOOT_METHODS chooses tabs, for a Space that carries one heavy method.

    Picture, move and stage appear once. A tab holds the parts of one method: its controls on the left, its results below
    the stage.
    """
    with gr.Blocks(title="Reshoot", delete_cache=(HOUR, 6 * HOUR), fill_width=True) as page:
        lighten(page)
        page.queue(max_size=VISITORS, default_concurrency_limit=2)
        gr.Markdown(
            "# Reshoot\nDraw one camera move, rehearse it in 3D, and shoot it with five published methods.",
            elem_id="title",
        )
        studio = Studio([method(name) for name in _with_tabs()])
        with gr.Row(elem_id="studio"):
            studio.controls = gr.Column(scale=4, min_width=340, elem_id="controls")
            studio.viewing = gr.Column(scale=7, min_width=340, elem_id="viewing")
        shared = _shared(studio)
        with studio.controls:
            _tabs(page, studio, shared)
        shared.move.connect()
        shared.stage.connect()
        shared.restore.connect(page)
        shared.autosave.connect(shared.source)
        studio.connect()
        _serve_siblings()
        aside: dict = {"api_visibility": "private", "queue": False, "show_progress": "hidden"}
        page.load(wrap_handler(_linked_tab), None, studio.tabs, **aside)
        page.load(wrap_handler(_visited), **aside)
        limit_short_calls(page)
        use_own_words(page)
    return page


def _shared(studio: Studio) -> Shared:
    """Place the sections that all methods share."""
    with studio.controls, gr.Column(elem_id="shared"):
        undo, kept, source = Undo(studio), Autosave(studio), Source(studio)
        SceneParts(studio, source.status)
        Captures(studio, source.status)
        move = Move(studio)
    with studio.viewing:
        stage = Stage(studio, move)
        rehearsal = Rehearsal(studio)
        for number, name in enumerate((*studio.methods, compare.ID)):
            studio.results[name] = gr.Column(visible=number == 0, elem_id=f"{name}-results")
        download = PathDownload(studio)
        Exports(studio)
        restore = Restore(studio, source)
        ProjectFiles(studio, source)
    undo.connect(source, rehearsal)
    return Shared(studio, source, move, stage, rehearsal, download, restore, kept)


def _tabs(page: gr.Blocks, studio: Studio, shared: Shared) -> None:
    """Place a tab for each method, the five first, and the tabs that all methods share."""
    with gr.Tabs(elem_id="methods") as studio.tabs:
        for name, record in studio.methods.items():
            title = record.title if name in FIVE else f"Also: {record.title}"
            with gr.Tab(title, id=name, elem_id=f"{name}-tab") as tab:
                if name in FIVE:
                    import_module(f"tabs.{name}.tab").build(studio, shared)
                else:
                    method_tab.build(record, studio, shared)
            studio.selects(tab, name, name)
        with gr.Tab("Side by side", id=compare.ID, elem_id="compare-tab") as tab:
            compare.build(studio, shared)
        studio.selects(tab, compare.ID)
        with gr.Tab("Camera report", id=takes.ID, elem_id="takes-tab"):
            takes.build(studio)
        with gr.Tab("Scene", id=scene.ID, elem_id="scene-tab"):
            scene.build(page, studio.tabs, studio.project)


def _with_tabs() -> tuple[str, ...]:
    """Offered methods, the five first."""
    return offered_methods(NAMES)


def _serve_siblings() -> None:
    """Add the endpoint through which a hub Space shoots here; it is not visible in the page."""
    from pipelines.runtime.remote import ENDPOINT

    def run_job(job: str):
        from pipelines.runtime.serve import serve

        yield from serve(job)

    job, progress, result = gr.File(visible=False), gr.JSON(visible=False), gr.File(visible=False)
    gr.Button(visible=False).click(wrap_handler(run_job), job, [progress, result], api_name=ENDPOINT.strip("/"))


def _linked_tab(request: gr.Request):
    """The tab of the shot that the address links to."""
    text = request.query_params.get("s")
    if not text:
        return gr.skip()
    name = decode_link(text)["method"]
    if name not in _with_tabs():
        raise InputError(
            f"This link opens a shot with {name}, which this app does not offer; ask the sender for the app's address."
        )
    return gr.Tabs(selected=name)


def launch(page: gr.Blocks, **changes) -> tuple:
    """Start the server with our limits, theme and files; ``changes`` are passed to `gr.Blocks.launch`."""
    options = {
        "theme": theme.theme(),
        "css_paths": [HERE / "tabs" / "app.css"],
        "share": os.environ.get("SHARE") == "1",
        "max_file_size": UPLOAD_LIMIT,
        "allowed_paths": [str(folders.ROOT)],
        "state_session_capacity": SESSIONS,
        "max_threads": VISITORS + 60,
        "show_error": True,
        "footer_links": ["api", "gradio", "settings"],
        "app_kwargs": {"middleware": [*map(Middleware, (SafeHeaders, NoNewWork, StatusPages, FirstPage, NamedFiles))]},
    }
    threading.Thread(target=process_folder.remove_abandoned, name="sweep", daemon=True).start()
    with patient_start(), skip_reload_check():
        return page.launch(**{**options, **changes})


@cache
def _visited() -> None:
    """Compile the renderers at the first visit, while the visitor is still reading: the page is already delivered."""
    warming = threading.Timer(PAGE_FIRST, _warmed)
    warming.name, warming.daemon = "warm-up", True
    warming.start()


def _warmed() -> None:
    """Load the renderers, from disk if the other process has compiled them."""
    from pipelines.rehearsal import warm_up

    kernels_ahead.wait()
    warm_up()


def _preload() -> None:
    """On ZeroGPU, move the networks of the methods in RESHOOT_METHODS to the future GPU before the page is launched."""
    if on_zerogpu() and os.environ.get(METHODS_VARIABLE):
        from pipelines.options import RunOptions
        from pipelines.runtime.zerogpu import preload

        preload(offered_methods(NAMES), RunOptions())


if __name__ == "__main__":
    private = process_folder.make_folder()
    process_folder.use_for_temporary_files(private)
    on_sigterm(folders.ROOT, private)
    kernels_ahead.begin()
    _preload()
    launch(build())

"""Makes Gradio describe a page once, create one server for it, and keep no description per session.

Gradio describes all components, and makes a whole web server, four times before the first visitor comes: when the page is
begun, when its queue is set, when it is complete and when it is launched. Here the description of the complete page is kept,
and the server is made at the launch only.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr
from gradio import blocks
from gradio.blocks import BlocksConfig

_NOTHING: dict = {}
"""One for all, as nothing is ever written to it."""
_SERVER = "App"
"""The name of the server class in `gradio.blocks`."""


class _DeferredServer:
    """Stands for Gradio's class of servers while a page is built: `gr.Blocks.launch` makes the one that is used."""

    @staticmethod
    def create_app(*made_of: Any, **also: Any) -> None:
        return None


@contextmanager
def defer_server() -> Iterator[None]:
    """A context in which pages are built without servers and without garbage collection."""
    servers, collecting = getattr(blocks, _SERVER), gc.isenabled()
    setattr(blocks, _SERVER, _DeferredServer)
    gc.disable()
    try:
        yield
    finally:
        setattr(blocks, _SERVER, servers)
        if collecting:
            gc.enable()


@contextmanager
def skip_reload_check() -> Iterator[None]:
    """A context in which Gradio asks whether it reloads itself only where its command line, which does that, is loaded."""
    name = "_is_running_in_reload_thread"
    asked = vars(gr.Blocks)[name]

    def reloads(page: gr.Blocks) -> bool:
        return "gradio.cli.commands.reload" in sys.modules and asked.fget(page)

    setattr(gr.Blocks, name, property(reloads))
    try:
        yield
    finally:
        setattr(gr.Blocks, name, asked)


class _PageConfig(BlocksConfig):
    """The page's components and events; each new session gets a copy."""

    _described: tuple[tuple[int, int], dict] | None = None

    def __copy__(self) -> BlocksConfig:
        copied = super().__copy__()
        copied.__class__ = _SessionConfig
        return copied

    def get_config(self, renderable: Any = None) -> dict:
        """Gradio's description; made again only where components or events were added."""
        if renderable is not None:
            return super().get_config(renderable)
        size = len(self.blocks), len(self.fns)
        if self._described is None or self._described[0] != size:
            self._described = size, super().get_config()
        return dict(self._described[1])


class _SessionConfig(BlocksConfig):
    """A session's copy: its components are described to nobody.

    Gradio would describe all of them for every session at its first event (0.4 s, 1 MB on a page of 1,100 components), so
    that its deep links can store them.
    """

    @staticmethod
    def config_for_block(*described, **also) -> dict:  # type: ignore[override]
        return _NOTHING


def lighten(page: gr.Blocks) -> None:
    """From now on ``page`` is described once and its sessions cost what they hold; Gradio's own deep links find nothing on it."""
    page.default_config.__class__ = _PageConfig

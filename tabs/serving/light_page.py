"""Makes Gradio describe a page once, create one server for it, and keep no description per session.

Gradio describes all components, and creates a whole web server, four times before the first visitor comes: when the page is
created, when its queue is set, when it is complete and when it is launched. Here the description of the complete page is
cached, and the server is created only at launch.
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
"""A shared empty dictionary, which is never modified."""
_SERVER = "App"
"""The name of the server class in `gradio.blocks`."""


class _DeferredServer:
    """Replaces Gradio's server class while a page is built: `gr.Blocks.launch` creates the real one."""

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
    """A context in which Gradio checks whether it reloads itself only if its command line, which does that, is loaded."""
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
        """Gradio's description; recomputed only if components or events were added."""
        if renderable is not None:
            return super().get_config(renderable)
        size = len(self.blocks), len(self.fns)
        if self._described is None or self._described[0] != size:
            self._described = size, super().get_config()
        return dict(self._described[1])


class _SessionConfig(BlocksConfig):
    """A session's copy, whose components are never described.

    Gradio would describe all of them for every session at its first event (0.4 s, 1 MB on a page of 1,100 components), so
    that its deep links can store them.
    """

    @staticmethod
    def config_for_block(*described, **also) -> dict:  # type: ignore[override]
        return _NOTHING


def lighten(page: gr.Blocks) -> None:
    """From now on ``page`` is described once and sessions store no descriptions; Gradio's own deep links do not work with it."""
    page.default_config.__class__ = _PageConfig

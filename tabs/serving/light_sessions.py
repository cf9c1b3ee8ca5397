"""Sessions without Gradio's second description of the page, which it keeps for links that this app makes itself."""

from __future__ import annotations

import gradio as gr
from gradio.blocks import BlocksConfig

_NOTHING: dict = {}
"""One for all, as nothing is ever written to it."""


class _PageConfig(BlocksConfig):
    """The page's components and events; each new session gets a copy."""

    def __copy__(self) -> BlocksConfig:
        copied = super().__copy__()
        copied.__class__ = _SessionConfig
        return copied


class _SessionConfig(BlocksConfig):
    """A session's copy: its components are described to nobody.

    Gradio would describe all of them for every session at its first event (0.4 s, 1 MB on a page of 1,100 components), so
    that its deep links can store them.
    """

    @staticmethod
    def config_for_block(*described, **also) -> dict:  # type: ignore[override]
        return _NOTHING


def with_light_sessions(page: gr.Blocks) -> gr.Blocks:
    """The same page, whose sessions cost what they hold; Gradio's own deep links find nothing on it."""
    page.default_config.__class__ = _PageConfig
    return page

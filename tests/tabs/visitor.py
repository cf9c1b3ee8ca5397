"""Visitors who use the served app through its API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradio_client import Client

PATIENCE_SECONDS = 240
"""Seconds to wait for an answer: httpx's default of 5 is too short for a busy machine."""
_described: dict[tuple[str, str], dict] = {}


class Visitor(Client):
    """Gradio's client with its own session. An app's description is fetched once for all its visitors.

    Use it only for an app that is served to the end of the tests: if another app reuses its address, the description is outdated.
    """

    def __init__(self, address: str, folder: object = None) -> None:
        """``folder``: where downloads go; by default, where Gradio's client puts them."""
        where: dict[str, Any] = {"download_files": str(folder)} if folder else {}
        super().__init__(address, verbose=False, httpx_kwargs={"timeout": PATIENCE_SECONDS}, **where)

    def _get_config(self) -> dict:
        return self._once("config", super()._get_config)

    def _get_api_info(self) -> dict:
        return self._once("api", super()._get_api_info)

    def _once(self, what: str, ask: Callable[[], dict]) -> dict:
        key = self.src, what
        if key not in _described:
            _described[key] = ask()
        return _described[key]

"""Visitors of the served app who come through its API."""

from __future__ import annotations

from typing import Any

from gradio_client import Client

_described: dict[tuple[str, str], Any] = {}


class Visitor(Client):
    """Gradio's client with a session of its own. What an app says of itself is fetched once for all its visitors.

    Use it only for an app that is served until the tests end: where another is served at its address later, this is out of date.
    """

    def _get_config(self) -> dict:
        return self._once("config", super()._get_config)

    def _get_api_info(self, *given, **named):
        return self._once("api", lambda: super(Visitor, self)._get_api_info(*given, **named))

    def _once(self, what: str, ask):
        key = self.src, what
        if key not in _described:
            _described[key] = ask()
        return _described[key]

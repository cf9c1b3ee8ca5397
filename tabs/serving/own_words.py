"""Rewrites Gradio's errors about invalid inputs as sentences without class names, function names and our folders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio.exceptions import InvalidPathError

from camera.errors import json_kind

NOT_UPLOADED = "Files that were not uploaded here cannot be opened; upload the file and use the name that is returned."
_TAKES = {
    "slider": "a number", "number": "a number", "checkbox": "true or false", "textbox": "text", "dropdown": "one of its choices",
    "radio": "one of its choices", "checkboxgroup": "a list of its choices", "file": "an uploaded file",
    "image": "an uploaded picture", "video": "an uploaded video", "gallery": "a list of uploaded pictures",
}  # fmt: skip


def use_own_words(page: gr.Blocks) -> None:
    """Make the events of ``page`` use these messages for invalid inputs."""
    page._format_processing_error = describe_input  # type: ignore[method-assign]
    page.preprocess_data = _in_words(page.preprocess_data)  # type: ignore[method-assign]


def describe_input(block_fn: Any, index: int, block: Any, value: Any, is_input: bool, original_error: Exception) -> str:
    """One sentence: which input, what it accepts, and what was received."""
    if not is_input:
        return "An output of this event could not be shown; reload the page."
    kind = block.get_block_name()
    name = getattr(block, "label", None) or f"Input {index + 1}"
    takes = _TAKES.get(kind, "another kind of value")
    return f"{name} ({kind}) accepts {takes}, got {json_kind(value)}; see /gradio_api/info for what each input accepts."


def _in_words(preprocess: Callable) -> Callable:
    async def preprocess_data(block_fn: Any, inputs: list, *given: Any, **named: Any) -> Any:
        if len(inputs) < len(block_fn.inputs):
            words = f"This event takes {len(block_fn.inputs)} values, got {len(inputs)}; see /gradio_api/info for what they are."
            raise gr.Error(words, print_exception=False)
        try:
            return await preprocess(block_fn, inputs, *given, **named)
        except InvalidPathError:
            raise gr.Error(NOT_UPLOADED, print_exception=False) from None

    return preprocess_data

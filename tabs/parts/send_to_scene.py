"""The button beside a result that opens it in the Scene tab."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import gradio as gr
from gradio.blocks import Block


@dataclass(frozen=True, eq=False)
class Offer:
    """A button beside a result; the state ``shot`` contains the result's mp4."""

    button: gr.Button
    shot: gr.State


_offers: WeakKeyDictionary[gr.Blocks, list[Offer]] = WeakKeyDictionary()


def scene_button(name: str, shot: gr.State, *, label: str = "Send this shot to Scene") -> gr.Button:
    """Place the button, hidden until there is a result. The Scene tab, which is placed later, connects it."""
    button = gr.Button(label, size="sm", visible=False, elem_id=f"{name}-to-scene")
    shot.change(
        lambda shot: gr.Button(visible=bool(shot)),
        shot,
        button,
        api_visibility="private",
        queue=False,
        show_progress="hidden",
    )
    _offers.setdefault(_page_of(button), []).append(Offer(button, shot))
    return button


def _page_of(block: Block) -> gr.Blocks:
    while block.parent is not None:
        block = block.parent
    assert isinstance(block, gr.Blocks)
    return block


def offers(page: gr.Blocks) -> list[Offer]:
    """The buttons placed on ``page`` so far."""
    return _offers.get(page, [])

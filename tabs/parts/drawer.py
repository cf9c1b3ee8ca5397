"""A searchable drawer for the additional controls of a method."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

_HERE = Path(__file__).parent


class Drawer:
    """A context: components placed in it are in the drawer, below a search field that leaves only controls whose label or help
    contains all typed words."""

    def __init__(self, name: str, label: str = "All other settings") -> None:
        self.place = gr.Accordion(label, open=False, elem_id=f"{name}-drawer", elem_classes="drawer")
        self.name = name

    def __enter__(self) -> Drawer:
        self.place.__enter__()
        gr.HTML(
            value=None,
            elem_id=f"{self.name}-search",
            html_template='<input type="search" class="drawer-search" placeholder="Search settings" aria-label="Search settings">'
            '<p class="drawer-none" hidden>No setting has these words.</p>',
            js_on_load=(_HERE / "drawer.js").read_text(),
            apply_default_css=False,
        )
        return self

    def __exit__(self, *error) -> None:
        self.place.__exit__(*error)

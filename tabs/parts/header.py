"""The header of a method's tab: summary, use of the camera, links and licences."""

from __future__ import annotations

import gradio as gr

from pipelines.method import Licence, Method


def header(method: Method) -> None:
    """Place title, summary, the note on the camera, links and licences."""
    links = {"paper": method.paper, "code": method.code, **method.links}
    shown = " · ".join(f"[{name}]({url})" for name, url in links.items())
    nominal = " **The drawn path is nominal.**" if method.nominal else ""
    gr.Markdown(
        f"**{method.summary}**  \n{method.camera_use}{nominal}\n\n"
        f"<details><summary>Paper, code and licences</summary><small>{shown} · {' · '.join(map(_licence, method.licences))}"
        "</small></details>",
        elem_classes="method-header",
    )


def _licence(licence: Licence) -> str:
    name = f"[{licence.name}]({licence.url})" if licence.url else licence.name
    return f"{licence.part}: {name}" + (f" ({licence.note})" if licence.note else "")

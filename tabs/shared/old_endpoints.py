"""Old endpoint names from when every tab had its own scene; they work for one more version.

``METHOD_open_example`` now opens a scene for all methods, like ``open_example``; endpoints that frame a scene (``rehearse``,
``path_file``, ``restore``) frame it for that method. Remove this module with the next version.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial, update_wrapper

from gradio.components import Component

from pipelines.method import Method, Moves
from tabs.keys.edits import edit_keys
from tabs.parts import form
from tabs.project.project import Project
from tabs.shared.autosave import Autosave
from tabs.shared.move import Move
from tabs.shared.path_file import open_path
from tabs.shared.rehearsal import REHEARSES, PathDownload, Rehearsal, path_file, rehearse_path
from tabs.shared.restore import Restore, control_values, restore_for_method
from tabs.shared.source import Source, open_example, open_files, open_files_of_any_kind, open_picture
from tabs.shared.stage import Stage
from tabs.shared.studio import Studio


@dataclass(frozen=True)
class Shared:
    """The shared sections of the page."""

    studio: Studio
    source: Source
    move: Move
    stage: Stage
    rehearsal: Rehearsal
    download: PathDownload
    restore: Restore
    autosave: Autosave


def old_openings(shared: Shared, prefix: str, method: str | None = None) -> None:
    """``PREFIX_open_example``, ``PREFIX_open_picture`` and ``PREFIX_open_files``."""
    studio, source = shared.studio, shared.source
    files = open_files if method else open_files_of_any_kind
    for fn, inputs in (
        (open_example, [studio.project, source.example]),
        (open_picture, source.picture_inputs),
        (files, source.files_inputs),
    ):
        new = fn.__name__.removesuffix("_of_any_kind")
        studio.endpoint(_note_new_name(fn, new), inputs, source.outputs, name=f"{prefix}_{new}", method=method)


def old_endpoints(shared: Shared, method: Method, controls: Mapping[str, Component]) -> None:
    """The endpoints of one method's tab; ``controls`` are those of its moves and settings."""
    studio, name = shared.studio, method.name
    old_openings(shared, name, name)
    described = {**shared.move.described, **controls}

    def restore(project: Project, result_file: str):
        project, words = restore_for_method(project, result_file, method)
        values = control_values(project)
        return project, words, *(values[key] for key in described)

    studio.endpoint(
        _note_new_name(open_path, "open_path"), shared.move.file.inputs, shared.move.file.outputs, name=f"{name}_open_path", method=name,
    )  # fmt: skip
    studio.endpoint(
        _note_new_name(rehearse_path, "rehearse"), shared.rehearsal.inputs(studio), [shared.rehearsal.video, shared.rehearsal.status],
        name=f"{name}_rehearse", method=name, **REHEARSES,
    )  # fmt: skip
    studio.endpoint(
        _note_new_name(path_file, "path_file"), [studio.project, shared.download.kind], shared.download.file,
        name=f"{name}_path_file", method=name,
    )  # fmt: skip
    timeline, moves = shared.stage.timeline, [controls[key] for key in method.moves.controls()]

    def edit_keys_of(project: Project, command: str, moves: Moves):
        return edit_keys(project.with_moves(moves), command)

    edit_keys_of.__doc__ = edit_keys.__doc__
    before = {"project": Project, "command": str}
    studio.api.click(
        form.handler(_note_new_name(edit_keys_of, "edit_keys"), method.moves, before=before, name=f"{name}_edit_keys", method=name),
        [studio.project, timeline.command, *moves], [studio.project, timeline.keys], api_name=f"{name}_edit_keys",
        queue=False,
    )  # fmt: skip
    restore.__doc__ = restore_for_method.__doc__
    studio.endpoint(
        _note_new_name(restore, "restore"), [studio.project, shared.restore.file],
        [studio.project, shared.restore.status, *described.values()], name=f"{name}_restore", method=name,
    )  # fmt: skip


def _note_new_name(fn: Callable, new: str) -> Callable:
    """The function, with a description that names the endpoint to call from the next version on."""
    noted = update_wrapper(partial(fn), fn)
    noted.__doc__ = f"{fn.__doc__ or ''} (Old name; call /{new} from the next version on.)".strip()
    return noted

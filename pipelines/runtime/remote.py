"""A hub Space shoots through sibling Spaces, each carrying one heavy method, with the visitor's own quota."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from camera.errors import InputError, describe_unreachable
from pipelines.method import Clip, Progress
from pipelines.runtime.job_file import read_result, sign, write_job
from pipelines.runtime.progress_clock import Report
from pipelines.shot import Shot

SIBLINGS_VARIABLE = "RESHOOT_SIBLINGS"
"""Environment variable: ``gen3c=owner/space,genxd=https://...``, the Space or address of each method."""

ENDPOINT = "/run_job"
"""API name under which a Space offers `pipelines.runtime.serve.serve`."""

TOKEN_HEADER = "x-ip-token"


def siblings() -> dict[str, str]:
    """Space or address by method."""
    pairs = [pair.split("=", 1) for pair in os.environ.get(SIBLINGS_VARIABLE, "").split(",") if "=" in pair]
    return {name.strip(): place.strip() for name, place in pairs}


def run(place: str, shot: Shot, *, headers: Mapping[str, str] | None = None) -> Iterator[Progress | Clip | Report]:
    """Like `pipelines.generate`, in the Space ``place``; closing the generator cancels there too.

    ``headers`` of the visitor's own request: their ``x-ip-token`` is passed on, so that the visitor's quota is charged.
    """
    from gradio_client import Client, handle_file
    from gradio_client.exceptions import AppError

    token = {key: value for key, value in (headers or {}).items() if key.lower() == TOKEN_HEADER}
    yield Progress("Calling", 0, 1, note=place)
    try:
        client = Client(place, headers=token, verbose=False)
    except Exception as error:
        raise InputError(
            f"The Space {place} that shoots {shot.method.name} does not answer; it may be asleep, so try again in a minute."
        ) from error
    with tempfile.TemporaryDirectory() as folder:
        file = sign(write_job(Path(folder) / "job.npz", shot))
        job = client.submit(handle_file(str(file)), api_name=ENDPOINT)
        try:
            for values, result in job:
                if "refused" in values:
                    raise InputError(values["refused"])
                yield Progress(**values)
                if result:
                    clip, report = read_result(result)
                    yield _restore_beginning(clip, shot.after)
                    if report:
                        yield report
        except (InputError, GeneratorExit):
            raise
        except AppError as error:  # an error raised by that Space
            raise InputError(f"The Space {place} stopped responding ({error}); try again.") from error
        except Exception as error:
            raise InputError(
                f"The Space {place} stopped responding ({describe_unreachable(error)}); try again."
            ) from error
        finally:
            job.cancel()


def _restore_beginning(clip: Clip, after: Clip | None) -> Clip:
    """Replace the frames that were sent by their originals, since the returned ones have been through an mp4."""
    if after is None:
        return clip
    return replace(clip, frames=np.concatenate([after.frames, clip.frames[len(after.frames) :]]))

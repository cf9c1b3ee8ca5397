"""`InputError`, the error shown to users, and the exceptions that libraries raise on damaged files."""

from __future__ import annotations

import csv
import errno
import logging
import lzma
import os
import pickle
import struct
import sys
import tempfile
import tokenize
import uuid
import zipfile
import zlib
from types import TracebackType


class InputError(ValueError):
    """The user's input cannot be used.

    ``str(error)`` is shown to the user: one sentence that says what was expected, what was given and what to do.
    """


DAMAGED: tuple[type[BaseException], ...] = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, csv.Error, tokenize.TokenError, pickle.UnpicklingError,
    EOFError, OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, AssertionError, SyntaxError,
    NotImplementedError, RuntimeError, MemoryError, UnboundLocalError,
)  # fmt: skip
"""Exceptions that the readers of Python, numpy, torch and trimesh raise for a damaged file. ValueError includes invalid UTF-8 and
numpy's shape errors, LookupError missing keys and indices, ArithmeticError overflows, RuntimeError endless recursion."""

_OF_LIBRARIES = {
    "cv2": ("error",),
    "PIL.Image": ("DecompressionBombError",),
    "av.error": ("FFmpegError",),
    "safetensors": ("SafetensorError",),
}
"""Errors of libraries that are imported on first use, by module. A module that is not loaded cannot have raised one."""

_FAULTS = {
    errno.ENOSPC: "The disk of this computer is full; free some space and try again.",
    errno.EDQUOT: "The disk quota of this computer is used up; free some space and try again.",
    errno.EFBIG: "The file would be larger than this computer allows; make the shot smaller or raise the limit.",
    errno.EROFS: "This computer's disk can only be read; set TMPDIR to a folder that can be written.",
    errno.EACCES: "Reshoot has no permission to use a folder or file; correct its permissions, or set TMPDIR to another folder.",
    errno.EPERM: "Reshoot has no permission to use a folder or file; correct its permissions, or set TMPDIR to another folder.",
    errno.EMFILE: "Too many files are open on this computer; try again in a minute.",
    errno.ENFILE: "Too many files are open on this computer; try again in a minute.",
    errno.EIO: "This computer's disk does not answer; try again, and check the disk.",
}

NO_TEMPORARY_FOLDER = "This computer has no folder for temporary files; set TMPDIR to a folder that can be written."

_KINDS = (
    (type(None), "nothing (null)"), (bool, "true or false"), ((int, float), "a number"), (str, "text"),
    ((list, tuple), "a list"), (dict, "an object"),
)  # fmt: skip

_NETWORK = {
    errno.ECONNREFUSED: "nothing listens there",
    errno.ECONNRESET: "the connection broke off",
    errno.ENETUNREACH: "there is no network",
    errno.EHOSTUNREACH: "it cannot be reached",
}


def damage_errors() -> tuple[type[BaseException], ...]:
    """`DAMAGED`, and the corresponding exceptions of the libraries that are loaded."""
    loaded = [(sys.modules[module], names) for module, names in _OF_LIBRARIES.items() if module in sys.modules]
    return DAMAGED + tuple(getattr(module, name) for module, names in loaded for name in names if hasattr(module, name))


def describe_fault(error: BaseException | None) -> str | None:
    """One sentence for a system error (disk full, folder not writable); None for any other error."""
    if not isinstance(error, OSError):
        return None
    return NO_TEMPORARY_FOLDER if _lacks_temporary_folder(error) else _FAULTS.get(error.errno or 0)


def _lacks_temporary_folder(error: OSError) -> bool:
    """Whether Python found no folder for temporary files, or the folder it found no longer exists."""
    if error.errno != errno.ENOENT:
        return False
    folder = tempfile.tempdir
    return error.filename is None if folder is None else not os.path.isdir(folder)


def log_failure(log: logging.Logger, what: str) -> str:
    """Log the current exception under a number; returns a sentence that says ``what`` failed and where to look."""
    number = uuid.uuid4().hex[:8]
    log.exception("%s (%s)", what, number)
    return (
        f"{what} because of an internal error; the log has details under {number}. Please report it with your settings."
    )


def json_kind(value: object) -> str:
    """A JSON value's type in plain words ("a list", "text"), without Python's type names."""
    return next((words for kinds, words in _KINDS if isinstance(value, kinds)), "something else")


def describe_unreachable(error: BaseException) -> str:
    """A short reason why a server could not be reached, without addresses or class names."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status:
        return f"it answered {status}"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, TimeoutError) or "Timeout" in type(cause).__name__:
            return "it took too long"
        if isinstance(cause, OSError) and cause.errno in _NETWORK:
            return _NETWORK[cause.errno]
        cause = cause.__cause__ or cause.__context__
    return "the connection failed"


class reading:
    """Convert exceptions raised by a damaged file into an `InputError`: ``with reading("room.zip is damaged; pack it again."):``.

    The reader's own `InputError` passes unchanged; a system error gets its own sentence, see `describe_fault`.
    """

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None or isinstance(error, InputError):
            return
        if words := describe_fault(error):
            raise InputError(words) from error
        if isinstance(error, damage_errors()):
            raise InputError(self.sentence) from error

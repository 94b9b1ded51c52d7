"""What ends a worker early, in one line for a person: the classes of failure, and which exception is of which class."""

from __future__ import annotations

import errno

from checkpoints.records import FailureKind
from lanes.sources import DataError

LINE = 400
"""Most characters of a failure's line."""


class WorkerError(Exception):
    """A failure whose class is known where it is raised; its text is the line that a person reads."""

    kind = FailureKind.CRASH


class InputError(WorkerError):
    """What the worker was given is wrong: a model that is not there, a precision that the device cannot do."""

    kind = FailureKind.INPUT


class NotFiniteError(WorkerError):
    """A number that should be finite is not."""

    kind = FailureKind.NAN


def classify(error: BaseException) -> tuple[FailureKind, str]:
    """Class and line of what ended the worker."""
    if isinstance(error, WorkerError):
        return error.kind, one_line(str(error))
    if isinstance(error, DataError):
        return FailureKind.INPUT, one_line(str(error))
    if out_of_memory(error):
        return FailureKind.OOM, f"Out of memory ({one_line(str(error))}): use a smaller batch or max_length"
    if isinstance(error, OSError) and error.errno in _NOT_ALLOWED:
        line = f"{error.filename or 'A file'} may not be used ({error.strerror}): change its permissions"
        return FailureKind.INPUT, one_line(line)
    return FailureKind.CRASH, one_line(f"{type(error).__name__}: {error}")


def out_of_memory(error: BaseException) -> bool:
    """Whether the memory of the device or of the machine was not enough.

    Torch's own class is looked up by name, so that this module stays free of torch. On a CPU its allocator raises a
    plain RuntimeError, which only its text tells apart.
    """
    text = str(error).lower()
    named = any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__)
    return named or isinstance(error, MemoryError) or any(words in text for words in _NO_MEMORY)


_NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)

_NO_MEMORY = ("not enough memory", "out of memory", "can't allocate memory", "cannot allocate memory")


def one_line(text: str) -> str:
    """The first line that says something, shortened, without a full stop."""
    first = next((line.strip() for line in text.splitlines() if line.strip()), "no message")
    return (first if len(first) <= LINE else first[: LINE - 1] + "…").rstrip(".")

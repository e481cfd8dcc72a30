"""Every error that Eyas raises for its users, and the exit code that each ends in.

    EyasError
    ├── UsageError          2   a command or an option that is not valid
    ├── InputError          3   a recipe, a file or a document that is not what it must be
    │   ├── RecipeError         every problem of a recipe, each with file and line
    │   ├── UnknownName         a stage or source that does not exist
    │   ├── UnreadableInput     a damaged or incomplete file
    │   ├── MissingColumn       a field or column that is not there
    │   ├── DamagedFile          a file of a run that does not hold what was written
    │   └── …                   BrokenValue, VocabularyTooLarge, NotByteLevel, DamagedCheckpoint, OtherSchedule
    ├── StageError          4   a stage that cannot do its work
    │   ├── StageUnavailable    what it needs is missing: a model, an endpoint
    │   └── StageBroken         it raises on too many documents
    ├── BooksError          5   documents that are not accounted for: our defect; nothing is published
    ├── Alarm               6   a stage did more than the recipe allows
    │   └── TooManyQuarantined  more broken documents than `tolerance`
    ├── ClusterError        7   Ray cannot be reached, or its workers die
    ├── StorageError        8   a store that cannot be used: a folder in use, a file that is gone
    └── TaskFailed              a task of a run raised: ends in the code of what it raised

`InputError` and `UsageError` are also `ValueError`, the others `RuntimeError`, for programs that catch those. An
exception of any other kind is a defect of Eyas: the command line says so and how to see the traceback (code 70).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

FAULTS_FOUND = 1
"""Exit code of a command that checked something and found faults (`eyas shards check`)."""
STORAGE = 8
"""Exit code if the operating system or a store refuses: a full disk, no permission, no such bucket."""
DEFECT = 70
"""Exit code of a defect of Eyas itself (EX_SOFTWARE of sysexits.h)."""
INTERRUPTED = 130
"""Exit code after Ctrl-C; after SIGTERM it is 143."""


class EyasError(Exception):
    """The base of all errors: the message says what was expected and what to do."""

    exit_code: int = 1


class UsageError(EyasError, ValueError):
    """A command, an option or an argument that is not valid."""

    exit_code = 2


class InputError(EyasError, ValueError):
    """A recipe, a file or a document that is not what it must be."""

    exit_code = 3


class StageError(EyasError, RuntimeError):
    """A stage cannot do its work."""

    exit_code = 4


class BooksError(EyasError, RuntimeError):
    """Documents are not accounted for: a defect of Eyas or of a stage; nothing is published."""

    exit_code = 5


class Alarm(EyasError, RuntimeError):
    """A stage has done more than the recipe allows: the run stops before anything follows from it."""

    exit_code = 6


class ClusterError(EyasError, RuntimeError):
    """Ray cannot be reached, or its workers die."""

    exit_code = 7


class StorageError(EyasError, RuntimeError):
    """A store cannot be used: a folder in use, a file that is gone."""

    exit_code = STORAGE


def exit_code(error: BaseException) -> int:
    """The code that the command line ends in after `error`."""
    if isinstance(error, EyasError):
        return error.exit_code
    return STORAGE if isinstance(error, OSError) else DEFECT


def nearest(word: object, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or nothing if no known word is near."""
    close = difflib.get_close_matches(str(word), [str(name) for name in known], n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""

"""Run a command of this project and return its exit status, also after its reader has left."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

# What a shell reports of a process that SIGPIPE ended: 128 + 13. Windows has no such signal.
BROKEN_PIPE = 141


def run(main: Callable[[], int]) -> NoReturn:
    """Run a command's main function and end the process with its status, as `exit_status` does."""
    sys.exit(exit_status(main))


def exit_status(main: Callable[[], int]) -> int | str | None:
    """Run a command's main function and return what `sys.exit` takes.

    A reader that has left, such as `head`, ends the command without a traceback; the status is then
    `BROKEN_PIPE`. A command that was started without standard output or error writes to the null
    device.

    Source: https://docs.python.org/3/library/signal.html#note-on-sigpipe
    """
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115, until the process ends
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    status: int | str | None
    try:
        status = main()
    except SystemExit as end:  # argparse has printed its help or an error
        status = end.code
    except BrokenPipeError:
        status = BROKEN_PIPE
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            status = BROKEN_PIPE
            # Python flushes once more at its end, and would print a traceback.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return status

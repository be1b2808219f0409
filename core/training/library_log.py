"""Keep the messages of TensorFlow's C++ code out of the terminal while a progress bar is drawn."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def hide_library_log(expected: tuple[type[Exception], ...]) -> Iterator[None]:
    """Redirect file descriptor 2, to which the C++ code writes, past Python; print it on a failure.

    `sys.stderr` gets a copy of the descriptor meanwhile. After an error that is not expected, the
    log is printed, because it may give the reason.

    Keras must be imported before: TensorFlow aborts the process on a processor that it does not
    support, and its log is then the only message.

    Args:
        expected: Errors after which the log is not printed, because their message is enough.
    """
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(tempfile.TemporaryFile())
        terminal = stack.enter_context(os.fdopen(os.dup(2), "w", encoding="utf-8"))
        if sys.stderr is sys.__stderr__:  # not redirected by a caller that reads it
            stack.enter_context(contextlib.redirect_stderr(terminal))
        os.dup2(log.fileno(), 2)
        try:
            yield
        except expected:
            raise
        except Exception:
            log.seek(0)
            print(log.read().decode(errors="replace"), end="", file=sys.stderr)
            raise
        finally:
            terminal.flush()
            os.dup2(terminal.fileno(), 2)

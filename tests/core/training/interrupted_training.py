"""Run the training command on a few images and send it a signal at a chosen moment.

    python -m tests.core.training.interrupted_training SIGTERM progress "epoch 1/2" OPTION...

The moment is the first audit event (https://docs.python.org/3/library/audit_events.html) of that
name whose first argument contains the text; "progress" is an event of this module, with what the
command reports. The options are those of `core.training`.
"""

import os
import runpy
import signal
import sys

import numpy as np

name, event, text, *options = sys.argv[1:]
number, sent = getattr(signal, name), False


def hook(audit_event: str, arguments: tuple[object, ...]) -> None:
    """Send the signal at the moment."""
    global sent
    if not sent and audit_event == event and text in str(arguments[0]):
        sent = True
        os.kill(os.getpid(), number)


if event != "progress":  # the command's imports come before any progress
    sys.addaudithook(hook)
sys.argv = ["core.training", *options]

if (event, text) != ("import", "pandas"):
    from core import dataset
    from core.command_line import progress

    def few_images(_split: str) -> dataset.Split:
        """Return 200 random images, 20 of each class."""
        images = np.random.default_rng(0).integers(0, 256, (200, 28, 28), dtype=np.uint8)
        return dataset.Split(images, np.arange(200, dtype=np.uint8) % 10)

    report = progress.ProgressBar.__call__

    def audited(bar: progress.ProgressBar, share: float, words: str) -> None:
        """Report as before, after an audit event."""
        sys.audit("progress", words)
        report(bar, share, words)

    dataset.load_split = few_images
    progress.ProgressBar.__call__ = audited  # type: ignore[method-assign]
    if event == "progress":
        sys.addaudithook(hook)

runpy.run_module("core.training", run_name="__main__", alter_sys=True)

"""Train a network: `python -m core.training --recipe NAME`.

Interrupts are handled before the imports, which take seconds: without that, Ctrl-C in them would
print a traceback.
"""

import os
import signal
import sys

# `nohup` and `&` in a script let a command ignore Ctrl-C.
ignores_interrupts = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
if not ignores_interrupts:
    signal.signal(
        signal.SIGINT,
        lambda *_: (
            print("Interrupted: nothing was written, nothing was replaced.", file=sys.stderr),
            os._exit(130),
        ),
    )

from core.command_line.run import exit_status
from core.training.command import main

if not ignores_interrupts:
    signal.signal(signal.SIGINT, signal.default_int_handler)
status = exit_status(main)
signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is done, or has said why it is not
sys.exit(status)

"""Check an installation and print what to mend: `python -m core.doctor`.

One line per finding: ✓ is well, ! works but costs something, ✗ is to be mended, and the exit status
is 1 where anything is. A check imports what it needs itself: where packages are missing, or Python
is too old for this project, this command has to run all the same.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence

from tools.doctor import data, installation, machine, models, settings
from tools.doctor.findings import INSTALL, Check, Finding, State

_MARKS: dict[State, str] = {"good": "✓", "warning": "!", "broken": "✗"}
_ASCII_MARKS: dict[State, str] = {"good": "ok", "warning": "! ", "broken": "X "}


def diagnose(port_number: int | None = None) -> Iterator[Finding]:
    """Run all checks, in an order in which what others need comes first."""
    for finding in installation.check_python():
        yield finding
        if finding.state == "broken":
            return  # Not even this project's files can be read by it.
    checks: dict[str, Check] = {
        "packages": installation.check_packages,
        "test images": data.check_test_images,
        "training images": data.check_training_images,
        "picture of the test images": data.check_thumbnails,
        "models": models.check_models,
        "settings": settings.check_settings,
        "memory": machine.check_memory,
        "temporary files": machine.check_temporary_folder,
        "disk": machine.check_disk_space,
        "port": lambda: machine.check_port(port_number),
    }
    for title, check in checks.items():
        try:
            yield from check()
        except ImportError as error:
            # Reported here, too: `check_packages` does not notice an installed but broken package.
            yield Finding("broken", f"{title}: not checked ({error}): {INSTALL}")
        except Exception as error:
            # The other checks may still show why.
            yield Finding("broken", f"{title}: not checked ({type(error).__name__}: {error})")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m core.doctor",
        description="Check this installation and say what to mend. Exit status: 0 if the app will "
        "work, 1 if something is to be mended.",
    )
    parser.add_argument(
        "--port",
        type=_port,
        help=f"the port that the app shall have ({machine.DEFAULT_PORT} by default)",
    )
    asked = parser.parse_args(arguments).port
    marks, states = _marks(), list[State]()
    for finding in diagnose(asked):
        _print_line(f"{marks[finding.state]} {' '.join(finding.text.split())}")
        states.append(finding.state)
    broken = states.count("broken")
    if broken:
        _print_line(
            f"\nThe app will not work as it should: mend what is marked {marks['broken'].strip()}"
        )
    else:
        _print_line("\nThe app will work: `streamlit run streamlit_app.py`")
    return 1 if broken else 0


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 2**16:
        raise argparse.ArgumentTypeError(f"a port is a number from 1 to 65535, not {text!r}")
    return int(text)


def _marks() -> dict[State, str]:
    """Return marks that standard output can show."""
    try:
        "".join(_MARKS.values()).encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return _ASCII_MARKS
    return _MARKS


def _print_line(line: str) -> None:
    """Print a line at once, with ? for what standard output cannot show, as in a folder's name."""
    encoding = sys.stdout.encoding or "ascii"
    print(line.encode(encoding, "replace").decode(encoding), flush=True)

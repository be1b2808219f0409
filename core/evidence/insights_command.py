"""Measure a model's filters, from the command line: `python -m core.insights FOLDER`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from core.command_line.interrupts import status_of
from core.command_line.progress import ProgressBar
from core.dataset import DatasetError, load_split
from core.evidence.insights import InsightsError
from core.models.model_files import INSIGHTS_FILE
from core.models.model_folder import ModelFolder
from core.network import ModelError
from core.paths import shown


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m core.insights",
        description="Compute what a model's filters do over the 10,000 test images.",
    )
    parser.add_argument("folder", type=Path, help="a model folder, such as assets/models/tutorial")
    folder = ModelFolder(parser.parse_args(arguments).folder.resolve())
    before = folder.stamps()
    try:
        split = load_split("test")
        with ProgressBar() as progress:
            folder.measure(split, progress)
    except KeyboardInterrupt as interrupt:
        was_written = folder.stamps() != before
        result = "the insights are complete." if was_written else "nothing was written."
        print(f"Interrupted: {result}", file=sys.stderr)
        return status_of(interrupt)
    except (DatasetError, InsightsError, ModelError) as error:
        print(error, file=sys.stderr)
        return 1
    except ValueError as error:
        print(f"{shown(folder.path)}: {error}.", file=sys.stderr)
        return 1
    except OSError as error:
        reason = error.strerror or error
        print(f"{shown(folder.path)} cannot be written to: {reason}.", file=sys.stderr)
        return 1
    print(shown(folder.path / INSIGHTS_FILE))
    return 0

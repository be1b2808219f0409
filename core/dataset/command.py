"""The command line of `python -m core.dataset`: download the data set, or bundle a part of it."""

import argparse
import sys
from collections.abc import Sequence

from core.dataset.bundle import bundle
from core.dataset.download import download
from core.dataset.errors import DatasetError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m core.dataset", description="Fashion-MNIST.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("download", help="fetch the four files into the user's cache (30 MB)")
    commands.add_parser("bundle", help="write assets/fashion_mnist from the full data set")
    command = parser.parse_args(arguments).command
    try:
        if command == "download":
            folder = download(print_progress if sys.stderr.isatty() else None)
        else:
            folder = bundle()
    except DatasetError as error:
        print(error, file=sys.stderr)
        return 1
    print(folder)
    return 0


def print_progress(name: str, received: int, total: int) -> None:
    """Draw how many megabytes of a file have arrived, on a line of the terminal that changes."""
    of_total = f" of {total / 1e6:.1f}" if total else ""
    end = "\n" if received == total else ""
    print(f"\r{name}: {received / 1e6:.1f}{of_total} MB", end=end, file=sys.stderr, flush=True)

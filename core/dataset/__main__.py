"""Download or bundle the data set: `python -m core.dataset`."""

from core.command_line.run import run
from core.dataset.command import main

if __name__ == "__main__":
    run(main)

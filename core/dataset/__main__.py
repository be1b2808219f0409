"""Find, download or bundle the data set: `python -m core.dataset`."""

from core.command_line.run import run
from core.dataset import main

if __name__ == "__main__":
    run(main)

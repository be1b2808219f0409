"""`python -m core.images` forwards to `core.pictures.thumbnails`: draw all test images."""

from core.command_line.run import run
from core.pictures.thumbnails import main

if __name__ == "__main__":
    run(main)

"""`python -m core.insights` forwards to `core.evidence.insights`: measure a model folder."""

from core.command_line.run import run
from core.evidence.insights import main

if __name__ == "__main__":
    run(main)

"""`python -m core.insights` forwards to `core.evidence.insights_command`: measure a model."""

from core.command_line.run import run
from core.evidence.insights_command import main

if __name__ == "__main__":
    run(main)

"""`python -m core.doctor` forwards to `tools.doctor`: check an installation."""

from core.command_line.run import run
from tools.doctor import main

if __name__ == "__main__":
    run(main)

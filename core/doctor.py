"""`python -m core.doctor` forwards to `tools.doctor.command`: check an installation."""

from core.command_line.run import run
from tools.doctor.command import main

if __name__ == "__main__":
    run(main)

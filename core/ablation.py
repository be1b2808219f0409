"""`python -m core.ablation` forwards to `core.evidence.ablation_command`: count right answers."""

from core.command_line.run import run
from core.evidence.ablation_command import command

if __name__ == "__main__":
    run(command)

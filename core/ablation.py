"""`python -m core.ablation` forwards to `core.evidence.ablation`: count right answers."""

from core.command_line.run import run
from core.evidence.ablation import command

if __name__ == "__main__":
    run(command)

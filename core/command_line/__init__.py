"""Commands: exit status, interrupts, progress."""

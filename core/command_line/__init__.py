"""Code that all commands share: exit status, interrupts, progress."""

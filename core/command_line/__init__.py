"""What all commands share: exit status, interrupts, progress."""

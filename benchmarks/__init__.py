"""What backs each figure in the README, one command each."""

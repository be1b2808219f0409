"""What the pages share: the frame, the controls, the figures."""

"""Model folders: their files, how each is read, and how a folder is written whole."""

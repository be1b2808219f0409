"""Model folders: read, describe and write them."""

"""Evidence about filters, measured over many images."""

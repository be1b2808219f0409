"""Data, network, training and pictures; knows nothing of pages."""

"""The error that callers of the data set handle, and the words for an operating system's error."""


class DatasetError(Exception):
    """Fashion-MNIST is not available; the message is a sentence with the file and the remedy."""


def reason(error: OSError) -> str:
    """Return in a few words why an operation of the operating system failed."""
    return error.strerror or type(error).__name__

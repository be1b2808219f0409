"""The error of a training that cannot go on."""


class TrainingError(Exception):
    """A training cannot go on; the message is one sentence for the person who started it."""

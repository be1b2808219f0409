"""The epochs whose weights are stored."""

import numpy as np
import pytest

from core.models.model_files import CHECKPOINTS_FILE, MAX_BYTES
from core.training.recorder import checkpoint_epochs


@pytest.mark.parametrize(
    ("epochs", "kept"),
    [
        (1, [0]),
        (5, [0, 1, 2, 3, 4]),
        (14, list(range(14))),
        (40, [0, 3, 6, 9, 11, 14, 17, 20, 23, 26, 29, 31, 34, 37]),
    ],
)
def test_checkpoint_epochs_are_few_and_spread_evenly(epochs, kept):
    assert sorted(checkpoint_epochs(epochs)) == kept
    assert len(kept) * 243_786 * np.float16().nbytes < MAX_BYTES[CHECKPOINTS_FILE]

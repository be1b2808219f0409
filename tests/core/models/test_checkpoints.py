"""The file `checkpoints.npz`."""

import numpy as np
import pytest

from core.network import ModelError
from tests.core.models.own_model import checkpoint_arrays, save


class TestCheckpoints:
    def test_epochs(self, folder):
        assert tuple(folder.read().checkpoints()) == (0, 2, 3)

    def test_a_stored_epoch(self, folder):
        weights = folder.read().checkpoints()[2]
        assert list(weights) == ["conv_layer_1", "conv_layer_3", "dense_layer_6", "dense_layer_7"]
        kernel = weights["conv_layer_1"]["kernel"]
        assert kernel.dtype == np.float32
        assert kernel.shape == (3, 3, 1, 64)
        assert (kernel == 2).all()
        assert not kernel.flags.writeable

    def test_the_last_epoch_is_the_models(self, folder):
        weights = folder.read().checkpoints()[3]
        for layer in folder.read().network().layers:
            for name, weight in layer.weights.items():
                np.testing.assert_array_equal(weights[layer.name][name], weight)

    @pytest.mark.parametrize("epochs", [(1, 2), (0, 3), (0, -1), ("0", "x"), (0, "01"), ()])
    def test_impossible_epochs(self, folder, epochs):
        small = {f"{epoch}/conv_layer_1/bias": np.zeros(64, np.float16) for epoch in epochs}
        save(folder.path / "checkpoints.npz", small)
        with pytest.raises(ModelError, match=r"mine/checkpoints\.npz is damaged"):
            folder.read().checkpoints()

    @pytest.mark.parametrize(
        "array",
        [
            None,
            np.zeros(64, np.float32),
            np.zeros(63, np.float16),
            np.full(64, np.inf, np.float16),
            np.array([{}]),
        ],
    )
    def test_weights_that_do_not_fit(self, folder, array):
        arrays = checkpoint_arrays(0)
        del arrays["0/conv_layer_1/bias"]
        if array is not None:
            arrays["0/conv_layer_1/bias"] = array
        save(folder.path / "checkpoints.npz", arrays)
        with pytest.raises(ModelError, match=r"checkpoints\.npz is damaged .*: restore it, "):
            folder.read().checkpoints()[0]

    def test_missing(self, folder):
        (folder.path / "checkpoints.npz").unlink()
        assert tuple(folder.read().checkpoints()) == ()

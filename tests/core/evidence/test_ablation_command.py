"""`python -m core.ablation` counts what a plain forward pass counts."""

import json

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from core.dataset import CLASS_NAMES, load_split, to_input
from core.evidence.ablation import convolutions, spell
from core.evidence.ablation_command import main
from core.models.model_folder import MODELS_DIR, ModelFolder
from tests.core.evidence.small_networks import logits_with_constants

CLASSES = len(CLASS_NAMES)
RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("name", "mean"), [("tutorial", []), ("tuned", ["--mean"])])
def test_the_command_counts_what_a_plain_forward_pass_counts(name, mean, capsys):
    folder = ModelFolder(MODELS_DIR / name)
    network, test = folder.read().network(), load_split("test")
    off = {"conv_layer_1": (3, 17), "conv_layer_3": (5,)}
    assert main([str(folder.path), spell(off), "--json", *mean]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    shares = [line["progress"] for line in lines[:-1]]
    assert shares == sorted(shares)
    if mean:
        constants = folder.read().insights().means(test.labels)
    else:
        constants = {layer.name: np.zeros(64, np.float32) for layer in convolutions(network)}
    right = np.zeros(CLASSES, int)
    with threadpool_limits(limits=1, user_api="blas"):
        for start in range(0, 10_000, 50):
            part = slice(start, start + 50)
            images, labels = to_input(test.images[part]), test.labels[part]
            found = logits_with_constants(network, images, off, constants).argmax(axis=1)
            right += np.bincount(labels[found == labels], minlength=CLASSES)
    result = lines[-1]["result"]
    assert result["counts"] == [1000] * CLASSES
    # Another order of adding up may tip an image whose two best classes are as good as equal.
    assert np.abs(np.array(result["right"]) - right).sum() <= 2


def test_the_command_names_what_is_wrong(tmp_path, capsys):
    assert main([str(MODELS_DIR / "tutorial"), "conv_layer_3:64"]) == 1
    assert "tutorial has no filter conv_layer_3:64." in capsys.readouterr().err
    assert main([str(tmp_path), ""]) == 1
    assert "model.keras" in capsys.readouterr().err

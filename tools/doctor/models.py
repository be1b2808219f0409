"""Checks of the model folders."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from core.paths import shown
from tools.doctor.data import test_split_if_sound
from tools.doctor.findings import Finding, without_full_stop

if TYPE_CHECKING:
    from core.dataset import Split
    from core.models.model_files import ModelFiles
    from core.models.model_folder import ModelFolder
    from core.network import Network

SAMPLE_STEP = 20
"""Every 20th test image: the labels come in no order, so 500 images are a fair sample."""
MAX_DIFFERENT = 2
"""Images that another BLAS may classify differently, because their two best classes almost tie."""


def check_models(models_dir: Path | None = None) -> Iterator[Finding]:
    """Check that each model folder opens, computes what was measured of it, and is complete."""
    from core.models import model_folder, staging

    models_dir = models_dir or model_folder.MODELS_DIR
    folders = model_folder.find(models_dir)
    if not folders:
        command = "`python -m core.training --recipe tutorial`"
        yield Finding("broken", f"models: there is none, {command} trains one")
    split = test_split_if_sound()
    for folder in folders:
        yield from _check_model(folder, split)
    for path in staging.leftovers(models_dir):
        if path.name.endswith(staging.EARLIER_SUFFIX):
            words = "the model that a killed training was about to replace: rename it or remove it"
        else:
            words = "the unfinished model of a training: remove it, unless one is running"
        yield Finding("warning", f"{shown(path)}: {words}")


def _check_model(folder: ModelFolder, split: Split | None) -> Iterator[Finding]:
    from core.network import ModelError

    title = f"model {folder.name}"
    try:
        files = folder.read()
        network = files.network()
    except ModelError as error:
        yield Finding("broken", f"{title}: {without_full_stop(error)}")
        return
    last = network.layers[-1]
    fits = network.input_shape == (28, 28, 1) and last.output_shape == (10,)
    if not fits or last.activation != "softmax":
        words = "it does not turn such an image into ten probabilities, so the app cannot show it"
        yield Finding("warning", f"{title}: {words}")
        return
    findings = [*_check_files(files), *(_check_predictions(files, network, split) if split else ())]
    if all(each.state == "good" for each in findings):
        words = ", ".join(["its files are sound", *(each.text for each in findings)])
        findings = [Finding("good", words)]
    for each in findings:
        yield Finding(each.state, f"{title}: {each.text}")


def _check_files(files: ModelFiles) -> Iterator[Finding]:
    """Check the files beside the network, each of which may be missing."""
    from core.models import model_files
    from core.network import ModelError

    readers: Mapping[str, Callable[[], object]] = {
        model_files.HISTORY_FILE: files.history,
        model_files.CHECKPOINTS_FILE: files.checkpoints,
        model_files.CARD_FILE: files.card,
        model_files.INSIGHTS_FILE: files.insights,
    }
    absent = [name for name in readers if not (files.folder.path / name).exists()]
    if model_files.INSIGHTS_FILE in absent:
        absent.remove(model_files.INSIGHTS_FILE)
        yield Finding("warning", f"not measured yet: `{files.folder.insights_command}`")
    if absent:
        words = "which a training writes: the pages show less of it"
        yield Finding("warning", f"without {', '.join(absent)}, {words}")
    for name, read in readers.items():
        if (files.folder.path / name).exists():
            try:
                read()
            except ModelError as error:
                yield Finding("broken", without_full_stop(error))


def _check_predictions(files: ModelFiles, network: Network, split: Split) -> Iterator[Finding]:
    """Check that the network gets as many images of a sample right as its insights state."""
    import numpy as np

    from core.dataset import to_input
    from core.network import ModelError

    sample = slice(None, None, SAMPLE_STEP)
    labels = split.labels[sample]
    predicted = network.predict(to_input(split.images[sample])).argmax(axis=1)
    right = int(np.sum(predicted == labels))
    found = f"{right / len(labels):.1%} of {len(labels)} test images right"
    try:
        insights = files.insights()
    except ModelError:  # reported by `_check_files`
        insights = None
    if insights is None:
        yield Finding("good", found)
        return
    known = int(np.sum(insights.predictions[sample] == labels))
    if abs(right - known) <= MAX_DIFFERENT:
        yield Finding("good", f"{found}, as its insights say")
    else:
        # The insights were computed from this very file, so it is not the model that differs.
        yield Finding(
            "broken",
            f"{found}, where its insights say {known / len(labels):.1%}: NumPy computes something "
            "else here, `pip install --force-reinstall -r requirements.txt`",
        )

"""Compute what is costly once per process; all sessions share the results, which are read-only."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd
from threadpoolctl import threadpool_limits

from core import dataset, packet
from core.evidence import ablation
from core.evidence import separation as evidence
from core.evidence.answers import Answers
from core.evidence.insights import Insights
from core.evidence.sample import Sample
from core.evidence.separation import Separation
from core.memo import shared
from core.models import attempts, model_folder
from core.models.attempts import Attempt
from core.models.model_files import ModelFiles
from core.models.model_folder import ModelFolder, ModelReplaced
from core.models.reading import Stamp
from core.network import Network
from core.pictures.colours import PALETTES, colour_stops
from core.pictures.image_map import (
    CLASS_COLOURS,
    CLASS_COLOURS_ON_DARK,
    COMPONENT_AXES,
    VERDICT_COLOURS,
    VERDICT_COLOURS_ON_DARK,
)
from core.pictures.scales import Scale
from core.pictures.shades import shades
from core.pictures.thumbnails import THUMBNAIL_COLUMNS, THUMBNAILS_FILE

SAMPLE_SHARE = 0.1
MOST_COUNTED = 256

# One 28×28 image is too small to share between BLAS threads: with many students they only wait for
# each other. An environment variable would come too late, NumPy is already imported.
threadpool_limits(limits=1, user_api="blas")


@dataclass(frozen=True)
class Version:
    """A model folder as it was at a certain time: a model trained anew is a new cache entry."""

    folder: ModelFolder
    stamps: tuple[Stamp | None, ...]  # as `ModelFolder.stamps`

    @cached_property
    def key(self) -> str:
        """A name that no other model, and no other version of this one, has in this process."""
        digest = hashlib.blake2b(repr(self.stamps).encode(), digest_size=8).hexdigest()
        return f"{self.folder.name} {digest}"

    @classmethod
    def of(cls, folder: ModelFolder) -> Version:
        """Return the folder as it is now."""
        return cls(folder, folder.stamps())


def models() -> dict[str, Version]:
    """Return all model folders by name; looked up each time, because a new one may have appeared.

    Raises:
        ModelError: The folder of the models cannot be read.
    """
    return {folder.name: _same(Version.of(folder)) for folder in model_folder.find()}


def current(model: Version) -> Version:
    """Return the latest version of a model, all of whose files are in memory then.

    A page shows one version from its first line to its last, whatever happens to the folder.

    Raises:
        ModelReplaced: The folder is gone, or changes each time that it is read.
    """
    for _ in range(model_folder.MAX_READS):
        try:
            _files(model)
        except ModelReplaced:
            model = _same(Version.of(model.folder))
        else:
            return model
    _files(model)
    return model


# 6 to 10 MB each for the models of the recipes.
@shared(8)
def _files(model: Version) -> ModelFiles:
    files = model.folder.read()
    if files.stamps != model.stamps:
        raise ModelReplaced(
            f"The model {model.folder.name} was replaced just now: reload the page to see the new "
            "one."
        )
    return files


@lru_cache(16)
def _same(version: Version) -> Version:
    """One object for all that are equal: to compare two paths takes as long as to make a picture,
    and every look into a cache would."""
    return version


@shared(2)
def split(name: dataset.SplitName) -> dataset.Split:
    """The "train" or "test" images and labels. Raises DatasetError."""
    return dataset.load_split(name)


@shared(1)
def train_summary() -> dataset.TrainSummary:
    """Return the summary of the training images, which needs no images. Raises DatasetError."""
    return dataset.load_train_summary()


@shared(20)
def class_indices(name: dataset.SplitName, label: int) -> npt.NDArray[np.intp]:
    """Where the images of a class stand in a split, in rising order. Raises DatasetError."""
    indices = np.flatnonzero(split(name).labels == label)
    indices.setflags(write=False)
    return indices


@shared(8)
def network(model: Version) -> Network:
    """The model's network. Raises ModelError."""
    return _files(model).network()


# A page shows those of all models.
@shared(32)
def history(model: Version) -> pd.DataFrame | None:
    """Loss and accuracy of each epoch; None if the model came without. Raises ModelError."""
    return _files(model).history()


@shared(8)
def insights(model: Version) -> Insights | None:
    """Return the model's insights; None if it was not measured. Raises ModelError."""
    return _files(model).insights()


@shared(2)
def checkpoints(model: Version) -> dict[int, Network]:
    """The network as it was after each epoch that was saved; empty if the model came without any.
    Raises ModelError."""
    trained = network(model)
    saved = _files(model).checkpoints()
    return {epoch: trained.with_weights(weights) for epoch, weights in saved.items()}


@shared(32)
def card(model: Version) -> str | None:
    """The model's card, Markdown from whoever made it; None if there is none. Raises ModelError."""
    return _files(model).card()


def epoch_outputs(
    model: Version, index: int, layer: str
) -> tuple[list[npt.NDArray[np.float32]], npt.NDArray[np.float32]]:
    """A layer's output for one test image at each saved epoch, and the network's, (epochs,
    classes). Raises DatasetError and ModelError."""
    image = dataset.to_input(split("test").images[index : index + 1])
    maps, probabilities = [], []
    # Only two outputs of each network are kept, and not in one array: new memory for 3 MB takes
    # half as long as all the passes.
    for each in checkpoints(model).values():
        outputs = each.activations(image)
        maps.append(outputs[layer][0])
        probabilities.append(outputs[each.layers[-1].name][0])
    return maps, np.stack(probabilities)


@dataclass(frozen=True)
class EpochMaps:
    """A layer's maps for one test image at each saved epoch, as a browser paints them."""

    shades: bytes  # `pictures.shades`, packed by zlib
    shape: tuple[int, int, int, int]  # of these: maps, height, width, epochs
    scales: tuple[Scale, ...]  # of each map, one for all epochs
    probabilities: npt.NDArray[np.float32]  # the network's output, (epochs, classes)


# 0.2 MB each at most, with the tutorial's network and 15 epochs. The filter explorer asks for it
# with each filter.
@shared(8)
def epoch_maps(model: Version, index: int, layer: str) -> EpochMaps:
    """Return `epoch_outputs` packed for the browser. Raises DatasetError and ModelError."""
    maps, probabilities = epoch_outputs(model, index, layer)
    probabilities.setflags(write=False)
    entries, scales = shades(maps)
    # Level 1 takes a third of the default's time, for a tenth more.
    return EpochMaps(zlib.compress(entries.tobytes(), 1), entries.shape, scales, probabilities)


@shared(8)
def means(model: Version) -> dict[str, npt.NDArray[np.float32]] | None:
    """Each filter's mean activation over the test split, by layer; None where that is not known.
    Raises ModelError."""
    found = insights(model)
    return found.means(split("test").labels) if found else None


@shared(16)
def lost_alone(
    model: Version, layer: str
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Percentage points of accuracy over the test split that each filter of a convolution costs
    when it alone is off, (filters,), and over its images of each class, (filters, 10). For a model
    with insights. Raises DatasetError, ModelError."""
    found, labels = insights(model), split("test").labels
    assert found is not None
    filters = found.filters[layer]
    lost = found.accuracy(labels) - filters.ablation_accuracy.astype(np.float64)
    class_lost = found.class_accuracy(labels) - filters.ablation_class_accuracy.astype(np.float64)
    for shares in (lost, class_lost):
        shares *= 100
        shares.setflags(write=False)
    return lost, class_lost


# 3 kB each.
@shared(64)
def separation(model: Version, layer: str, first: int, second: int) -> Separation:
    """Return how well each filter of a convolution separates two classes, labels 0–9, and what its
    absence costs them. For a model with insights. Raises DatasetError, ModelError."""
    found = insights(model)
    assert found is not None
    count = sum(len(class_indices("test", label)) for label in (first, second))
    return evidence.separation(found, layer, first, second, count)


# 60 MB a model, with the tutorial's network.
@shared(2)
def _sample(model: Version) -> Sample:
    _, part = dataset.hold_out(split("test"), SAMPLE_SHARE, seed=0)
    return Sample(network(model), part)


@shared(256)
def sample_answers(model: Version, off: str, to_mean: bool) -> Answers:
    """Count the right answers on a tenth of the test images, always the same ones and as many of
    each class, with filters off (`ablation.spell`). Raises DatasetError, ModelError."""
    filters, _ = ablation.parse(off, network(model))
    return _sample(model).answers(filters, means(model) if to_mean else None)


_counted: dict[tuple[str, str, bool], Answers] = {}


def counted_answers(model: Version, off: str, to_mean: bool) -> Answers | None:
    """The same for all test images, which takes seconds: None unless `keep_count` was told, or all
    filters are on and the model was measured. Raises ModelError."""
    if not off and insights(model):
        return _all_on(model)
    return _counted.get((model.key, off, to_mean))


@shared(8)
def _all_on(model: Version) -> Answers:
    found = insights(model)
    assert found is not None
    return Answers.of(found.probabilities, split("test").labels)


def keep_count(model: Version, off: str, to_mean: bool, answers: Answers) -> None:
    """Remember a count over all test images, if the model is still the one that was counted."""
    if Version.of(model.folder) != model:
        return
    _counted[model.key, off, to_mean] = answers
    while len(_counted) > MOST_COUNTED:
        _counted.pop(next(iter(_counted)), None)


@shared(1)
def tried() -> tuple[Attempt, ...]:
    """Return the trainings that led to the tuned recipe. Raises ModelError."""
    return tuple(attempts.load())


# 260 kB an image for the tutorial's network. Each move of a filter asks for it.
@shared(96)
def activations(model: Version, index: int) -> dict[str, npt.NDArray[np.float32]]:
    """Each layer's output for one test image, without the batch axis.

    Raises DatasetError and ModelError."""
    image = dataset.to_input(split("test").images[index : index + 1])
    outputs = {name: batch[0] for name, batch in network(model).activations(image).items()}
    for output in outputs.values():
        output.setflags(write=False)
    return outputs


# 80 kB each, which all students share.
@shared(8)
def map_packet(model: Version, pca: bool) -> bytes:
    """All test images as points, for the browser: by principal components or as neighbours. For a
    model with insights. Raises DatasetError, ModelError."""
    found = insights(model)
    assert found is not None
    header = {
        "classes": dataset.CLASS_NAMES,
        "classColours": {"light": CLASS_COLOURS, "dark": CLASS_COLOURS_ON_DARK},
        "verdictColours": {"light": VERDICT_COLOURS, "dark": VERDICT_COLOURS_ON_DARK},
        "thumbnails": {"file": THUMBNAILS_FILE.name, "columns": THUMBNAIL_COLUMNS},
        "axes": COMPONENT_AXES if pca else (),
    }
    places = found.components if pca else found.embedding
    labels = split("test").labels
    return packet.map_packet(places, labels, found.predictions, found.confidences, header)


# 600 bytes each. A pass for each of 15 epochs takes as long as the rest of a page.
@shared(128)
def epoch_probabilities(model: Version, index: int) -> npt.NDArray[np.float32]:
    """The network's output for one test image at each saved epoch, (epochs, classes). Raises
    DatasetError and ModelError."""
    image = dataset.to_input(split("test").images[index : index + 1])
    stack = np.concatenate([each.predict(image) for each in checkpoints(model).values()])
    stack.setflags(write=False)
    return stack


def image_key(model: Version, index: int) -> str:
    """The name under which the browser keeps an image's outputs."""
    return f"{model.key} {index}"


# 58 to 90 kB each for the tutorial's network. Only a move of the image or the page asks for it.
@shared(16)
def image_packet(model: Version, index: int) -> bytes:
    """One test image and each layer's output, for the browser. Raises DatasetError, ModelError."""
    image = dataset.to_input(split("test").images[index : index + 1])[0]
    header = {"key": image_key(model, index)}
    return packet.image_packet(network(model), image, activations(model, index), header)


def network_key(model: Version, flat: bool) -> str:
    """The name under which the browser keeps a network."""
    return f"{model.key} {'whole' if flat else 'maps'}"


@shared(4)
def network_packet(model: Version, flat: bool) -> bytes:
    """The model's layers, and the weights of all or of those with maps, for the browser. Raises
    ModelError."""
    palettes = {
        palette: "".join(colour_stops(palette, 256)).replace("#", "") for palette in PALETTES
    }
    key = network_key(model, flat)
    header = {"key": key, "classes": dataset.CLASS_NAMES, "palettes": palettes}
    return packet.network_packet(network(model), header, flat)

"""Check an installation and say what to mend: `python -m core.doctor`.

One line a check: ✓ is well, ! works but costs something, ✗ is to be mended, and the exit status is
1 where anything is. Whatever a check needs it imports itself: where packages are missing, or
Python is too old for this project, this command is what has to say so.
"""

from __future__ import annotations

import argparse
import errno
import importlib.metadata
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from core.paths import shown

if TYPE_CHECKING:
    from core.dataset import Split
    from core.models.model_files import ModelFiles
    from core.models.model_folder import ModelFolder
    from core.network import Network

ROOT = Path(__file__).resolve().parents[1]
TESTED_PYTHONS = ((3, 11), (3, 13))
"""The first and the last version that the pins of requirements.txt resolve on."""
TRAINING_PACKAGES = frozenset({"tensorflow", "tensorflow-cpu", "openTSNE"})
DEFAULT_PORT = 8501
LEAST_MEMORY = 1_000_000_000
"""Bytes: four times what the server takes, for a class takes more, and counting needs a process."""
LEAST_DISK = 500_000_000
SAMPLE_STEP = 20
"""Every 20th test image: the labels come in no order, so 500 images are a fair sample."""
MOST_DIFFERENT = 2
"""Images that another BLAS may tell differently, for their two best classes all but tie."""

_INSTALL = "`pip install -r requirements.txt`"
_RESTORE = "restore it from the repository"
_MEMINFO = Path("/proc/meminfo")

State = Literal["good", "warning", "broken"]
_MARKS: dict[State, str] = {"good": "✓", "warning": "!", "broken": "✗"}
_ASCII_MARKS: dict[State, str] = {"good": "ok", "warning": "! ", "broken": "X "}


@dataclass(frozen=True)
class Finding:
    """The result of a check: one line with its subject and, unless good, the remedy."""

    state: State
    text: str


Check = Callable[[], Iterator[Finding]]


def python_version() -> Iterator[Finding]:
    """Python is one of those that the pins resolve on."""
    first, last = TESTED_PYTHONS
    name = f"Python {sys.version_info[0]}.{sys.version_info[1]}"
    tested = f"{first[0]}.{first[1]} to {last[0]}.{last[1]}"
    if sys.version_info[:2] < first:
        yield Finding("broken", f"{name}: too old, install one of {tested}")
    elif sys.version_info[:2] > last:
        yield Finding("warning", f"{name}: newer than what is tested, {tested}")
    else:
        yield Finding("good", name)


def packages(requirements: Path = ROOT / "requirements.txt") -> Iterator[Finding]:
    """Check that the packages of requirements.txt are installed as pinned for this machine."""
    from packaging.requirements import Requirement

    lines = (line.partition("#")[0].strip() for line in requirements.read_text().splitlines())
    wanted = [Requirement(line) for line in lines if line]
    wanted = [each for each in wanted if each.marker is None or each.marker.evaluate()]
    as_pinned = 0
    for each in wanted:
        installed = _installed(each.name)
        if installed is None and each.name in TRAINING_PACKAGES:
            yield Finding("warning", f"{each.name}: missing, needed only for training: {_INSTALL}")
        elif installed is None:
            yield Finding("broken", f"{each.name}: missing: {_INSTALL}")
        elif not each.specifier.contains(installed, prereleases=True):
            yield Finding(
                "warning", f"{each.name}: {installed} is not {each.specifier} as tested: {_INSTALL}"
            )
        else:
            as_pinned += 1
    if as_pinned == len(wanted):
        yield Finding("good", f"packages: all {as_pinned} as pinned in {requirements.name}")


def test_data() -> Iterator[Finding]:
    """The test images are there and are the published ones; so is what is bundled of the others."""
    from core import dataset

    try:
        split = dataset.load_split("test")
        yield Finding(
            "good",
            f"test images: {len(split.labels):,}, verified, from {dataset.folder_of('test')}",
        )
    except dataset.DatasetError as error:
        yield Finding("broken", f"test images: {_unended(error)}")
    try:
        dataset.load_train_summary()
    except dataset.DatasetError as error:
        yield Finding("broken", f"summary of the training images: {_unended(error)}")


def training_data() -> Iterator[Finding]:
    """The training images are there and are the published ones."""
    from core import dataset

    try:
        split = dataset.load_split("train")
    except dataset.DatasetError as error:
        yield Finding(
            "warning",
            f"training images, to browse them and to train: {_unended(error)}",
        )
        return
    yield Finding(
        "good",
        f"training images: {len(split.labels):,}, verified, from {dataset.folder_of('train')}",
    )


def picture(file: Path | None = None) -> Iterator[Finding]:
    """The picture of all test images that browsers fetch shows the test images."""
    import numpy as np
    from PIL import Image

    from core.pictures import images

    file = file or images.THUMBNAILS_FILE
    name, remedy = shown(file), "`python -m core.images --write` writes it anew"
    split = _test_split()
    if not file.is_file():
        yield Finding("broken", f"{name}: missing, the map of images needs it: {remedy}")
        return
    if split is None:
        yield Finding("warning", f"{name}: not checked, for want of the test images")
        return
    try:
        with Image.open(file) as opened:
            pixels = np.asarray(opened.convert("L"))
    except (OSError, SyntaxError) as error:  # what Pillow raises on damage
        yield Finding("broken", f"{name}: damaged ({error}): {remedy}")
        return
    sheet = images.tile(np.moveaxis(split.images, 0, 2), images.THUMBNAIL_COLUMNS)
    step = 256 // images.GREYS
    # To encode the picture anew and compare it would take seconds.
    if pixels.shape == sheet.shape and np.abs(pixels - sheet.astype(np.int16)).max() < step:
        yield Finding("good", f"{name}: shows the test images")
    else:
        yield Finding("broken", f"{name}: does not show the test images: {remedy}")


def models(models_dir: Path | None = None) -> Iterator[Finding]:
    """Each model folder opens, computes what was measured of it, and is complete."""
    from core.models import model_folder, staging

    models_dir = models_dir or model_folder.MODELS_DIR
    folders = model_folder.find(models_dir)
    if not folders:
        command = "`python -m core.training --recipe tutorial`"
        yield Finding("broken", f"models: there is none, {command} trains one")
    split = _test_split()
    for folder in folders:
        yield from _model(folder, split)
    for path in staging.leftovers(models_dir):
        if path.name.endswith(staging.EARLIER_SUFFIX):
            words = "the model that a killed training was about to replace: rename it or remove it"
        else:
            words = "the unfinished model of a training: remove it, unless one is running"
        yield Finding("warning", f"{shown(path)}: {words}")


def _model(folder: ModelFolder, split: Split | None) -> Iterator[Finding]:
    from core.network import ModelError

    title = f"model {folder.name}"
    try:
        files = folder.read()
        network = files.network()
    except ModelError as error:
        yield Finding("broken", f"{title}: {_unended(error)}")
        return
    last = network.layers[-1]
    fits = network.input_shape == (28, 28, 1) and last.output_shape == (10,)
    if not fits or last.activation != "softmax":
        words = "it does not turn such an image into ten probabilities, so the app cannot show it"
        yield Finding("warning", f"{title}: {words}")
        return
    findings = [*_files(files), *(_computes(files, network, split) if split else ())]
    if all(each.state == "good" for each in findings):
        words = ", ".join(["its files are sound", *(each.text for each in findings)])
        findings = [Finding("good", words)]
    for each in findings:
        yield Finding(each.state, f"{title}: {each.text}")


def _files(files: ModelFiles) -> Iterator[Finding]:
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
                yield Finding("broken", _unended(error))


def _computes(files: ModelFiles, network: Network, split: Split) -> Iterator[Finding]:
    """The network gets as many images of a sample right as its insights say."""
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
    except ModelError:  # `_files` tells
        insights = None
    if insights is None:
        yield Finding("good", found)
        return
    known = int(np.sum(insights.predictions[sample] == labels))
    if abs(right - known) <= MOST_DIFFERENT:
        yield Finding("good", f"{found}, as its insights say")
    else:
        # The insights were computed from this very file, so it is not the model that differs.
        yield Finding(
            "broken",
            f"{found}, where its insights say {known / len(labels):.1%}: NumPy computes something "
            "else here, `pip install --force-reinstall -r requirements.txt`",
        )


def settings(root: Path = ROOT) -> Iterator[Finding]:
    """Streamlit, asked itself, runs with what the project's file sets, whatever else sets it."""
    import tomllib

    file = root / ".streamlit" / "config.toml"
    if not file.is_file():
        yield Finding("warning", f"{shown(file)}: missing, a class would wait: {_RESTORE}")
        return
    text = file.read_text(encoding="utf-8")
    try:
        wanted, effective = _flat(tomllib.loads(text)), _effective_settings(root)
    except ValueError as error:
        yield Finding(
            "broken",
            f"settings: cannot be read ({error}): mend {shown(file)}, or the one in your home",
        )
        return
    reasons = _reasons(text)
    different = [key for key in wanted if key not in effective or effective[key][0] != wanted[key]]
    for key in different:
        value, variable = effective.get(key, ("unknown to this Streamlit", ""))
        reason = f" ({reasons[key]})" if key in reasons else ""
        remedy = f"unset {variable}" if variable in os.environ else _INSTALL
        yield Finding(
            "warning",
            f"setting {key}: {json.dumps(value)}, where {shown(file)} has "
            f"{json.dumps(wanted[key])}{reason}: {remedy}",
        )
    if not different:
        yield Finding("good", f"settings: all {len(wanted)} as in {shown(file)}")


# As `streamlit config show` does, which leaves out what Streamlit calls hidden, as postScriptGC is.
_ASK_STREAMLIT = """
import json
from streamlit import config
from streamlit.web import bootstrap, cli

environment = cli.config_show.make_context("show", []).params
bootstrap.load_config_options(flag_options=environment)
options = config.get_config_options().values()
print(json.dumps({each.key: (each.value, each.env_var) for each in options}, default=str))
"""


def _effective_settings(root: Path) -> dict[str, tuple[Any, str]]:
    """Each setting's value as `streamlit run` would have it here, and the variable that sets it.

    Raises:
        ValueError: Streamlit cannot read its settings; the message says which.
    """
    asked = subprocess.run(
        [sys.executable, "-c", _ASK_STREAMLIT],
        cwd=root,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=30,
    )
    if asked.returncode:
        raise ValueError((asked.stderr.strip() or "it says nothing").splitlines()[-1])
    answer: dict[str, tuple[Any, str]] = json.loads(asked.stdout)
    return answer


def _flat(tables: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as one, with keys as in "theme.light.primaryColor"."""
    flat: dict[str, Any] = {}
    for key, value in tables.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _reasons(text: str) -> dict[str, str]:
    """The comment right above each setting of a TOML file, for those that have one."""
    reasons: dict[str, str] = {}
    table, comment = "", list[str]()
    for line in map(str.strip, text.splitlines()):
        if line.startswith("#"):
            comment.append(line.lstrip("# "))
        elif line.startswith("["):
            table = line.strip("[]") + "."
        else:
            if comment and "=" in line:
                reasons[table + line.partition("=")[0].strip()] = " ".join(comment).rstrip(".")
            comment = []
    return reasons


def memory(meminfo: Path = _MEMINFO) -> Iterator[Finding]:
    """There is memory for the server and a class."""
    if not meminfo.is_file():
        return  # Linux alone tells it without another package.
    match = re.search(r"^MemAvailable:\s+(\d+) kB", meminfo.read_text(), re.MULTILINE)
    if not match:
        return
    free = int(match[1]) * 1024
    words = f"memory: {free / 1e9:.1f} GB available"
    if free < LEAST_MEMORY:
        least = f"{LEAST_MEMORY / 1e9:.0f} GB"
        yield Finding("warning", f"{words}, a class of students takes up to {least}: free some")
    else:
        yield Finding("good", words)


def temporary_folder() -> Iterator[Finding]:
    """Temporary files can be written."""
    try:
        with tempfile.TemporaryFile() as file:
            file.write(b"written")
            file.flush()
    except OSError as error:
        reason = error.strerror or error
        yield Finding(
            "broken",
            f"temporary files: cannot be written ({reason}): set TMPDIR to a writable folder",
        )
        return
    yield Finding("good", f"temporary files: can be written to {tempfile.gettempdir()}")


def disk_space(folder: Path = ROOT) -> Iterator[Finding]:
    """There is room for a model and the training images."""
    free = shutil.disk_usage(folder).free
    words = f"disk: {free / 1e9:.1f} GB free"
    if free < LEAST_DISK:
        yield Finding("warning", f"{words}, training and downloads may fail: free some")
    else:
        yield Finding("good", words)


def port(number: int | None = None) -> Iterator[Finding]:
    """The app can listen on the port, or does so already."""
    asked, number = number is not None, number or DEFAULT_PORT
    try:
        with socket.socket() as probe:
            if os.name == "posix":  # As the server: a connection that has just ended is no matter.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("", number))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            yield Finding("broken", f"port {number}: {error.strerror}: choose another by --port")
        elif _app_answers(number):
            yield Finding("good", f"port {number}: the app answers there")
        else:
            # Streamlit goes on to the next free port unless it was told this one.
            yield Finding(
                "broken" if asked else "warning",
                f"port {number}: another program has it: stop that, or "
                f"`streamlit run streamlit_app.py --server.port {number + 1}`",
            )
        return
    yield Finding("good", f"port {number}: free")


def _app_answers(number: int) -> bool:
    """Return whether this app answers: only it serves the picture of all test images."""
    from core.pictures.images import THUMBNAILS_FILE

    url = f"http://127.0.0.1:{number}"
    # A proxy that the environment names does not know this machine's ports.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        for path in ("_stcore/health", f"app/static/{THUMBNAILS_FILE.name}"):
            opener.open(f"{url}/{path}", timeout=2).close()
    except (OSError, ValueError):  # no answer, an error, or no HTTP at all
        return False
    return True


def _installed(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _test_split() -> Split | None:
    """The test images; None where `test_data` says what is wrong with them."""
    from core import dataset

    try:
        return dataset.load_split("test")
    except dataset.DatasetError:
        return None


def _unended(error: Exception) -> str:
    """An error's sentence, as lines here are: without a full stop."""
    return str(error).rstrip(".")


def diagnose(port_number: int | None = None) -> Iterator[Finding]:
    """Run all checks, in an order in which what others need comes first."""
    for finding in python_version():
        yield finding
        if finding.state == "broken":
            return  # Not even this project's files can be read by it.
    checks: dict[str, Check] = {
        "packages": packages,
        "test images": test_data,
        "training images": training_data,
        "picture of the test images": picture,
        "models": models,
        "settings": settings,
        "memory": memory,
        "temporary files": temporary_folder,
        "disk": disk_space,
        "port": lambda: port(port_number),
    }
    for title, check in checks.items():
        try:
            yield from check()
        except ImportError as error:
            # Said here, too: `packages` does not see a package that is installed but broken.
            yield Finding("broken", f"{title}: not checked ({error}): {_INSTALL}")
        except Exception as error:
            # The other checks may still tell why.
            yield Finding("broken", f"{title}: not checked ({type(error).__name__}: {error})")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m core.doctor",
        description="Check this installation and say what to mend. Exit status: 0 if the app will "
        "work, 1 if something is to be mended.",
    )
    parser.add_argument(
        "--port", type=_port, help=f"the port that the app shall have ({DEFAULT_PORT} by default)"
    )
    asked = parser.parse_args(arguments).port
    marks, states = _marks(), list[State]()
    for finding in diagnose(asked):
        _say(f"{marks[finding.state]} {' '.join(finding.text.split())}")
        states.append(finding.state)
    broken = states.count("broken")
    if broken:
        _say(f"\nThe app will not work as it should: mend what is marked {marks['broken'].strip()}")
    else:
        _say("\nThe app will work: `streamlit run streamlit_app.py`")
    return 1 if broken else 0


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 2**16:
        raise argparse.ArgumentTypeError(f"a port is a number from 1 to 65535, not {text!r}")
    return int(text)


def _marks() -> dict[State, str]:
    """Marks that standard output can show."""
    try:
        "".join(_MARKS.values()).encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return _ASCII_MARKS
    return _MARKS


def _say(line: str) -> None:
    """Print a line at once, with ? for what standard output cannot show, as in a folder's name."""
    encoding = sys.stdout.encoding or "ascii"
    print(line.encode(encoding, "replace").decode(encoding), flush=True)

"""A model folder as a place: find the folders, read one, write its insights.

Each folder in `assets/models` offers its model to the app under the folder's name;
`core.models.model_files` lists the files in it.

A folder may be replaced while the app shows its model. `ModelFolder.read` therefore reads all files
at one moment; code that shows a model keeps the `ModelFiles` that it returns.
"""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.command_line.progress import Progress
from core.dataset import Split
from core.evidence.insights import Insights
from core.models.measuring import MEASURING_PREFIX, reported_share, share_measured
from core.models.model_files import INSIGHTS_FILE, MAX_BYTES, NETWORK_FILE, ModelFiles
from core.models.reading import Stamp, read_bytes, stamp_of
from core.network import ModelError
from core.paths import REPOSITORY, readable, shell_word, shown

MODELS_DIR = REPOSITORY / "assets" / "models"

MAX_READS = 20
"""How often a folder is read again because it changed while it was read."""


class ModelReplaced(ModelError):
    """The folder holds another version of the model than the one that was asked for."""


@dataclass(frozen=True)
class ModelFolder:
    """A place where a model is, or may be; nothing is read before a method asks for it."""

    path: Path

    @property
    def name(self) -> str:
        """The folder's name as printable text, by which people choose the model."""
        return readable(self.path.name)

    @property
    def insights_command(self) -> str:
        """The command that computes the model's insights."""
        return f"python -m core.insights {shell_word(self.path)}"

    def stamps(self) -> tuple[Stamp | None, ...]:
        """Return a stamp of each file, in the order of `MAX_BYTES`; None for a missing one."""
        return tuple(stamp_of(self.path / name) for name in MAX_BYTES)

    def read(self) -> ModelFiles:
        """Read all files, as they were at one moment.

        Raises:
            ModelReplaced: There is no folder, or it changed each time that it was read.
        """
        for _ in range(MAX_READS):
            if not self.path.is_dir():
                raise ModelReplaced(f"There is no folder {shown(self.path)}: choose another model.")
            read = {name: read_bytes(self.path / name, limit) for name, limit in MAX_BYTES.items()}
            stamps = tuple(stamp for _, stamp in read.values())
            if self.stamps() == stamps and self.path.is_dir():
                contents = {name: content for name, (content, _) in read.items()}
                return ModelFiles.of(self, stamps, contents)
        raise ModelReplaced(f"{shown(self.path)} changes while it is read: try again.")

    def measure(self, split: Split, progress: Progress | None = None) -> Insights:
        """Compute the insights and write `insights.npz`; meanwhile `being_measured` has the share.

        Raises:
            InsightsError: openTSNE is not installed.
            ModelError: The model cannot be read, its numbers are too large, or it was replaced
                meanwhile.
            ValueError: The network or the split is not one that insights are made of.
            OSError: The folder cannot be written to; an earlier `insights.npz` is untouched.
        """
        files = self.read()
        with reported_share(self.path) as report:

            def report_twice(share: float, words: str) -> None:
                report(share)
                if progress:
                    progress(share, words)

            insights = files.measure(split, report_twice)
            self.write_insights(insights, files)
        return insights

    def being_measured(self) -> float | None:
        """Return which share of its insights a running command has computed, 0 to 1.

        Returns:
            None if no command is computing them.
        """
        return share_measured(self.path)

    def write_insights(self, insights: Insights, files: ModelFiles) -> None:
        """Write `insights.npz`, which takes an earlier one's place once it is complete.

        Args:
            insights: What to write.
            files: The files that it was computed from.

        Raises:
            ModelReplaced: `model.keras` is not the one in `files` any more.
            OSError: It cannot be written; an earlier one is untouched.
        """
        unfinished = self.path / f"{MEASURING_PREFIX}-{secrets.token_hex(4)}.npz"
        try:
            np.savez(unfinished, **files.insights_arrays(insights))
            if stamp_of(self.path / NETWORK_FILE) != files.stamps[0]:
                raise ModelReplaced(
                    f"{shown(self.path / NETWORK_FILE)} was replaced while it was measured: "
                    f"`{self.insights_command}` measures the new one."
                )
            unfinished.replace(self.path / INSIGHTS_FILE)
        finally:
            unfinished.unlink(missing_ok=True)


def find(models_dir: Path = MODELS_DIR) -> list[ModelFolder]:
    """Return the model folders in a directory, sorted by name; none where it does not exist.

    Every directory in it counts, so that a damaged model is named and not silently absent. Hidden
    ones do not: a training run writes into one until it is complete.

    Raises:
        ModelError: The directory cannot be read.
    """
    try:
        with os.scandir(models_dir) as entries:
            names = [entry.name for entry in entries if Path(entry).is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise ModelError(f"{shown(models_dir)} cannot be read ({error.strerror}).") from error
    return [ModelFolder(models_dir / name) for name in sorted(names) if not name.startswith(".")]

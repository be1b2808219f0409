"""Each check on what is well and on what is broken, and the command as it is typed."""

from __future__ import annotations

import errno
import importlib.metadata
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import tomllib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from packaging.specifiers import SpecifierSet
from PIL import Image

from core import dataset
from core.dataset import sources
from core.models import model_files, model_folder
from core.models.model_files import ModelFiles
from core.models.model_folder import MODELS_DIR, ModelFolder
from core.network import Network
from core.pictures import images
from tests.harness.skips import needs_train
from tools import doctor
from tools.doctor import ROOT, Finding


def only(findings: Iterator[Finding]) -> Finding:
    """The one finding, which is one line and ends as all do."""
    (finding,) = findings
    assert "\n" not in finding.text
    assert not finding.text.endswith(".")
    return finding


@pytest.fixture
def no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the only one that data are looked for in."""
    folder = tmp_path / "no data"
    folder.mkdir()
    monkeypatch.setenv(sources.DIR_VARIABLE, str(folder))
    return folder


class TestPython:
    def as_if(self, monkeypatch: pytest.MonkeyPatch, *version: int) -> None:
        monkeypatch.setattr(doctor, "sys", SimpleNamespace(version_info=(*version, 0)))

    def test_this_one(self) -> None:
        finding = only(doctor.python_version())
        assert finding.state == "good"
        assert f"Python {sys.version_info.major}.{sys.version_info.minor}" == finding.text

    def test_too_old_is_all_that_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.as_if(monkeypatch, 3, 10)
        assert only(doctor.diagnose()) == Finding(
            "broken", "Python 3.10: too old, install one of 3.11 to 3.13"
        )

    def test_newer_than_tested(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.as_if(monkeypatch, 3, 14)
        assert only(doctor.python_version()).state == "warning"

    def test_the_bounds_are_those_of_the_project(self) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        (first, last) = (f"{major}.{minor}" for major, minor in doctor.TESTED_PYTHONS)
        assert SpecifierSet(project["requires-python"]).contains(first)
        assert not SpecifierSet(project["requires-python"]).contains("3.10")
        pins = (ROOT / "requirements.txt").read_text()
        named = re.search(r"on Python (3\.\d+), .*and (3\.\d+)\.", pins)
        assert named is not None
        assert named.groups() == (first, last)


class TestPackages:
    @pytest.fixture
    def require(self, tmp_path: Path) -> Callable[..., list[Finding]]:
        """Checks lines as those of requirements.txt."""

        def check(*lines: str) -> list[Finding]:
            file = tmp_path / "requirements.txt"
            file.write_text("# a comment\n\n" + "\n".join(lines))
            return list(doctor.packages(file))

        return check

    def test_as_pinned(self, require: Callable[..., list[Finding]]) -> None:
        pin = f"numpy=={importlib.metadata.version('numpy')}  # why"
        elsewhere = 'no-such-package==1.0; sys_platform == "plan9"'
        assert require(pin, elsewhere) == [
            Finding("good", "packages: all 1 as pinned in requirements.txt")
        ]

    def test_missing(self, require: Callable[..., list[Finding]]) -> None:
        (finding,) = require("no-such-package==1.0")
        assert finding == Finding(
            "broken", "no-such-package: missing: `pip install -r requirements.txt`"
        )

    def test_another_version(self, require: Callable[..., list[Finding]]) -> None:
        (finding,) = require("numpy==0.1")
        assert finding.state == "warning"
        assert f"numpy: {np.__version__} is not ==0.1" in finding.text

    @pytest.mark.parametrize("package", ["tensorflow", "tensorflow-cpu", "openTSNE"])
    def test_training_is_no_need(
        self,
        require: Callable[..., list[Finding]],
        monkeypatch: pytest.MonkeyPatch,
        package: str,
    ) -> None:
        monkeypatch.setattr(doctor, "_installed", lambda _name: None)
        (finding,) = require(f"{package}==1.0")
        assert finding.state == "warning"
        assert "needed only for training" in finding.text

    def test_the_projects_own_are_understood(self) -> None:
        findings = list(doctor.packages())
        assert not [each for each in findings if each.state == "broken"]


class TestData:
    def test_test_images_and_where_they_are_from(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv(sources.DIR_VARIABLE, raising=False)
        monkeypatch.setattr(sources, "SYSTEM_DIR", Path("nowhere"))
        finding = only(doctor.test_data())
        assert finding.state == "good"
        assert "10,000, verified" in finding.text
        assert finding.text.endswith(f"from {sources.BUNDLED_DIR}")

    def test_missing(self, no_data: Path) -> None:
        finding = only(doctor.test_data())
        assert finding.state == "broken"
        assert f"{no_data}/t10k-images-idx3-ubyte.gz is missing" in finding.text
        assert dataset.folder_of("test") is None

    def test_damaged(self, no_data: Path) -> None:
        shutil.copytree(sources.BUNDLED_DIR, no_data, dirs_exist_ok=True)
        assert only(doctor.test_data()).text.endswith(f"from {no_data}")
        (no_data / "t10k-labels-idx1-ubyte.gz").write_bytes(b"nothing")
        finding = only(doctor.test_data())
        assert finding.state == "broken"
        assert "t10k-labels-idx1-ubyte.gz is not an IDX file" in finding.text

    def test_damaged_summary(self, no_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        shutil.copytree(sources.BUNDLED_DIR, no_data, dirs_exist_ok=True)
        (no_data / sources.SUMMARY_NAME).write_bytes(b"nothing")
        monkeypatch.setattr(sources, "BUNDLED_DIR", no_data)
        good, broken = doctor.test_data()
        assert (good.state, broken.state) == ("good", "broken")
        assert f"{sources.SUMMARY_NAME} is damaged" in broken.text

    @needs_train
    def test_training_images(self) -> None:
        finding = only(doctor.training_data())
        assert finding.state == "good"
        assert "60,000, verified" in finding.text

    def test_training_images_are_no_need(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv(sources.DIR_VARIABLE, raising=False)
        monkeypatch.setattr(sources, "SYSTEM_DIR", tmp_path)
        monkeypatch.setattr(sources, "CACHE_DIR", tmp_path)
        finding = only(doctor.training_data())
        assert finding.state == "warning"
        assert "run `python -m core.dataset download`" in finding.text


class TestPicture:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        return Path(shutil.copy(images.THUMBNAILS_FILE, tmp_path))

    def test_bundled(self) -> None:
        assert only(doctor.picture()) == Finding(
            "good", "static/test_images.png: shows the test images"
        )

    def test_missing(self, file: Path) -> None:
        file.unlink()
        finding = only(doctor.picture(file))
        assert finding.state == "broken"
        assert finding.text.endswith("`python -m core.images --write` writes it anew")

    @pytest.mark.parametrize("content", [b"", b"no picture", None])
    def test_damaged(self, file: Path, content: bytes | None) -> None:
        file.write_bytes(file.read_bytes()[:100_000] if content is None else content)
        finding = only(doctor.picture(file))
        assert finding.state == "broken"
        assert "damaged" in finding.text

    def test_one_other_image(self, file: Path) -> None:
        with Image.open(file) as picture:
            pixels = np.array(picture.convert("L"))
        pixels[28:56, :28] = np.roll(pixels[28:56, :28], 1, axis=0)
        Image.fromarray(pixels).save(file)
        finding = only(doctor.picture(file))
        assert finding.state == "broken"
        assert "does not show the test images" in finding.text

    def test_another_size(self, file: Path) -> None:
        Image.new("L", (28, 28)).save(file)
        assert only(doctor.picture(file)).state == "broken"

    @pytest.mark.usefixtures("no_data")
    def test_without_test_images(self, file: Path) -> None:
        assert only(doctor.picture(file)).state == "warning"


class TestModels:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """The only model folder of `check`, a copy of a bundled one."""
        return Path(shutil.copytree(MODELS_DIR / "tutorial", tmp_path / "models" / "mine"))

    def check(self, folder: Path) -> list[Finding]:
        return list(doctor.models(folder.parent))

    def test_sound(self, folder: Path) -> None:
        (finding,) = self.check(folder)
        assert finding.state == "good"
        assert re.fullmatch(
            r"model mine: its files are sound, 8\d\.\d% of 500 test images right, "
            "as its insights say",
            finding.text,
        )

    @pytest.mark.usefixtures("no_data")
    def test_without_test_images(self, folder: Path) -> None:
        assert self.check(folder) == [Finding("good", "model mine: its files are sound")]

    def test_none(self, tmp_path: Path) -> None:
        finding = only(doctor.models(tmp_path))
        assert finding.state == "broken"
        assert "`python -m core.training --recipe tutorial`" in finding.text

    def test_damaged_network_beside_a_sound_one(self, folder: Path) -> None:
        shutil.copytree(folder, folder.with_name("bad"))
        (folder.with_name("bad") / model_files.NETWORK_FILE).write_bytes(b"no zip")
        bad, mine = self.check(folder)
        assert (bad.state, mine.state) == ("broken", "good")
        assert "bad/model.keras is not a .keras file" in bad.text

    def test_another_network_than_measured(self, folder: Path) -> None:
        shutil.copy(MODELS_DIR / "tuned" / model_files.NETWORK_FILE, folder)
        broken, _ = self.check(folder)
        assert broken.state == "broken"
        assert "insights.npz is damaged (it was not computed from this model.keras)" in broken.text

    def test_arithmetic_that_differs(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        compute = Network.predict

        def slightly_off(network: Network, batch: Any) -> Any:
            outputs = compute(network, batch)
            outputs[:10] = np.roll(outputs[:10], 1, axis=1)  # ten of the 500
            return outputs

        monkeypatch.setattr(Network, "predict", slightly_off)
        (finding,) = self.check(folder)
        assert finding.state == "broken"
        assert "where its insights say" in finding.text

    @pytest.mark.parametrize(
        "name",
        [
            model_files.HISTORY_FILE,
            model_files.CHECKPOINTS_FILE,
            model_files.INSIGHTS_FILE,
            model_files.CARD_FILE,
        ],
    )
    def test_a_damaged_file(self, folder: Path, name: str) -> None:
        (folder / name).write_bytes(b"\xff")
        broken = [each for each in self.check(folder) if each.state == "broken"]
        assert broken
        assert all(f"mine/{name} is damaged" in each.text for each in broken)

    def test_checkpoints_are_read_to_the_last(self, folder: Path) -> None:
        file = folder / model_files.CHECKPOINTS_FILE
        with np.load(file) as archive:
            arrays = dict(archive)
        arrays["4/dense_layer_7/bias"][-1] = np.nan
        np.savez(file, allow_pickle=False, **arrays)
        broken, _ = self.check(folder)
        assert broken.state == "broken"
        assert "4/dense_layer_7/bias" in broken.text

    def test_what_a_killed_training_left_is_named(self, folder: Path) -> None:
        for name in (".mine-0123abcd", ".mine-0123abcd-earlier"):
            (folder.parent / name).mkdir()
        sound, unfinished, earlier = doctor.models(folder.parent)
        assert [sound.state, unfinished.state, earlier.state] == ["good", "warning", "warning"]
        assert ".mine-0123abcd: the unfinished model of a training: remove it" in unfinished.text
        assert ".mine-0123abcd-earlier: the model that a killed training" in earlier.text

    def test_not_measured(self, folder: Path) -> None:
        (folder / model_files.INSIGHTS_FILE).unlink()
        warning, computes = self.check(folder)
        command = ModelFolder(folder).insights_command
        assert warning == Finding("warning", f"model mine: not measured yet: `{command}`")
        assert computes.state == "good"

    def test_a_network_of_ones_own_stands_alone(self, folder: Path) -> None:
        for name in model_files.FILES - {model_files.NETWORK_FILE}:
            (folder / name).unlink()
        insights, others, computes = self.check(folder)
        assert (insights.state, others.state, computes.state) == ("warning", "warning", "good")
        assert "without history.csv, checkpoints.npz, card.md" in others.text

    @pytest.mark.parametrize(
        ("shape", "classes", "activation"),
        [((32, 32, 3), 10, "softmax"), ((28, 28, 1), 2, "softmax"), ((28, 28, 1), 10, "relu")],
    )
    def test_a_network_for_something_else(
        self,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        shape: tuple[int, ...],
        classes: int,
        activation: str,
    ) -> None:
        last = SimpleNamespace(output_shape=(classes,), activation=activation)
        other = SimpleNamespace(input_shape=shape, layers=[last])
        monkeypatch.setattr(ModelFiles, "network", lambda _files: other)
        (finding,) = self.check(folder)
        assert finding.state == "warning"
        assert "so the app cannot show it" in finding.text


class TestSettings:
    @pytest.fixture(autouse=True)
    def nothing_set(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in os.environ:
            if name.startswith("STREAMLIT_"):
                monkeypatch.delenv(name)
        monkeypatch.setenv("HOME", str(tmp_path))

    def write(self, folder: Path, text: str) -> None:
        (folder / ".streamlit").mkdir(parents=True)
        (folder / ".streamlit" / "config.toml").write_text(text)

    def test_the_projects(self, tmp_path: Path) -> None:
        # A person's own file counts less than the project's.
        self.write(tmp_path, "[runner]\npostScriptGC = true\n")
        finding = only(doctor.settings())
        assert finding.state == "good"
        assert finding.text.endswith("as in .streamlit/config.toml")

    def test_the_environment_counts_more(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("STREAMLIT_RUNNER_POST_SCRIPT_GC", "true")
        finding = only(doctor.settings())
        assert finding.state == "warning"
        assert "runner.postScriptGC: true, where .streamlit/config.toml has false" in finding.text
        assert "tens of milliseconds" in finding.text
        assert finding.text.endswith("unset STREAMLIT_RUNNER_POST_SCRIPT_GC")

    def test_the_environment_may_say_the_same(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("STREAMLIT_SERVER_FILE_WATCHER_TYPE", "none")
        assert only(doctor.settings()).state == "good"

    def test_missing(self, tmp_path: Path) -> None:
        finding = only(doctor.settings(tmp_path))
        assert finding.state == "warning"
        assert "missing" in finding.text

    def test_damaged(self, tmp_path: Path) -> None:
        self.write(tmp_path / "app", "[runner\n")
        finding = only(doctor.settings(tmp_path / "app"))
        assert finding.state == "broken"
        assert "cannot be read" in finding.text

    def test_unknown_to_streamlit(self, tmp_path: Path) -> None:
        self.write(tmp_path / "app", "[runner]\nnoSuchThing = 1\n")
        finding = only(doctor.settings(tmp_path / "app"))
        assert finding.state == "warning"
        assert "unknown to this Streamlit" in finding.text

    def test_streamlit_is_broken(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.write(tmp_path / "app", "[runner]\n")
        monkeypatch.setattr(doctor, "_ASK_STREAMLIT", "raise SystemExit('no streamlit')")
        finding = only(doctor.settings(tmp_path / "app"))
        assert finding.state == "broken"
        assert "no streamlit" in finding.text

    def test_reasons_are_the_comments_right_above(self) -> None:
        text = (
            "[a]\n# One\n# reason.\nb = 1\nc = 2\n\n# Of the table.\n[d]\n[d.e]\nf = 3\n# g = 4\n"
        )
        assert doctor._reasons(text) == {"a.b": "One reason", "d.e.f": "Of the table"}


class TestMachine:
    @pytest.mark.parametrize(("kilobytes", "state"), [(24_000_000, "good"), (500_000, "warning")])
    def test_memory(self, tmp_path: Path, kilobytes: int, state: str) -> None:
        meminfo = tmp_path / "meminfo"
        meminfo.write_text(f"MemTotal:  99999999 kB\nMemAvailable:  {kilobytes} kB\n")
        finding = only(doctor.memory(meminfo))
        assert finding.state == state
        assert f"{kilobytes * 1024 / 1e9:.1f} GB available" in finding.text

    def test_memory_that_is_not_told(self, tmp_path: Path) -> None:
        assert list(doctor.memory(tmp_path / "meminfo")) == []

    def test_temporary_files(self) -> None:
        assert only(doctor.temporary_folder()).state == "good"

    def test_temporary_files_that_cannot_be_written(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
        finding = only(doctor.temporary_folder())
        assert finding.state == "broken"
        assert "TMPDIR" in finding.text

    @pytest.mark.parametrize(("free", "state"), [(10**10, "good"), (10**8, "warning")])
    def test_disk(self, monkeypatch: pytest.MonkeyPatch, free: int, state: str) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=free))
        assert only(doctor.disk_space()).state == state


class TestPort:
    @pytest.fixture
    def serve(self) -> Iterator[Callable[..., int]]:
        """Starts a server that knows some addresses, and returns its port."""
        servers = []

        def start(*known: str) -> int:
            class Handler(BaseHTTPRequestHandler):
                def do_GET(self) -> None:
                    self.send_response(200 if self.path in known else 404)
                    self.send_header("Content-Length", "0")
                    self.end_headers()

                def log_message(self, *_arguments: object) -> None:
                    pass

            server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            servers.append(server)
            return int(server.server_address[1])

        yield start
        for server in servers:
            server.shutdown()
            server.server_close()

    def test_free(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            number = probe.getsockname()[1]
        assert only(doctor.port(number)) == Finding("good", f"port {number}: free")

    def test_the_app_has_it(self, serve: Callable[..., int]) -> None:
        number = serve("/_stcore/health", "/app/static/test_images.png")
        assert only(doctor.port(number)) == Finding("good", f"port {number}: the app answers there")

    def test_another_streamlit_app_has_it(self, serve: Callable[..., int]) -> None:
        number = serve("/_stcore/health")
        finding = only(doctor.port(number))
        assert finding.state == "broken"
        assert f"--server.port {number + 1}" in finding.text

    def test_unless_asked_for_streamlit_takes_another(
        self, serve: Callable[..., int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(doctor, "DEFAULT_PORT", serve())
        assert only(doctor.port()).state == "warning"

    def test_not_allowed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(_socket: object, _address: object) -> None:
            raise PermissionError(errno.EACCES, "Permission denied")

        monkeypatch.setattr(doctor.socket, "socket", type("", (socket.socket,), {"bind": refuse}))
        finding = only(doctor.port(80))
        assert finding.state == "broken"
        assert "Permission denied" in finding.text


class TestDiagnose:
    @pytest.mark.parametrize(
        ("error", "words"),
        [
            (ModuleNotFoundError("No module named 'numpy'"), "`pip install -r requirements.txt`"),
            (RuntimeError("so it is"), "RuntimeError: so it is"),
        ],
    )
    def test_a_check_that_fails_is_told_and_the_others_go_on(
        self, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
    ) -> None:
        def fail() -> Iterator[Finding]:
            raise error
            yield

        for name in ("packages", "test_data", "training_data", "models", "settings"):
            monkeypatch.setattr(doctor, name, fail)
        findings = list(doctor.diagnose())
        failed = [each for each in findings if "not checked" in each.text]
        assert len(failed) == 5
        assert all(words in each.text and each.state == "broken" for each in failed)
        assert any(each.text.startswith("disk: ") for each in findings)


class TestCommand:
    def run(self, *command: str, **env: str) -> subprocess.CompletedProcess[bytes]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("STREAMLIT")}
        return subprocess.run(
            [sys.executable, *command], cwd=ROOT, env=clean | env, capture_output=True, timeout=120
        )

    def test_here_all_is_well_without_tensorflow_or_streamlit(self) -> None:
        heavy = "{'tensorflow', 'keras', 'streamlit', 'openTSNE'}"
        program = (
            "import sys; from tools import doctor; status = doctor.main([]); "
            f"print(*{heavy} & set(sys.modules), file=sys.stderr); sys.exit(status)"
        )
        done = self.run("-c", program, PYTHONIOENCODING="utf-8")
        assert done.returncode == 0, done.stdout.decode()
        assert done.stderr.strip() == b""
        *lines, blank, last = done.stdout.decode().splitlines()
        assert all(re.match("[✓!] ", line) for line in lines)
        for folder in model_folder.find():
            assert any(line.startswith(f"✓ model {folder.name}: ") for line in lines)
        assert (blank, last) == ("", "The app will work: `streamlit run streamlit_app.py`")

    def test_what_is_broken_is_marked_on_any_terminal(self, no_data: Path) -> None:
        folder = no_data.with_name("Müller")
        folder.mkdir()
        done = self.run(
            "-m", "core.doctor", FASHION_MNIST_DIR=str(folder), PYTHONIOENCODING="ascii"
        )
        assert (done.returncode, done.stderr) == (1, b"")
        lines = done.stdout.decode("ascii").splitlines()
        assert lines[0].startswith("ok Python 3.")
        assert any(re.match(r"X  test images: .*/M\?ller/t10k-images", line) for line in lines)
        assert lines[-1].endswith("mend what is marked X")

    def test_no_port(self) -> None:
        done = self.run("-m", "core.doctor", "--port", "99999")
        assert done.returncode == 2
        assert b"a port is a number from 1 to 65535, not '99999'" in done.stderr

"""All checks together, and the command as it is typed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.models import model_folder
from core.paths import REPOSITORY
from tools.doctor import command, data, installation, models, settings
from tools.doctor.findings import Finding


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ModuleNotFoundError("No module named 'numpy'"), "`pip install -r requirements.txt`"),
        (RuntimeError("so it is"), "RuntimeError: so it is"),
    ],
)
def test_check_that_fails_is_reported_and_the_others_run(
    monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    def fail() -> Iterator[Finding]:
        raise error
        yield

    for module, name in (
        (installation, "check_packages"),
        (data, "check_test_images"),
        (data, "check_training_images"),
        (models, "check_models"),
        (settings, "check_settings"),
    ):
        monkeypatch.setattr(module, name, fail)
    findings = list(command.diagnose())
    failed = [each for each in findings if "not checked" in each.text]
    assert len(failed) == 5
    assert all(words in each.text and each.state == "broken" for each in failed)
    assert any(each.text.startswith("disk: ") for each in findings)


def run_python(*command: str, **env: str) -> subprocess.CompletedProcess[bytes]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("STREAMLIT")}
    return subprocess.run(
        [sys.executable, *command],
        cwd=REPOSITORY,
        env=clean | env,
        capture_output=True,
        timeout=120,
    )


def test_this_installation_is_well_without_tensorflow_or_streamlit() -> None:
    heavy = "{'tensorflow', 'keras', 'streamlit', 'openTSNE'}"
    program = (
        "import sys; from tools.doctor import command; status = command.main([]); "
        f"print(*{heavy} & set(sys.modules), file=sys.stderr); sys.exit(status)"
    )
    done = run_python("-c", program, PYTHONIOENCODING="utf-8")
    assert done.returncode == 0, done.stdout.decode()
    assert done.stderr.strip() == b""
    *lines, blank, last = done.stdout.decode().splitlines()
    assert all(re.match("[✓!] ", line) for line in lines)
    for folder in model_folder.find():
        assert any(line.startswith(f"✓ model {folder.name}: ") for line in lines)
    assert (blank, last) == ("", "The app will work: `streamlit run streamlit_app.py`")


def test_broken_finding_is_marked_on_any_terminal(no_data: Path) -> None:
    folder = no_data.with_name("Müller")
    folder.mkdir()
    done = run_python("-m", "core.doctor", FASHION_MNIST_DIR=str(folder), PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (1, b"")
    lines = done.stdout.decode("ascii").splitlines()
    assert lines[0].startswith("ok Python 3.")
    assert any(re.match(r"X  test images: .*/M\?ller/t10k-images", line) for line in lines)
    assert lines[-1].endswith("mend what is marked X")


def test_impossible_port_is_refused() -> None:
    done = run_python("-m", "core.doctor", "--port", "99999")
    assert done.returncode == 2
    assert b"a port is a number from 1 to 65535, not '99999'" in done.stderr

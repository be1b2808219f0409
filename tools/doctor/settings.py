"""Check of Streamlit's effective settings against .streamlit/config.toml."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from core.paths import REPOSITORY, shown
from tools.doctor.findings import INSTALL, Finding


def check_settings(root: Path = REPOSITORY) -> Iterator[Finding]:
    """Check Streamlit's effective settings against config.toml, whatever else sets them."""
    import tomllib

    file = root / ".streamlit" / "config.toml"
    if not file.is_file():
        yield Finding(
            "warning", f"{shown(file)}: missing, a class would wait: restore it from the repository"
        )
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
        remedy = f"unset {variable}" if variable in os.environ else INSTALL
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
    """Return each setting's value under `streamlit run`, and the variable that sets it.

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
    """Return nested tables as one, with keys as in "theme.light.primaryColor"."""
    flat: dict[str, Any] = {}
    for key, value in tables.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _reasons(text: str) -> dict[str, str]:
    """Return the comment right above each setting of a TOML file, for those that have one."""
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

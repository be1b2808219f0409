"""Helper of the tests of the checks."""

from __future__ import annotations

from collections.abc import Iterator

from tools.doctor.findings import Finding


def only(findings: Iterator[Finding]) -> Finding:
    """Return the only finding; assert that it is one line without a full stop."""
    (finding,) = findings
    assert "\n" not in finding.text
    assert not finding.text.endswith(".")
    return finding

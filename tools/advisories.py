"""Look up advisories for the pinned releases: `python -m tools.advisories`.

Asks the package index what `pip-audit` asks it: for security advisories, and for releases that
their authors withdrew ("yanked"). A mirror may know less than PyPI itself, and then `pip-audit`
skips a package and says that nothing was found. This command says "not told" instead:

- where an index has advisories of each package's newest release only, for an older pin;
- where it has no advisories at all, for every pin. An empty list does not tell that apart, so it is
  also asked about a release that is known to have some.

Only what is pinned is looked up, not what that brings along. Where PyPI itself can be reached,
`pip-audit -r requirements.txt` does both.

Exit status: 0 if nothing is known against any pin, 1 if something is, 2 if an answer is missing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from packaging.requirements import Requirement

from core.command_line.run import run

ROOT = Path(__file__).resolve().parents[1]
INDEX = "https://pypi.org"
TIMEOUT = 30.0  # seconds
# Abandoned, with two advisories that nobody will mend.
KNOWN_BAD = ("pycrypto", "2.6.1")


@dataclass(frozen=True)
class Answer:
    """Statements of an index about a release; None for what it does not state."""

    advisories: tuple[str, ...] | None
    yanked: bool | None


NOTHING_TOLD = Answer(None, None)


def pins(file: Path) -> Iterator[tuple[str, str]]:
    """Name and version of each pin in a requirements file and in those that it includes, whatever
    machine it is for."""
    for line in file.read_text().splitlines():
        line = line.partition("#")[0].strip()
        if line.startswith("-r "):
            yield from pins(file.parent / line.removeprefix("-r ").strip())
        elif line:
            requirement = Requirement(line)
            yield requirement.name, str(requirement.specifier).removeprefix("==")


def ask(index: str, name: str, version: str) -> Answer:
    """Ask an index about a release.

    Raises:
        requests.RequestException: There is no sensible answer.
    """
    page = _page(f"{index}/pypi/{name}/{version}/json") or _page(f"{index}/pypi/{name}/json")
    if page is None:
        return NOTHING_TOLD
    about_it = page["info"]["version"] == version
    listed = page.get("vulnerabilities") if about_it else None
    files = page["urls"] if about_it else page.get("releases", {}).get(version)
    return Answer(
        advisories=None if listed is None else tuple(_names(listed)),
        yanked=any(file["yanked"] for file in files) if files else None,
    )


def _page(url: str) -> dict[str, Any] | None:
    response = requests.get(url, timeout=TIMEOUT)
    if response.status_code == requests.codes.not_found:
        return None
    response.raise_for_status()
    page: dict[str, Any] = response.json()
    return page


def _names(advisories: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The names of advisories in force; several databases list the same ones."""
    seen = set[str]()
    for each in advisories:
        names = {each["id"], *each["aliases"]}
        if not each["withdrawn"] and not names & seen:
            yield each["id"]
        seen |= names


def words(answer: Answer) -> tuple[str, str]:
    """The two columns of the table: advisories, and whether the release was withdrawn."""
    listed = answer.advisories
    advisories = "not told" if listed is None else " ".join(listed) or "none"
    return advisories, {None: "not told", True: "yanked", False: "no"}[answer.yanked]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.advisories",
        description="What is known against the releases that we pin. Exit status: 0 nothing, "
        "1 something, 2 not all was told.",
    )
    parser.add_argument("--index", default=INDEX, help=f"the package index to ask ({INDEX})")
    parser.add_argument("--requirements", type=Path, default=ROOT / "requirements-dev.txt")
    options = parser.parse_args(arguments)
    try:
        knows = bool(ask(options.index, *KNOWN_BAD).advisories)
        answers = {pin: ask(options.index, *pin) for pin in pins(options.requirements)}
    except requests.RequestException as error:
        print(f"{options.index} gives no answer ({error}): try again later.", file=sys.stderr)
        return 2
    if not knows:
        answers = {pin: Answer(None, answer.yanked) for pin, answer in answers.items()}
        print(f"{options.index} has no advisories: not even for {' '.join(KNOWN_BAD)}.")

    print(f"{'release':40} {'withdrawn':10} advisories")
    for (name, version), answer in answers.items():
        advisories, yanked = words(answer)
        print(f"{name + ' ' + version:40} {yanked:10} {advisories}")

    found = [pin for pin, answer in answers.items() if answer.advisories or answer.yanked]
    untold = [pin for pin, answer in answers.items() if None in (answer.advisories, answer.yanked)]
    print(
        f"\n{len(answers)} pins: {len(found)} with something known, {len(untold)} not fully told."
    )
    return 1 if found else 2 if untold else 0


if __name__ == "__main__":
    run(main)

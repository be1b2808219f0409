"""What the tests of faults take from the pages' own tests."""

from tests.pages.conftest import fast_runs, open_page  # noqa: F401, fixtures

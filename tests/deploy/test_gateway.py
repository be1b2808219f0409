"""What nginx lets through, what it keeps, and what it adds."""

from __future__ import annotations

import re

import pytest

from tests.harness.answer import Answer
from tests.harness.site import Site

AGENT = "/_stcore/agent"
GZIP = {"Accept-Encoding": "gzip"}


@pytest.mark.parametrize(
    ("path", "own"),
    [
        ("/_stcore/metrics", 200),
        ("/_stcore/metrics?families=x", 200),
        (f"{AGENT}/openapi.json", 200),
        (f"{AGENT}/interact", 405),  # only takes POST
        ("/_stcore/script-health-check", 200),
    ],
)
def test_what_is_not_for_students_is_closed(site: Site, path: str, own: int) -> None:
    assert Answer(f"http://{next(iter(site.replicas))}", path).status == own
    assert Answer(site.url, path).status == 404


@pytest.mark.parametrize(
    "path", ["//_stcore/metrics", "/_stcore/%6detrics", "/x/../_stcore//metrics"]
)
def test_other_spellings_are_closed_too(site: Site, path: str) -> None:
    answer = Answer(site.url, path)
    assert answer.status == 404
    assert "X-Replica" not in answer.headers  # nobody was asked


def test_a_cookie_keeps_a_student_in_place(site: Site) -> None:
    newcomers = [Answer(site.url, "/") for _ in range(40)]
    asked = [each.headers["X-Replica"] for each in newcomers]
    assert set(asked) == set(site.replicas)
    for newcomer, replica in zip(newcomers, asked, strict=True):
        cookie, *attributes = newcomer.headers["Set-Cookie"].split("; ")
        assert re.fullmatch(r"replica=[0-9a-f]{32}", cookie)
        assert attributes == ["Path=/", "HttpOnly", "SameSite=Lax"]
        later = Answer(site.url, "/filter_explorer", Cookie=f"a=b; {cookie}")
        assert later.headers["X-Replica"] == replica
        assert "Set-Cookie" not in later.headers


def test_files_are_compressed_and_kept_by_nginx_and_by_browsers(site: Site) -> None:
    html = Answer(site.url, "/", **GZIP)
    assert html.headers["Cache-Control"] == "no-cache"
    assert html.headers["Content-Encoding"] == "gzip"
    script = "/" + re.search(r"static/js/index\.\w+\.js", Answer(site.url, "/").body.decode())[0]
    for path, keep, encoding in [
        (script, "public, immutable, max-age=31536000", "gzip"),
        ("/app/static/test_images.png", "public, max-age=3600", None),
    ]:
        first, again = (Answer(site.url, path, **GZIP) for _ in range(2))
        assert first.body == again.body
        for answer in (first, again):
            assert answer.status == 200
            assert answer.headers.get_all("Cache-Control") == [keep]
            assert answer.headers["Content-Encoding"] == encoding
            # A cache on the way would give the same cookie to a whole school.
            assert "Set-Cookie" not in answer.headers
        assert "X-Replica" not in again.headers  # nobody was asked


def test_a_missing_file_is_not_kept(site: Site) -> None:
    # Streamlit answers with the page's HTML, as during an update from another version.
    for _ in range(2):
        assert "X-Replica" in Answer(site.url, "/static/js/gone.js").headers


@pytest.mark.parametrize("path", ["/", "/app/static/test_images.png", "/_stcore/metrics"])
def test_every_answer_carries_the_security_headers(site: Site, path: str) -> None:
    headers = Answer(site.url, path).headers
    assert headers.get_all("X-Content-Type-Options") == ["nosniff"]
    assert headers.get_all("Referrer-Policy") == ["same-origin"]
    [policy] = headers.get_all("Content-Security-Policy")
    assert "frame-ancestors 'self'" in policy
    scripts = re.search("script-src ([^;]*)", policy)[1]
    assert "unsafe" not in scripts
    assert headers["Server"] == "nginx"  # no version

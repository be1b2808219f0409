import pytest

from core.models import attempts
from core.network import ModelError

HEADER = "change,settings,epochs,validation_loss,validation_accuracy,kept\n"


def test_the_bundled_table():
    tried = attempts.load()
    assert len(tried) > 5
    assert any(attempt.kept for attempt in tried)
    assert any(not attempt.kept for attempt in tried)
    for attempt in tried:
        assert 0.85 < attempt.validation_accuracy < 1
        assert 0 < attempt.validation_loss < 1
        assert attempt.epochs > 0
        assert 0 < len(attempt.change) < 60


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"change,settings\n1,2\n",
        (HEADER + "x,y,many,0.2,0.9,yes\n").encode(),
        (HEADER + "x,y,3,0.2,0.9,perhaps\n").encode(),
        (HEADER + "x,y,3,0.2\n").encode(),
        (HEADER + "x,y,3,0.2,0.9,yes,more\n").encode(),
        (HEADER + "x,y,3,nan,0.9,yes\n").encode(),
        (HEADER + "x,y,3,0.2,1.9,yes\n").encode(),
        b"\xff\xfe",
    ],
)
def test_damage_is_one_sentence(tmp_path, content):
    path = tmp_path / "attempts.csv"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"attempts\.csv is missing or damaged \(.+\): take it"):
        attempts.load(path)


def test_missing(tmp_path):
    with pytest.raises(ModelError, match="is missing or damaged"):
        attempts.load(tmp_path / "none.csv")

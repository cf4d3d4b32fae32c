import pytest

from moorage_client import quantities
from moorage_sdk import errors


@pytest.mark.parametrize(
    ("text", "size"),
    [("1000", 1000), ("64m", 64 << 20), ("1.5GiB", 3 << 29), ("2K", 2048), ("1 gb", 1 << 30), ("7b", 7)],
)
def test_sizes(text: str, size: int) -> None:
    assert quantities.size(text) == size


@pytest.mark.parametrize("text", ["", "m", "-1", "1x", "1e9", "٣"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(errors.InvalidArgument):
        quantities.size(text)


def test_processors() -> None:
    assert quantities.cpu_quota("1.5", 100_000) == 150_000
    assert quantities.cpu_quota("0.01", 100_000) == 1000


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "many", "0.001", "1e99999999999"])
def test_no_processors(text: str) -> None:
    with pytest.raises(errors.InvalidArgument):
        quantities.cpu_quota(text, 100_000)

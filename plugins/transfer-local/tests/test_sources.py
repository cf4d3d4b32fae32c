import pytest

from moorage_sdk import references
from moorage_transfer_local import sources

HERE = references.parse("reg.io:5000/team/app:1")


def test_the_label_is_of_a_host_without_its_port() -> None:
    assert sources.source_label("reg.io:5000") == "containerd.io/distribution.source.reg.io"


@pytest.mark.parametrize(
    ("seen", "chosen"),
    [
        ("", ""),
        ("team/app", ""),
        ("other", "other"),
        ("other,team/base", "team/base"),
        ("team/base,other", "team/base"),
        ("team/a,team/b", "team/b"),  # of equals the last, as containerd
        (",,other", "other"),
        ("UPPER", ""),
        ("a?b=c,x y,../..", ""),
        ("a/b&from=secret", ""),
    ],
)
def test_the_nearest_repository_is_mounted_from(seen: str, chosen: str) -> None:
    assert sources.candidate(HERE, seen) == chosen


def test_repositories_are_added_to_the_label_once() -> None:
    key = sources.source_label(HERE.host)
    assert sources.source_labels(HERE, {key: "a,team/app,b"}) == {key: "a,b,team/app"}
    assert sources.source_labels(HERE, {}) == {key: "team/app"}
    assert sources.source_labels(HERE, {key: ",".join(f"team/{n}" for n in range(1000))}) == {}

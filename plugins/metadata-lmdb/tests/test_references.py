import pytest

from moorage_metadata_lmdb import nodes, references
from moorage_metadata_lmdb.nodes import Kind, Node

P = "containerd.io/gc."


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (P + "ref.content", Node(Kind.CONTENT, "ns", "v")),
        (P + "ref.content.l.0", Node(Kind.CONTENT, "ns", "v")),
        (P + "ref.content/name", Node(Kind.CONTENT, "ns", "v")),
        (P + "ref.content-x", nodes.collectible("ns", "content-x", "v")),
        (P + "ref.contents", nodes.collectible("ns", "contents", "v")),
        (P + "ref.image", Node(Kind.IMAGE, "ns", "v")),
        (P + "ref.image/x", Node(Kind.IMAGE, "ns", "v")),
        (P + "ref.snapshot.overlayfs", nodes.snapshot("ns", "overlayfs", "v")),
        (P + "ref.snapshot.overlayfs/name", nodes.snapshot("ns", "overlayfs", "v")),
        (P + "ref.snapshot.a.b", nodes.snapshot("ns", "a.b", "v")),
        (P + "ref.snapshot", None),
        (P + "ref.mount", nodes.collectible("ns", "mount", "v")),
        (P + "ref.mount/x.y", nodes.collectible("ns", "mount", "v")),
        (P + "ref.mount.0", nodes.collectible("ns", "mount", "v")),
        (P + "ref.", None),
        (P + "ref./x", None),
        (P + "bref.content", None),
        ("x" + P + "ref.content", None),
    ],
)
def test_forward_references(key: str, expected: Node | None) -> None:
    assert list(references.forward("ns", {key: "v"})) == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (P + "bref.container", Node(Kind.CONTAINER, "ns", "v")),
        (P + "bref.container.x", Node(Kind.CONTAINER, "ns", "v")),
        (P + "bref.containers", None),
        (P + "bref.content/x", Node(Kind.CONTENT, "ns", "v")),
        (P + "bref.image", Node(Kind.IMAGE, "ns", "v")),
        (P + "bref.snapshot.overlayfs/x", nodes.snapshot("ns", "overlayfs", "v")),
        (P + "ref.content", None),
    ],
)
def test_back_references(key: str, expected: Node | None) -> None:
    assert list(references.backward("ns", {key: "v"})) == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("key", "expected"),
    [(P + "root", True), (P + "root.x", True), (P + "rootless", True), (P + "roo", False), ("root", False)],
)
def test_roots_are_a_matter_of_prefix(key: str, expected: bool) -> None:
    assert references.is_root({key: "whatever"}) is expected


HOUR = 3600 * 10**9


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("", "usedat<24h|k", [("overlayfs/k", "<", 24 * HOUR)]),
        ("", "usedat>1h30m|a/b|c", [("overlayfs/a/b|c", ">", HOUR * 3 // 2)]),
        ("", "usedat<1h,usedat>2h|k", [("overlayfs/k", "<", HOUR), ("overlayfs/k", ">", 2 * HOUR)]),
        ("/name", "usedat<1h|k", [("overlayfs/k", "<", HOUR)]),
        ("", "usedat<=1h|k", []),
        ("", "usedat=1h|k", []),
        ("", "size<1|k", []),
        ("", "usedat<soon|k", []),
        ("", "usedat<1h", []),
        ("", "", []),
    ],
)
def test_conditions(key: str, value: str, expected: list[tuple[str, str, int]]) -> None:
    found = references.conditions("ns", {P + "cond.snapshot.overlayfs" + key: value})
    assert [(each.target.key, each.operator, each.age) for each in found] == expected


def test_conditions_compare_with_the_time_since_the_last_use() -> None:
    recent, stale = (
        next(references.conditions("ns", {P + "cond.snapshot.o": f"usedat{operator}1h|k"})) for operator in "<>"
    )
    now = 100 * HOUR
    assert [recent.holds(now - age, now) for age in (HOUR // 2, HOUR, 2 * HOUR)] == [True, False, False]
    assert [stale.holds(now - age, now) for age in (HOUR // 2, HOUR, 2 * HOUR)] == [False, False, True]


def test_last_use() -> None:
    assert references.used_at({P + "cond.value-usedat": "1970-01-01T00:00:01Z"}) == 10**9
    assert references.used_at({P + "cond.value-usedat": "yesterday"}) is None
    assert references.used_at({}) is None

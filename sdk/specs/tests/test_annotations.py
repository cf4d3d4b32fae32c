import pytest

from moorage_specs import annotations


@pytest.mark.parametrize(
    ("pattern", "key", "expected"),
    [
        ("io.example.x", "io.example.x", True),
        ("io.example.x", "io.example.xy", False),
        ("io.*", "io.example.x", True),
        ("io.*", "io.example/x", False),
        ("io.*/*", "io.example/x", True),
        ("*", "org.systemd.property.ExecStartPre", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("a[bd]c", "adc", True),
        ("a[^b]c", "abc", False),
        ("a[^b]c", "axc", True),
        ("a[^b]c", "a/c", False),
        ("a[b-d]", "ac", True),
        ("a[&&b]", "a&", True),
        ("a\\*c", "a*c", True),
        ("a\\*c", "abc", False),
        ("a[b", "ab", False),
        ("a[]b]", "ab", False),
        ("a\\", "a", False),
        ("a(b|c)+", "a(b|c)+", True),
        ("", "", True),
    ],
)
def test_patterns_are_those_of_go(pattern: str, key: str, expected: bool) -> None:
    assert annotations.allowed({key: "v"}, [pattern]) == ({key: "v"} if expected else {})


def test_sec_52_what_is_not_listed_goes_no_further() -> None:
    given = {"org.systemd.property.ExecStartPre": "x", "io.katacontainers.config.hypervisor.path": "/evil", "a": "b"}
    assert annotations.allowed(given, []) == {}
    assert annotations.allowed(given, ["a", "io.example.*"]) == {"a": "b"}

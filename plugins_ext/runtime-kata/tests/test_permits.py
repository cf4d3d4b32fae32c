import pytest

from moorage_runtime_kata import permits

MEMORY = "io.katacontainers.config.hypervisor.default_memory"
PATH = "io.katacontainers.config.hypervisor.path"


@pytest.mark.parametrize(
    ("patterns", "passing"),
    [
        ((), []),
        ((MEMORY,), [MEMORY]),
        (("io.katacontainers.config.hypervisor.default_*",), [MEMORY]),
        (("io.katacontainers.*",), [MEMORY, PATH]),
        (("IO.katacontainers.*",), []),
        ((PATH + "s",), []),
    ],
)
def test_only_what_is_listed_passes(patterns: tuple[str, ...], passing: list[str]) -> None:
    others = {"io.kubernetes.cri.sandbox-id": "s", "io.katacontainersx": "other", "": ""}
    given = {MEMORY: "1", PATH: "/bin/evil", **others}
    kept, refused = permits.allowed(given, patterns)
    assert kept == {**{name: given[name] for name in passing}, **others}
    assert sorted([*refused, *passing]) == [MEMORY, PATH]


@pytest.mark.parametrize("name", permits.POWERFUL)
def test_names_of_what_runs_on_the_host_are_known(name: str) -> None:
    assert permits.powerful([name]) == [name]
    assert permits.powerful([name[:-1] + "*"])


@pytest.mark.parametrize(
    ("pattern", "powerful"),
    [
        ("io.katacontainers.*", True),
        ("io.katacontainers.config.hypervisor.*", True),
        ("io.katacontainers.config.hypervisor.some_new_path", True),
        ("io.katacontainers.config.hypervisor.some_new_args", True),
        (MEMORY, False),
        ("io.katacontainers.config.runtime.*", False),
        ("io.katacontainers.config.agent.kernel_modules", False),
    ],
)
def test_patterns_that_reach_them(pattern: str, powerful: bool) -> None:
    assert permits.powerful([pattern]) == ([pattern] if powerful else [])

import pytest

from moorage_sdk import errors, platforms
from moorage_sdk.platforms import Platform


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        (Platform("linux", "x86_64"), "linux/amd64"),
        (Platform("Linux", "AARCH64", "v8"), "linux/arm64"),
        (Platform("linux", "arm64", "8"), "linux/arm64"),
        (Platform("linux", "armhf"), "linux/arm/v7"),
        (Platform("linux", "arm"), "linux/arm/v7"),
        (Platform("linux", "arm", "6"), "linux/arm/v6"),
        (Platform("linux", "i686"), "linux/386"),
        (Platform("linux", "amd64", "v1"), "linux/amd64"),
        (Platform("", "ppc64el"), "linux/ppc64le"),
    ],
)
def test_one_spelling_for_each(given: Platform, normal: str) -> None:
    assert str(platforms.normalize(given)) == normal


@pytest.mark.parametrize(
    ("specifier", "platform"),
    [
        ("linux/amd64", Platform("linux", "amd64")),
        ("linux/arm/v6", Platform("linux", "arm", "v6")),
        ("arm64", Platform("linux", "arm64")),
        ("x86_64", Platform("linux", "amd64")),
    ],
)
def test_reads(specifier: str, platform: Platform) -> None:
    assert platforms.parse(specifier) == platform


def test_a_system_alone_is_on_this_architecture() -> None:
    assert platforms.parse("windows").architecture == platforms.host().architecture


@pytest.mark.parametrize("specifier", ["", "/", "linux/", "a/b/c/d", "linux/amd 64", "linux/*"])
def test_refuses(specifier: str) -> None:
    with pytest.raises(errors.InvalidArgument, match="must be os/architecture"):
        platforms.parse(specifier)


@pytest.mark.parametrize(
    ("wanted", "better", "worse"),
    [
        ("linux/arm/v7", "linux/arm/v7", "linux/arm/v6"),
        ("linux/arm64", "linux/arm64", "linux/arm/v7"),
        ("linux/amd64/v3", "linux/amd64/v2", "linux/amd64"),
        ("linux/amd64", "linux/amd64", "linux/386"),
    ],
)
def test_prefers(wanted: str, better: str, worse: str) -> None:
    first = platforms.preference(platforms.parse(wanted), platforms.parse(better))
    second = platforms.preference(platforms.parse(wanted), platforms.parse(worse))
    assert first is not None and second is not None and first < second


@pytest.mark.parametrize(
    ("wanted", "offered"),
    [
        ("linux/amd64", "linux/arm64"),
        ("linux/amd64", "windows/amd64"),
        ("linux/arm/v6", "linux/arm/v7"),
        ("linux/amd64", "linux/amd64/v2"),
        ("linux/arm", "linux/arm64"),
    ],
)
def test_does_not_run_what_it_cannot(wanted: str, offered: str) -> None:
    assert platforms.preference(platforms.parse(wanted), platforms.parse(offered)) is None


def test_a_platform_nobody_ordered_runs_only_itself() -> None:
    assert platforms.preference(Platform("linux", "riscv64"), Platform("linux", "riscv64")) == 0


def test_a_rank_is_the_place_of_exactly_this_platform() -> None:
    wanted = [Platform("linux", "arm64", "v8"), Platform("linux", "amd64"), Platform("windows", "amd64", "", "10")]
    ranks = {
        Platform("linux", "arm64"): 0,
        Platform("Linux", "x86_64", "v1"): 1,
        Platform("linux", "amd64", "v2"): 3,
        Platform("linux", "386"): 3,
        Platform("windows", "amd64", "", "10"): 2,
        Platform("windows", "amd64", "", "11"): 3,
    }
    assert {platform: platforms.rank(wanted, platform) for platform in ranks} == ranks
    assert platforms.rank(wanted, None) == 3
    assert platforms.rank([], Platform("linux", "amd64")) == 0

from pathlib import Path

import pytest

from moorage_sdk import errors
from moorage_specs import apparmor


def kernel(root: Path, *profiles: str) -> Path:
    """A host with AppArmor, and a list of its profiles if any are given."""
    files = {"sys/module/apparmor/parameters/enabled": "Y\n"}
    if profiles:
        files["sys/kernel/security/apparmor/profiles"] = "".join(f"{name} (enforce)\n" for name in profiles)
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True)
        (root / path).write_text(text)
    return root


def test_a_profile_that_is_loaded(tmp_path: Path) -> None:
    root = kernel(tmp_path, "other", "docker-default", "with space")
    assert apparmor.profile("docker-default", root) == "docker-default"
    assert apparmor.profile("with space", root) == "with space"


def test_a_profile_that_is_not(tmp_path: Path) -> None:
    with pytest.raises(errors.NotFound, match='"docker": not found'):
        apparmor.profile("docker", kernel(tmp_path, "docker-default"))


def test_a_kernel_that_does_not_tell_its_profiles(tmp_path: Path) -> None:
    assert apparmor.profile("any", kernel(tmp_path)) == "any"


def test_a_kernel_without(tmp_path: Path) -> None:
    with pytest.raises(errors.FailedPrecondition, match="no AppArmor"):
        apparmor.profile("docker-default", tmp_path)
    root = kernel(tmp_path)
    (root / "sys/module/apparmor/parameters/enabled").write_text("N\n")
    assert not apparmor.enabled(root)


def test_unconfined_needs_nothing(tmp_path: Path) -> None:
    assert apparmor.profile("unconfined", tmp_path) == ""


@pytest.mark.parametrize("name", ["", "a\0b", "a\nb"])
def test_malformed_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(errors.InvalidArgument):
        apparmor.profile(name, kernel(tmp_path))

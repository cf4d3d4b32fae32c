import pytest

from moorage_mount_manager_lmdb import templates
from moorage_sdk import errors
from moorage_sdk.activations import ActiveMount
from moorage_sdk.mounts import Mount

ACTIVE = [ActiveMount(Mount("bind", f"/source/{n}", target=f"t{n}"), f"/mp/{n}") for n in range(5)]


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("plain", "plain"),
        ("", ""),
        ("} { }}", "} { }}"),
        ("{{ source 0 }}", "/source/0"),
        ("{{ target 3 }}", "t3"),
        ("{{ mount 4 }}", "/mp/4"),
        ("{{mount 4}}", "/mp/4"),
        ("{{\tmount\n+1 }}", "/mp/1"),
        ("a {{- mount 0 -}} b", "a/mp/0b"),
        ("lowerdir={{ mount 1 }}:{{ mount 0 }}", "lowerdir=/mp/1:/mp/0"),
        ("{{ overlay 0 4 }}", "/mp/0:/mp/1:/mp/2:/mp/3:/mp/4"),
        ("{{ overlay 4 1 }}", "/mp/4:/mp/3:/mp/2:/mp/1"),
        ("{{ overlay 2 2 }}", "/mp/2"),
    ],
)
def test_values(template: str, value: str) -> None:
    assert templates.text(template, ACTIVE) == value


@pytest.mark.parametrize(
    "template",
    [
        "{{ mount 5 }}",
        "{{ mount -1 }}",
        "{{ overlay 0 5 }}",
        "{{ overlay 5 0 }}",
        "{{ overlay -1 2 }}",
        "{{ overlay 1 }}",
        "{{ mount 0 1 }}",
        "{{ mount }}",
        "{{ mount 0",
        "{{ mount 0 }} {{",
        "{{ mount 0x0 }}",
        "{{ mount ٠ }}",
        "{{ 0 | mount }}",
        '{{ printf "%d" 0 }}',
        "{{ .Source }}",
        "{{}}",
        "{{ mount " + "9" * 5000 + " }}",
    ],
)
def test_what_is_refused(template: str) -> None:
    with pytest.raises(errors.InvalidArgument, match=r"^template .*: invalid argument$"):
        templates.text(template, ACTIVE)


def test_out_of_bounds_says_how_many_there_are() -> None:
    with pytest.raises(errors.InvalidArgument, match="index out of bounds: 7, has 5 active mounts"):
        templates.text("{{ mount 7 }}", ACTIVE)
    with pytest.raises(errors.InvalidArgument, match="invalid range: 0-9, has 5 active mounts"):
        templates.text("{{ overlay 0 9 }}", ACTIVE)


def test_values_are_not_templates_themselves() -> None:
    active = [ActiveMount(Mount("bind", "{{ mount 0 }}"), "/mp")]
    assert templates.text("{{ source 0 }}", active) == "{{ mount 0 }}"


def test_source_target_and_options_are_filled_in() -> None:
    mount = Mount("overlay", "{{ source 0 }}", ("index=off", "upperdir={{ mount 1 }}/u"), "{{ target 2 }}")
    assert templates.fill(mount, ACTIVE) == Mount("overlay", "/source/0", ("index=off", "upperdir=/mp/1/u"), "t2")

from collections import Counter

from moorage_specs import syscalls
from moorage_sys.capabilities import NUMBERS


def test_no_name_stands_twice() -> None:
    counted = Counter(" ".join(syscalls.ALWAYS.values()).split())
    assert [name for name, times in counted.items() if times > 1] == []


def test_what_is_always_allowed_needs_no_second_table() -> None:
    always = set(" ".join(syscalls.ALWAYS.values()).split())
    others = [*syscalls.WITH_CAPABILITY.values(), *syscalls.ON_ARCHITECTURE.values(), syscalls.TRACING]
    assert always & set(" ".join(others).split()) == set()


def test_capabilities_are_those_of_the_kernel() -> None:
    assert {name.removeprefix("CAP_") for name in syscalls.WITH_CAPABILITY} <= NUMBERS.keys()

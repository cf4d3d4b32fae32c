import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage_differ_walking import names
from moorage_sdk import errors


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        (b"", b""), (b".", b""), (b"./", b""), (b"/", b""), (b"//x", b"x"), (b"./x", b"x"), (b"x/", b"x"),
        (b"x//y", b"x/y"), (b"x/./y", b"x/y"), (b"../x", b"x"), (b"x/../../y", b"y"), (b"dne/../.wh.etc", b".wh.etc"),
        (b"..", b""), (b"x/..", b""), (b"x/...", b"x/..."), (b"..x/y", b"..x/y"), (b"\xff/y", b"\xff/y"),
    ],
)  # fmt: skip
def test_clean(name: bytes, wanted: bytes) -> None:
    assert names.clean(name) == wanted


@given(st.lists(st.sampled_from([b"a", b"b.", b".c", b".", b"..", b"", b"...", b".wh.x"]), max_size=8))
def test_clean_is_what_a_rooted_path_normalises_to(parts: list[bytes]) -> None:
    name = b"/".join(parts)
    assert b"/" + names.clean(name) == posixpath.normpath(b"/" + name.lstrip(b"/"))


def test_split() -> None:
    assert names.split(b"a/b/c") == (b"a/b", b"c")
    assert names.split(b"c") == (b"", b"c")


@pytest.mark.parametrize("base", [b".wh.", b".wh..", b".wh..."])
def test_whiteout_may_not_reach_out(base: bytes) -> None:
    with pytest.raises(errors.InvalidArgument, match="whiteout"):
        names.hidden(base)


def test_hidden() -> None:
    assert names.hidden(b".wh.x") == b"x"
    assert names.hidden(b".wh..wh.plnk") == b".wh.plnk"

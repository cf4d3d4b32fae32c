"""The grammar of filters, its quirks included (pkg/filters in containerd v2.3)."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from moorage_api import filter_grammar
from moorage_api.filter_grammar import Selector
from moorage_sdk import errors


@pytest.mark.parametrize(
    ("text", "path", "operator", "value"),
    [
        ("name", ["name"], "", ""),
        ("name==foo", ["name"], "==", "foo"),
        ("name!=foo", ["name"], "!=", "foo"),
        ("name~=fo+", ["name"], "~=", "fo+"),
        ("name == foo", ["name"], "==", "foo"),
        ("  name== foo", ["name"], "==", "foo"),
        ("a. b", ["a", "b"], "", ""),
        ("a.b_9.C==1", ["a", "b_9", "C"], "==", "1"),
        ("9==1", ["9"], "==", "1"),
        ('labels."containerd.io/gc.root"', ["labels", "containerd.io/gc.root"], "", ""),
        ('labels."very complex label"==something', ["labels", "very complex label"], "==", "something"),
        ('name=="a,b c"', ["name"], "==", "a,b c"),
        ('name==""', ["name"], "==", ""),
        ("name==docker.io/library/x:1@sha256:ab", ["name"], "==", "docker.io/library/x:1@sha256:ab"),
        ("name==a=b!c~d", ["name"], "==", "a=b!c~d"),
        ("name==-x", ["name"], "==", "-x"),
        ("name==é", ["name"], "==", "é"),
        ('name==a"b', ["name"], "==", 'a"b'),
        ("name~=/^a,b$/", ["name"], "~=", "^a,b$"),
        ("name~=|^/a$|", ["name"], "~=", "^/a$"),
        (r"name~=/a\/b/", ["name"], "~=", "a/b"),
        (r'name~="\\d"', ["name"], "~=", r"\d"),
        (r'name=="\a\b\f\n\r\t\v\\\""', ["name"], "==", '\a\b\f\n\r\t\v\\"'),
        (r'name=="\101\x42\u0043\U00000044"', ["name"], "==", "ABCD"),
        (r'name=="\xc3\xa9"', ["name"], "==", "é"),
        (r'name=="\xff"', ["name"], "==", "\udcff"),
        (r'name=="\ud800"', ["name"], "==", "\ufffd"),
    ],
)
def test_one_selector(text: str, path: list[str], operator: str, value: str) -> None:
    assert filter_grammar.parse(text) == (Selector(tuple(path), operator, value),)


def test_the_empty_string_has_no_selector() -> None:
    assert filter_grammar.parse("") == ()


def test_commas_join_selectors() -> None:
    assert filter_grammar.parse("name==foo, labels.bar,x!=y") == (
        Selector(("name",), "==", "foo"),
        Selector(("labels", "bar")),
        Selector(("x",), "!=", "y"),
    )


def test_a_value_in_quotes_may_be_followed_by_a_comma() -> None:
    assert len(filter_grammar.parse('name=="a",b')) == 2


@pytest.mark.parametrize(
    ("text", "verdict", "position"),
    [
        (" ", "expected field or quoted", 1),
        (",a", "expected field or quoted", 0),
        ("a,", "expected field or quoted", 2),
        ("a.", "expected field or quoted", 2),
        ("a..b", "expected field or quoted", 2),
        ("-a", "expected field or quoted", 0),
        ("a ", "expected an operator", 2),
        ("a b", "expected an operator", 2),
        ("a .b", "expected an operator", 2),
        ("a=b", 'unsupported operator "="', 1),
        ("a===b", 'unsupported operator "==="', 1),
        ("a~b", 'unsupported operator "~"', 1),
        ("a==", "expected value or quoted", 3),
        ("a==,b", "expected value or quoted", 3),
        ("a==.b", "expected value or quoted", 3),
        ("a==b c", "unexpected input", 4),
        ('a=="x"y', "unexpected input", 6),
        ("a==/x/", "invalid quote encountered", 3),
        ("/a/==x", "invalid quote encountered", 0),
        ('a=="x', "quoted literal not terminated", 3),
        ('a=="x\ny"', "quoted literal not terminated", 3),
        (r"a~=/\d/", "illegal escape sequence", 4),
        (r'a=="\400"', "illegal escape sequence", 4),
        (r'a=="\U00110000"', "illegal escape sequence", 4),
        (r'a=="\xg0"', "illegal escape sequence", 4),
        ("a\0", "expected an operator", 1),
        ("a==\0", "expected value or quoted", 3),
        ("a==b\0", "unexpected input", 4),
        ("a==\ufffd", "expected value or quoted", 3),
        ('a=="\0"', "quoted literal not terminated", 3),
    ],
)
def test_a_fault_is_named_with_its_position(text: str, verdict: str, position: int) -> None:
    with pytest.raises(errors.InvalidArgument) as caught:
        filter_grammar.parse(text)
    assert verdict in caught.value.message
    assert f"at position {position}: invalid argument" in caught.value.message


def test_the_message_quotes_only_the_surroundings_of_a_long_filter() -> None:
    with pytest.raises(errors.InvalidArgument) as caught:
        filter_grammar.parse("a" * 1_000_000 + "=" + "b" * 1_000_000)
    assert len(caught.value.message) < 300
    assert "position 1000000" in caught.value.message


@given(st.text(alphabet='ab.=!~,"/|\\ x0\n\0é', max_size=30))
@example('"')
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        filter_grammar.parse(text)
    except errors.InvalidArgument as error:
        assert "position" in error.message


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters='\n\0\ufffd\\"')))
def test_anything_in_quotes_stands_for_itself(value: str) -> None:
    assert filter_grammar.parse(f'labels."{value}"=="{value}"') == (Selector(("labels", value), "==", value),)

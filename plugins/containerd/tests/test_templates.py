import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage_containerd.templates import render
from moorage_sdk import errors

FUNCTIONS = {
    "id": lambda: "web",
    "pid": lambda: "42",
    "annotation": lambda key: {"a b": "found", "web": "mine"}.get(key, ""),
}


@pytest.mark.parametrize(
    ("source", "result"),
    [
        ("plain", "plain"),
        ("", ""),
        ("}} { } {x}", "}} { } {x}"),
        ("{{id}}", "web"),
        ("/run/{{ id }}/{{pid}}.sock", "/run/web/42.sock"),
        ('{{annotation "a b"}}', "found"),
        ("{{annotation `a b`}}", "found"),
        ('{{annotation "none"}}', ""),
        ('{{"a b" | annotation}}', "found"),
        ("{{id | annotation}}", "mine"),
        ("{{annotation id}}", "mine"),
        ('{{"}}"}}', "}}"),
        ('{{`}} "`}}', '}} "'),
        (r'{{"a\"b\\"}}', 'a"b\\'),
        ("a{{/* a }} comment */}}b", "ab"),
        ("a {{- id -}} b", "awebb"),
        ("a {{- /* x */ -}} b", "ab"),
        ("a\n{{- id}} b", "aweb b"),
    ],
)
def test_what_is_filled_in(source: str, result: str) -> None:
    assert render(source, FUNCTIONS) == result


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{", "unclosed action"),
        ("{{id}", "unclosed action"),
        ('{{"x}}', "unclosed action"),
        ("{{/* x }}", "unclosed action"),
        ("{{/* x */ id}}", "unexpected"),
        ("{{}}", "missing value for command"),
        ("{{id |}}", "missing value for command"),
        ("{{nosuch}}", r'function "nosuch" not defined: invalid argument \(there are id, pid, annotation\)'),
        ("{{annotation}}", "wrong number of args for annotation"),
        ('{{id "x"}}', "wrong number of args for id"),
        ('{{"x" id}}', "no function"),
        ("{{.State}}", r"unexpected \.State"),
        ("{{if id}}", 'function "if" not defined'),
        (r'{{"\q"}}', "string"),
    ],
)
def test_what_is_refused(source: str, message: str) -> None:
    with pytest.raises(errors.InvalidArgument, match=message):
        render(source, FUNCTIONS)


@given(st.text(alphabet='{}-"`|/* id\\x', max_size=30))
def test_any_text_is_filled_in_or_refused(source: str) -> None:
    try:
        render(source, FUNCTIONS)
    except errors.InvalidArgument:
        return


@given(st.text().filter(lambda text: "{{" not in text))
def test_text_without_actions_stays(source: str) -> None:
    assert render(source, FUNCTIONS) == source

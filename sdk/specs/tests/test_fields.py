from moorage_specs import fields


def test_null_is_absent() -> None:
    assert fields.strings(None) == {}
    assert fields.string_list(None) == ()
    assert fields.text(None) == ""


def test_what_has_the_wrong_type_is_absent() -> None:
    assert fields.strings({"a": "b", "c": 1}) == {"a": "b"}
    assert fields.string_list(["a", 1]) == ("a",)
    assert fields.string_list("ab") == ()
    assert fields.text(3) == ""

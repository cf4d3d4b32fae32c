from moorage_sys import _libc, cdefs


def test_committed_module_is_what_the_declarations_generate() -> None:
    with open(_libc.__file__, encoding="utf-8") as file:
        assert file.read() == cdefs.generate()

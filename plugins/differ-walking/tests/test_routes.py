import pytest

from moorage_differ_walking import routes
from moorage_differ_walking.routes import PROCESSORS, Processor
from moorage_sdk import errors
from moorage_sdk.descriptors import OCI_LAYER, OCI_LAYER_GZIP

A = Processor(("a", "aa"), "b", "/a")
B = Processor(("b",), OCI_LAYER_GZIP, "/b")


def ids(media_type: str, **processors: Processor) -> tuple[list[str], str]:
    steps, left = routes.plan(media_type, processors)
    return [f"{step.id} {step.media_type}" for step in steps], left


def test_a_type_that_nobody_accepts_stays() -> None:
    assert ids("c", a=A, b=B) == ([], "c")


def test_processors_follow_each_other_until_nobody_accepts() -> None:
    assert ids("aa", b=B, a=A) == (["a aa", "b b"], OCI_LAYER_GZIP)


def test_a_plain_layer_ends_the_way_and_may_begin_it() -> None:
    plain = Processor((OCI_LAYER, "x"), OCI_LAYER)
    assert ids("x", plain=plain) == (["plain x"], OCI_LAYER)
    assert ids(OCI_LAYER, plain=plain) == ([f"plain {OCI_LAYER}"], OCI_LAYER)


def test_processors_come_before_what_is_built_in_and_the_first_wins() -> None:
    first, second = Processor((OCI_LAYER_GZIP,), OCI_LAYER, "/1"), Processor((OCI_LAYER_GZIP,), OCI_LAYER, "/2")
    steps, left = routes.plan(OCI_LAYER_GZIP, {"one": first, "two": second})
    assert ([step.processor for step in steps], left) == ([first], OCI_LAYER)


def test_a_circle_is_refused_with_its_way() -> None:
    with pytest.raises(errors.FailedPrecondition, match="in a circle: a -> b -> a"):
        ids("a", a=A, b=Processor(("b",), "a"))


def test_containerds_entries_for_encrypted_layers() -> None:
    steps, left = routes.plan(f"{OCI_LAYER}+encrypted", PROCESSORS.entries)
    assert ([step.processor.path for step in steps], left) == (["ctd-decoder"], OCI_LAYER)
    (step,), left = routes.plan(f"{OCI_LAYER_GZIP}+encrypted", PROCESSORS.entries)
    assert (step.id, left) == ("io.containerd.ocicrypt.decoder.v1.tar.gzip", OCI_LAYER_GZIP)
    assert step.processor.args == ("--decryption-keys-path", "/etc/containerd/ocicrypt/keys")

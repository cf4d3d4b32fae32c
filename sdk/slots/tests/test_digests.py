import hashlib

import pytest

from moorage_sdk import digests, errors

ABC = "sha256:" + hashlib.sha256(b"abc").hexdigest()


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_known_algorithms(algorithm: str) -> None:
    digest = digests.of(b"abc", algorithm)
    assert digest == f"{algorithm}:{hashlib.new(algorithm, b'abc').hexdigest()}"
    assert digests.validate(digest) == digest
    assert digests.split(digest) == (algorithm, digest.partition(":")[2])


@pytest.mark.parametrize(
    "digest",
    [
        "",
        "sha256",
        "sha256:",
        ABC[:-1],
        ABC + "0",
        ABC.upper(),
        ABC.replace("sha256", "md5"),
        "sha256:" + "g" * 64,
        "sha256:" + "../" * 21 + "a",
        ABC + "\n",
        "sha256:" + "\u0661" * 64,
    ],
)
def test_refuses_what_could_become_a_path_or_a_lie(digest: str) -> None:
    with pytest.raises(errors.InvalidArgument, match="invalid"):
        digests.validate(digest)


def test_a_long_digest_is_not_repeated_in_full() -> None:
    with pytest.raises(errors.InvalidArgument) as caught:
        digests.validate("x" * 100_000)
    assert len(str(caught.value)) < 200


def test_hashes_in_pieces() -> None:
    hasher = digests.hasher()
    hasher.update(b"a")
    hasher.update(b"bc")
    assert "sha256:" + hasher.hexdigest() == ABC
    with pytest.raises(errors.InvalidArgument):
        digests.hasher("md5")


def test_chain_id_is_that_of_the_image_specification() -> None:
    second = digests.of(b"second")
    assert digests.chain_id([ABC]) == ABC
    assert digests.chain_id([ABC, second]) == digests.of(f"{ABC} {second}".encode())
    third = digests.chain_id([ABC, second, ABC])
    assert third == digests.of(f"{digests.chain_id([ABC, second])} {ABC}".encode())


@pytest.mark.parametrize("layers", [[], ["sha256:x"], [ABC, "x"]])
def test_chain_id_refuses_nothing_and_nonsense(layers: list[str]) -> None:
    with pytest.raises(errors.InvalidArgument):
        digests.chain_id(layers)

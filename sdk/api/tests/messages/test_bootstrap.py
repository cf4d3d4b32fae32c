"""What a shim reads from stdin and answers on stdout."""

from moorage_api.messages import bootstrap


def test_the_answer_of_a_shim_is_read() -> None:
    answer = bootstrap.BootstrapResult.FromString(b"\x08\x03\x12\x0bunix:///s/1\x1a\x05ttrpc")
    assert (answer.version, answer.address, answer.protocol) == (3, "unix:///s/1", "ttrpc")


def test_levels_may_be_negative() -> None:
    params = bootstrap.BootstrapParams(log_level=bootstrap.LOG_LEVEL_DEBUG)
    assert bootstrap.BootstrapParams.FromString(params.SerializeToString()).log_level == -4


def test_the_socket_directory_knows_absent_from_empty() -> None:
    assert not bootstrap.BootstrapParams().HasField("socket_dir")
    assert bootstrap.BootstrapParams(socket_dir="").HasField("socket_dir")

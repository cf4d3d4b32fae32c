"""Options of runc on the wire."""

from moorage_api.messages import runc_options


def test_number_eight_is_skipped() -> None:
    options = runc_options.Options(root="/r", systemd_cgroup=True)
    assert options.SerializeToString() == b"\x3a\x02/r\x48\x01"


def test_the_type_url_is_what_clients_send() -> None:
    assert runc_options.Options.DESCRIPTOR.full_name == "containerd.runc.v1.Options"

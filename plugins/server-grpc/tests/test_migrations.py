"""What becomes of the tables of configuration version 3."""

import ast
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from moorage_server_grpc import migrations


def migrated(document: dict[str, Any], version: int = 3) -> dict[str, Any]:
    migrations.migrate(document, version)
    return document


def test_grpc_table_becomes_the_unix_server_and_derives_ttrpc() -> None:
    document = migrated({"grpc": {"address": "/run/x.sock", "uid": 5, "gid": 7, "max_recv_message_size": 99}})
    assert document == {
        "plugins": {
            migrations.GRPC: {"address": "/run/x.sock", "uid": 5, "gid": 7, "max_recv_message_size": 99},
            migrations.TTRPC: {"address": "/run/x.sock.ttrpc", "uid": 5, "gid": 7},
        }
    }


def test_explicit_ttrpc_address_wins_over_the_derived_one() -> None:
    document = migrated({"grpc": {"address": "/run/x.sock"}, "ttrpc": {"address": "/run/y.sock"}})
    assert document["plugins"][migrations.TTRPC] == {"address": "/run/y.sock", "uid": os.geteuid(), "gid": os.getegid()}


def test_the_owner_of_the_ttrpc_socket_is_the_other_ones_unless_it_is_said() -> None:
    """``serviceMigrate`` cannot tell 0 from nothing."""
    document = migrated({"grpc": {"address": "/x", "uid": 5, "gid": 6}, "ttrpc": {"uid": 0, "gid": 9}})
    assert document["plugins"][migrations.TTRPC] == {"address": "/x.ttrpc", "uid": 5, "gid": 9}


def test_keys_that_nobody_knows_come_along_to_be_reported() -> None:
    document = migrated({"grpc": {"addres": "/x"}, "ttrpc": {"gdi": 1}, "metrics": {"adress": "h"}})
    assert document["plugins"] == {
        migrations.GRPC: {"addres": "/x"},
        migrations.TTRPC: {"gdi": 1},
        migrations.METRICS: {"adress": "h"},
    }
    document = migrated({"grpc": {"odd": 1}, "plugins": {migrations.GRPC: {"address": "/x", "odd": 2}}})
    assert document["plugins"] == {migrations.GRPC: {"address": "/x", "odd": 2}}


@pytest.mark.parametrize("document", [{"grpc": 3}, {"plugins": 3}, {"grpc": [], "plugins": {migrations.GRPC: 3}}])
def test_what_is_no_table_is_left_for_the_decoder(document: dict[str, Any]) -> None:
    assert migrated({**document, "ttrpc": {}}) == document


def test_tcp_settings_are_renamed_and_get_the_sizes() -> None:
    table = {
        "tcp_address": "h:1",
        "tcp_tls_ca": "a",
        "tcp_tls_cert": "c",
        "tcp_tls_key": "k",
        "max_send_message_size": 3,
    }
    plugins = migrated({"grpc": table})["plugins"]
    assert plugins[migrations.TCP] == {
        "address": "h:1",
        "tls_ca": "a",
        "tls_cert": "c",
        "tls_key": "k",
        "max_send_message_size": 3,
    }
    assert plugins[migrations.GRPC] == {"max_send_message_size": 3}


def test_debug_and_metrics_addresses_move_and_the_level_stays() -> None:
    document = migrated(
        {"debug": {"address": "/d", "uid": 1, "level": "debug"}, "metrics": {"address": "h:2", "grpc_histogram": True}}
    )
    assert document == {
        "debug": {"level": "debug"},
        "plugins": {
            migrations.DEBUG: {"address": "/d", "uid": 1, "gid": os.getegid()},
            migrations.METRICS: {"address": "h:2"},
            migrations.PROMETHEUS: {"grpc_histogram": True},
        },
    }


def test_what_is_zero_was_not_set() -> None:
    table = {"address": "", "uid": 0, "max_recv_message_size": 0, "max_send_message_size": 0}
    assert migrated({"grpc": table, "ttrpc": {"uid": 0}}) == {}
    assert migrated({"grpc": {"uid": 3, "gid": 0}}) == {"plugins": {migrations.GRPC: {"uid": 3}}}


def test_wrong_types_come_along_to_be_refused() -> None:
    document = migrated({"grpc": {"address": 3, "max_recv_message_size": False}, "ttrpc": {"uid": []}})
    assert document["plugins"][migrations.GRPC]["address"] == 3
    assert document["plugins"][migrations.GRPC]["max_recv_message_size"] is False
    assert migrated({"ttrpc": {"uid": []}}) == {"plugins": {migrations.TTRPC: {"uid": []}}}


def test_a_table_of_the_plugin_wins() -> None:
    document = migrated({"grpc": {"address": "/old"}, "plugins": {migrations.GRPC: {"address": "/new"}}})
    assert document["plugins"][migrations.GRPC] == {"address": "/new"}


@pytest.mark.parametrize("document", [{}, {"grpc": {}}, {"grpc": {"address": ""}, "ttrpc": {"address": ""}}])
def test_nothing_set_adds_no_plugin_table(document: dict[str, Any]) -> None:
    assert migrated(document) == {}


def test_version_four_is_left_alone() -> None:
    assert migrated({"grpc": {"address": "/x"}}, 4) == {"grpc": {"address": "/x"}}
    assert {("grpc",), ("ttrpc",), ("metrics",), ("debug", "address")} <= set(migrations.ABSENT)


def test_it_imports_the_standard_library_only() -> None:
    tree = ast.parse(Path(migrations.__file__).read_text())
    names = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    names |= {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    assert {str(name).partition(".")[0] for name in names} <= sys.stdlib_module_names

from __future__ import annotations

import os
import socket

from moorage_ttrpc import peers


def test_the_peer_of_a_socket_pair_is_this_process() -> None:
    left, right = socket.socketpair()
    with left, right:
        assert peers.of(left) == peers.Peer(os.getpid(), os.getuid(), os.getgid())


def test_root_and_our_own_user_may_speak() -> None:
    assert peers.same_user(peers.Peer(1, 0, 0))
    assert peers.same_user(peers.Peer(1, os.geteuid(), 5))
    assert not peers.same_user(peers.Peer(1, os.geteuid() + 1, 0))

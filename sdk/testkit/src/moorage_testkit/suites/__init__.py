"""One conformance suite per slot. Derive from it, provide its fixture, declare what the implementation can."""

import pytest

pytest.register_assert_rewrite("moorage_testkit.suites.content", "moorage_testkit.suites.snapshots")

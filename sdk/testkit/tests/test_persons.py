import os
import sys

import pytest

pytest.importorskip("pexpect")
from moorage_testkit.persons import ended, person

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


def test_what_is_typed_arrives_at_a_terminal_of_that_size() -> None:
    code = "import os; print(os.get_terminal_size(), input())"
    with person([sys.executable, "-c", code], rows=33, columns=77) as child:
        child.sendline("typed")
        child.expect("columns=77, lines=33.*typed")
        assert ended(child) == 0


def test_its_status_and_its_environment() -> None:
    code = "import os, sys; sys.exit(int(os.environ['STATUS']))"
    with person([sys.executable, "-c", code], env={**os.environ, "STATUS": "5"}) as child:
        assert ended(child) == 5


def test_one_that_does_not_end_is_killed_with_the_block() -> None:
    with person([sys.executable, "-c", "import time; time.sleep(1000)"]) as child:
        assert child.isalive()
    assert not child.isalive()

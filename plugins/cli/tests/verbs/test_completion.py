import os
import subprocess
import sys

import pytest

from moorage_cli import main


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.invoke(["completion", shell]) == 0
    assert "_MOORAGE_COMPLETE" in capsys.readouterr().out


def test_another_shell() -> None:
    assert main.invoke(["completion", "csh"]) == 2


def test_it_completes_verbs() -> None:
    script = "import sys; sys.argv = ['moorage']; from moorage_cli.main import main; main()"
    env = {**os.environ, "_MOORAGE_COMPLETE": "bash_complete", "COMP_WORDS": "moorage un", "COMP_CWORD": "1"}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "plain,unpause\n"

import subprocess
import sys

import moorage_sys


def test_loads_without_the_cffi_package_and_its_compiler() -> None:
    code = "import sys; sys.path.insert(0, sys.argv[1]); import moorage_sys.libc; print('cffi' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code, next(iter(moorage_sys.__path__)) + "/.."],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"

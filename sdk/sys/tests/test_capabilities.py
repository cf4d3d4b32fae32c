import os
import subprocess
import sys

import pytest

from moorage_sys import capabilities


def test_numbers_are_the_kernels() -> None:
    assert capabilities.NUMBERS["CHOWN"] == 0
    assert capabilities.NUMBERS["SYS_ADMIN"] == 21
    assert capabilities.NUMBERS["SETFCAP"] == 31
    assert capabilities.NUMBERS["CHECKPOINT_RESTORE"] == 40


def test_unknown_name_is_an_error() -> None:
    with pytest.raises(KeyError):
        capabilities.keep_only(["EVERYTHING"])


@pytest.mark.skipif(os.geteuid() != 0, reason="dropping capabilities needs some")
def test_keep_only_drops_for_good() -> None:
    code = (
        "from moorage_sys import capabilities as c; c.keep_only(['CHOWN', 'MKNOD']);"
        "print(sorted(c.effective())); print(open('/proc/self/status').read())"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    assert out.startswith("['CHOWN', 'MKNOD']")
    mask = f"{1 << 0 | 1 << 27:016x}"
    for line in ("CapInh:\t" + "0" * 16, f"CapPrm:\t{mask}", f"CapEff:\t{mask}", f"CapBnd:\t{mask}"):
        assert line in out

"""OCI runtimes for tests: scripts before the real runc, for what it cannot do here and for what it is told.

A client names one in ``binary_name`` of runc's options. They run under any daemon.
"""

from __future__ import annotations

import shutil
from pathlib import Path

_RECORDING = """#!/bin/sh
printf '%s\\n' "$*" >> {calls}
{drop}exec {runc} "$@"
"""

_WITHOUT = """for word do
    shift
    [ "$word" = {word} ] || set -- "$@" "$word"
done
"""

_CHECKPOINTING = """#!/bin/sh
# Global options end where the verb is.
options= verb= image= running= rest=
while [ $# -gt 0 ]; do
    case "$verb:$1" in
        :--root|:--log|:--log-format) options="$options $1 $2"; [ "$1" = --log ] && log=$2; shift ;;
        :--*) options="$options $1" ;;
        :*) verb=$1 ;;
        *:--image-path) image=$2; shift ;;
        *:--work-path) shift ;;
        *:--leave-running) running=yes ;;
        *) rest="$rest $1" ;;
    esac
    id=$1
    shift
done
case $verb in
    checkpoint)
        mkdir -p "$image/deep" && echo "$id" > "$image/deep/pages-1.img"
        [ "$running" ] || exec {runc} $options kill "$id" KILL ;;
    restore)
        if [ ! -f "$image/deep/pages-1.img" ]; then
            echo '{{"level": "error", "msg": "no image in '"$image"'"}}' > "$log"
            exit 1
        fi
        exec {runc} $options run $rest ;;
    *) exec {runc} $options "$verb" $rest ;;
esac
"""


def recording(folder: Path, without: str = "") -> Path:
    """A runtime that writes each of its command lines into ``calls`` beside it.

    ``without`` is a word that the real one does not get to see.
    """
    drop = _WITHOUT.format(word=without) if without else ""
    return _written(folder / "recording-runc", _RECORDING.format(calls=folder / "calls", drop=drop, runc=_runc()))


def checkpointing(folder: Path) -> Path:
    """A runtime that can save and restore containers on any kernel, for what is restored begins anew.

    Its image is a file in a folder, without which it does not restore. Words with blanks in them are none for it.
    """
    return _written(folder / "checkpointing-runc", _CHECKPOINTING.format(runc=_runc()))


def _runc() -> str:
    return shutil.which("runc") or "runc"


def _written(path: Path, script: str) -> Path:
    path.write_text(script)
    path.chmod(0o755)
    return path

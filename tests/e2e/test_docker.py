"""Debian's Docker engine on both daemons, unchanged: what its users do all day."""

from __future__ import annotations

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from moorage_testkit.daemons import wait_until
from moorage_testkit.engines import Engine

SETTINGS = {"runtimes": {"crun": {"path": "/usr/bin/crun"}, "other": {"path": "/usr/sbin/runc"}}}

COUNT = "i=0; while :; do echo $i; i=$((i+1)); sleep 0.1; done"


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        (["true"], 0, ""),
        (["sh", "-c", "exit 7"], 7, ""),
        (["sh", "-c", "sleep 1000 & kill -9 $!; wait $!"], 137, ""),
        (["nosuchcmd"], 127, "executable file not found"),
        (["/etc/passwd"], 126, "permission denied"),
        (["/etc"], 126, ""),
    ],
)
def test_exit_codes(docker: Engine, command: list[str], code: int, words: str) -> None:
    done = docker.docker("run", "--rm", "busybox", *command, check=False)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert docker.docker("ps", "-aq").stdout == ""


def test_the_two_outputs_and_the_input(docker: Engine) -> None:
    done = docker.docker(
        "run", "--rm", "-i", "busybox", "sh", "-c", "cat; echo err >&2; exit 3", input="typed", check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "typed", "err\n")


def test_a_lot_of_output_arrives_in_order_and_is_kept(docker: Engine) -> None:
    lines = "".join(f"{n}\n" for n in range(1, 50_001))
    assert docker.docker("run", "--name", "web", "busybox", "seq", "1", "50000").stdout == lines
    assert docker.docker("logs", "web").stdout == lines


def test_exec(docker: Engine) -> None:
    docker.docker("run", "-d", "--name", "web", "-e", "A=b", "busybox", "sleep", "1000")
    assert docker.docker("exec", "web", "sh", "-c", "echo $A; hostname | wc -c").stdout == "b\n13\n"
    assert docker.docker("exec", "-i", "web", "cat", input="typed").stdout == "typed"
    assert docker.docker("exec", "web", "sh", "-c", "exit 9", check=False).returncode == 9
    assert (
        docker.docker("exec", "-u", "1000:1000", "-w", "/tmp", "web", "sh", "-c", "id -u; pwd").stdout == "1000\n/tmp\n"
    )
    failed = docker.docker("exec", "web", "nosuchcmd", check=False)
    # The code is the engine's own: 126 of one before 23, 127 of a later.
    assert failed.returncode in (126, 127)
    assert "executable file not found" in failed.stderr + failed.stdout
    docker.docker("exec", "-d", "web", "sleep", "1000")
    assert docker.docker("top", "web", "-o", "pid,args").stdout.count("sleep 1000") == 2


def test_figures(docker: Engine) -> None:
    docker.docker("run", "-d", "--name", "web", "--memory", "64m", "busybox", "sleep", "1000")
    line = docker.docker("stats", "--no-stream", "--format", "{{json .}}", "web").stdout
    figures = json.loads(line)
    assert figures["PIDs"] == "1"
    assert figures["MemUsage"].endswith("/ 64MiB")
    assert not figures["MemUsage"].startswith("0B")


def test_pausing(docker: Engine) -> None:
    docker.docker("run", "-d", "--name", "web", "busybox", "sleep", "1000")
    docker.docker("pause", "web")
    assert docker.inspect("web", "{{json .State}}")["Status"] == "paused"
    assert "paused" in docker.docker("exec", "web", "true", check=False).stderr
    docker.docker("unpause", "web")
    assert docker.inspect("web", "{{json .State}}")["Status"] == "running"
    docker.docker("exec", "web", "true")
    docker.docker("pause", "web")
    docker.docker("rm", "-f", "web")


def test_signals_stopping_and_starting_again(docker: Engine) -> None:
    script = "trap 'echo usr1' USR1; trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.1; done"
    docker.docker("run", "-d", "--name", "web", "busybox", "sh", "-c", script)
    wait_until(lambda: "ready" in docker.docker("logs", "web").stdout)
    docker.docker("kill", "-s", "USR1", "web")
    wait_until(lambda: "usr1" in docker.docker("logs", "web").stdout)
    docker.docker("stop", "web")
    assert docker.docker("wait", "web").stdout == "5\n"
    assert docker.docker("logs", "web").stdout == "ready\nusr1\nbye\n"
    docker.docker("start", "web")
    docker.docker("restart", "-t", "10", "web")
    wait_until(lambda: docker.docker("logs", "web").stdout.count("ready") == 3)
    docker.docker("kill", "web")
    assert docker.docker("wait", "web").stdout == "137\n"
    state = docker.inspect("web", "{{json .State}}")
    assert (state["Status"], state["ExitCode"], state["OOMKilled"]) == ("exited", 137, False)


def test_what_will_not_stop_is_killed(docker: Engine) -> None:
    docker.docker("run", "-d", "--name", "web", "busybox", "sleep", "1000")  # which as pid 1 ignores SIGTERM
    docker.docker("stop", "-t", "1", "web")
    assert docker.docker("wait", "web").stdout == "137\n"


def test_following_a_log(docker: Engine) -> None:
    docker.docker("run", "-d", "--name", "web", "busybox", "sh", "-c", COUNT)
    with subprocess.Popen(docker.words("logs", "-f", "web"), env=docker.env, stdout=subprocess.PIPE, text=True) as log:
        assert log.stdout is not None
        assert [log.stdout.readline() for _ in range(5)] == [f"{n}\n" for n in range(5)]
        docker.docker("kill", "web")
        rest = [int(line) for line in log.stdout]
        assert log.wait(30) == 0
    assert rest == list(range(5, 5 + len(rest)))


def test_waiting_for_one_that_runs(docker: Engine) -> None:
    docker.docker("run", "-d", "--name", "web", "busybox", "sh", "-c", "sleep 1; exit 42")
    assert docker.docker("wait", "web").stdout == "42\n"


def test_copying(docker: Engine, tmp_path: Path) -> None:
    docker.docker("run", "-d", "--name", "web", "busybox", "sh", "-c", "echo inside > /tmp/made; sleep 1000")
    wait_until(lambda: not docker.docker("cp", "web:/tmp/made", str(tmp_path / "made"), check=False).returncode)
    assert (tmp_path / "made").read_text() == "inside\n"
    (tmp_path / "given").write_text("outside\n")
    docker.docker("cp", str(tmp_path / "given"), "web:/tmp/given")
    assert docker.docker("exec", "web", "cat", "/tmp/given").stdout == "outside\n"
    assert "A /tmp/given" in docker.docker("diff", "web").stdout


def test_events(docker: Engine) -> None:
    command = docker.words("events", "--filter", "type=container", "--format", "{{.Action}}")
    with subprocess.Popen(command, env=docker.env, stdout=subprocess.PIPE, text=True) as events:
        assert events.stdout is not None
        docker.docker("run", "--rm", "busybox", "true")
        while events.stdout.readline() != "destroy\n":  # it listens, for it has seen one
            docker.docker("run", "--rm", "busybox", "true")
        docker.docker("run", "-d", "--name", "web", "busybox", "sleep", "1000")
        for verb in ("pause", "unpause", "kill"):
            docker.docker(verb, "web")
        docker.docker("wait", "web")
        docker.docker("start", "web")
        docker.docker("rm", "-f", "web")
        events.terminate()
        seen = events.stdout.read().split()
    seen = seen[len(seen) - seen[::-1].index("create") - 1 :]
    assert [each for each in seen if each != "kill"] == [
        *("create", "start", "pause", "unpause", "die", "start", "die", "destroy"),
    ]
    assert seen.count("kill") == 2


@pytest.mark.parametrize("kit", ["0", "1"], ids=["classic", "buildkit"])
def test_building(docker: Engine, tmp_path: Path, kit: str) -> None:
    lines = ["FROM busybox", "ARG WORD", "RUN echo $WORD > /made && chmod 600 /made", "COPY file /copied"]
    lines += ["RUN rm /etc/group", 'HEALTHCHECK CMD ["true"]', "CMD cat /made /copied; ls /etc"]
    (tmp_path / "Dockerfile").write_text("\n".join(lines))
    (tmp_path / "file").write_text("copied\n")
    words = docker.words("build", "--build-arg", "WORD=built", "-t", f"built:{kit}", str(tmp_path))
    done = docker.run("env", f"DOCKER_BUILDKIT={kit}", *words, check=False, timeout=120)
    if kit == "1" and "buildx" in done.stderr and done.returncode:
        pytest.skip("needs the buildx plugin")
    assert done.returncode == 0, done.stderr + docker.tail()
    listed = docker.docker("run", "--rm", f"built:{kit}").stdout.split()
    assert listed[:2] == ["built", "copied"]
    assert "group" not in listed
    assert "passwd" in listed


def test_a_step_of_a_build_that_fails(docker: Engine, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN exit 9\n")
    done = docker.run("env", "DOCKER_BUILDKIT=0", *docker.words("build", str(tmp_path)), check=False)
    assert "returned a non-zero code: 9" in done.stderr


def test_the_policy_to_restart_on_failure(docker: Engine) -> None:
    docker.docker("run", "-d", "--name", "web", "--restart", "on-failure:2", "busybox", "sh", "-c", "echo go; exit 3")
    wait_until(lambda: docker.inspect("web", "{{json .State}}")["Status"] == "exited", 30)
    assert docker.inspect("web", "{{json .RestartCount}}") == 2
    assert docker.docker("logs", "web").stdout == "go\n" * 3


def test_the_policy_to_restart_always(docker: Engine) -> None:
    docker.docker("run", "-d", "--name", "web", "--restart", "always", "busybox", "sh", "-c", "sleep 0.5")
    wait_until(lambda: docker.inspect("web", "{{json .RestartCount}}") >= 2, 30)
    docker.docker("stop", "-t", "1", "web")
    assert docker.inspect("web", "{{json .State}}")["Status"] == "exited"


def test_volumes_and_binds(docker: Engine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("bound\n")
    docker.docker("run", "--rm", "-v", "kept:/v", "busybox", "sh", "-c", "echo kept > /v/file")
    words = ["-v", "kept:/v:ro", "-v", f"{tmp_path}:/host", "--tmpfs", "/ram"]
    script = "cat /v/file /host/file; echo x > /host/made; echo y > /v/made; echo z > /ram/made && echo ram"
    done = docker.docker("run", "--rm", *words, "busybox", "sh", "-c", script)
    assert done.stdout == "kept\nbound\nram\n"
    assert "Read-only" in done.stderr
    assert (tmp_path / "made").read_text() == "x\n"
    docker.docker("volume", "rm", "kept")


def test_two_networks(docker: Engine) -> None:
    serve = "echo hello > /tmp/index.html; httpd -f -p 80 -h /tmp"
    for network in ("front", "back"):
        docker.docker("network", "create", network)
    docker.docker("run", "-d", "--name", "web", "--network", "front", "busybox", "sh", "-c", serve)
    # The static busybox dies in its wget, with any daemon.
    get = ["busybox", "sh", "-c", "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 1 web 80 | tail -n 1"]

    def fetch(network: str) -> str:
        return docker.docker("run", "--rm", "--network", network, *get, check=False).stdout

    wait_until(lambda: fetch("front") == "hello\n")
    assert fetch("back") == ""
    docker.docker("network", "connect", "back", "web")
    assert fetch("back") == "hello\n"
    docker.docker("network", "disconnect", "back", "web")
    assert fetch("back") == ""


def test_sharing_namespaces(docker: Engine) -> None:
    docker.docker("run", "-d", "--name", "web", "--hostname", "here", "--ipc", "shareable", "busybox", "sleep", "1000")
    words = ["--network", "container:web", "--pid", "container:web", "--ipc", "container:web"]
    script = "hostname; ps | grep -c '[s]leep 1000'; readlink /proc/1/ns/ipc; readlink /proc/self/ns/ipc"
    shown = docker.docker("run", "--rm", *words, "busybox", "sh", "-c", script).stdout.split()
    assert shown[:2] == ["here", "1"]
    assert shown[2] == shown[3]


def test_limits_and_rights(docker: Engine) -> None:
    limits = [
        "--memory",
        "64m",
        "--cpus",
        "0.5",
        "--pids-limit",
        "50",
        "--ulimit",
        "nofile=100:200",
        "--shm-size",
        "8m",
    ]
    rights = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "-u", "1000:1000"]
    script = (
        "id -u; ulimit -n; ulimit -Hn; touch /x; grep -E 'NoNewPrivs|CapEff|Seccomp:' /proc/self/status; df -m /dev/shm"
    )
    done = docker.docker("run", "--rm", *limits, *rights, "busybox", "sh", "-c", script)
    words = done.stdout.split()
    assert words[:3] == ["1000", "100", "200"]
    facts = dict(zip(words[3:9:2], words[4:9:2], strict=True))
    assert facts == {"NoNewPrivs:": "1", "CapEff:": "0000000000000000", "Seccomp:": "2"}
    assert "shm" in words
    assert words[words.index("shm") + 1] == "8"
    assert "Read-only file system" in done.stderr


def test_out_of_memory(docker: Engine) -> None:
    words = ["--memory", "16m", "--memory-swap", "16m"]
    done = docker.docker("run", "--name", "web", *words, "busybox", "tail", "/dev/zero", check=False)
    assert done.returncode == 137
    wait_until(lambda: docker.inspect("web", "{{json .State}}")["OOMKilled"])


def test_changing_limits(docker: Engine) -> None:
    docker.docker("run", "-d", "--name", "web", "--memory", "64m", "--memory-swap", "64m", "busybox", "sleep", "1000")
    docker.docker("update", "--memory", "32m", "--memory-swap", "32m", "web")
    figures = json.loads(docker.docker("stats", "--no-stream", "--format", "{{json .}}", "web").stdout)
    assert figures["MemUsage"].endswith("/ 32MiB")


@pytest.mark.parametrize("runtime", ["other", "crun"])
def test_another_runtime(docker: Engine, runtime: str) -> None:
    run = ("run", "--runtime", runtime)
    done = docker.docker(*run, "--rm", "busybox", "sh", "-c", "exit 7", check=False)
    if runtime == "crun" and (not Path("/usr/bin/crun").exists() or "hybrid mode not supported" in done.stderr):
        pytest.skip("needs crun, and cgroups that it supports")
    assert done.returncode == 7, done.stderr
    assert docker.docker(*run, "--rm", "busybox", "nosuchcmd", check=False).returncode == 127
    docker.docker(*run, "-d", "--name", "web", "busybox", "sh", "-c", COUNT)
    assert docker.docker("exec", "web", "echo", "inside").stdout == "inside\n"
    docker.docker("pause", "web")
    docker.docker("unpause", "web")
    docker.docker("stop", "-t", "1", "web")
    assert docker.docker("wait", "web").stdout == "137\n"


def test_an_init_of_its_own(docker: Engine) -> None:
    done = docker.docker("run", "--rm", "--init", "busybox", "ps", "-o", "pid,args")
    assert "docker-init -- ps" in done.stdout.splitlines()[1]


def test_health(docker: Engine) -> None:
    words = ["--health-cmd", "test ! -e /sick", "--health-interval", "200ms", "--health-retries", "1"]
    docker.docker("run", "-d", "--name", "web", *words, "busybox", "sleep", "1000")
    wait_until(lambda: docker.inspect("web", "{{json .State.Health}}")["Status"] == "healthy", 20)
    docker.docker("exec", "web", "touch", "/sick")
    wait_until(lambda: docker.inspect("web", "{{json .State.Health}}")["Status"] == "unhealthy", 20)


def test_committing_and_saving(docker: Engine, tmp_path: Path) -> None:
    docker.docker("run", "--name", "web", "busybox", "sh", "-c", "echo made > /made")
    docker.docker("commit", "web", "made")
    docker.docker("save", "-o", str(tmp_path / "made.tar"), "made")
    docker.docker("rmi", "made")
    docker.docker("load", "-i", str(tmp_path / "made.tar"))
    assert docker.docker("run", "--rm", "made", "cat", "/made").stdout == "made\n"


def test_many_at_once(docker: Engine) -> None:
    def run(number: int) -> tuple[int, str]:
        words = ["run", "--rm", "--network", "none", "busybox", "sh", "-c", f"echo {number}; exit {number}"]
        done = docker.docker(*words, check=False)
        return done.returncode, done.stdout

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(run, range(12))) == [(number, f"{number}\n") for number in range(12)]
    assert docker.docker("ps", "-aq").stdout == ""


def test_the_engine_is_stopped_and_started(docker: Engine) -> None:
    docker.docker(
        "run", "-d", "--name", "always", "--restart", "always", "busybox", "sh", "-c", f"trap exit TERM; {COUNT}"
    )
    docker.docker(
        "run", "-d", "--name", "once", "busybox", "sh", "-c", "trap 'exit 4' TERM; while :; do sleep 0.1; done"
    )
    pid = docker.inspect("always", "{{json .State.Pid}}")
    assert docker.terminate() == 0
    assert not Path(f"/proc/{pid}").exists()
    docker.start()
    state = docker.inspect("once", "{{json .State}}")
    assert (state["Status"], state["ExitCode"]) == ("exited", 4)
    wait_until(lambda: docker.inspect("always", "{{json .State.Running}}"))
    assert docker.inspect("always", "{{json .State.Pid}}") != pid

"""The entry point: global options, lazily imported verbs, errors without tracebacks."""

from __future__ import annotations

import importlib
import os
import sys
from typing import NoReturn

import click

from moorage_cli import catalog, failures
from moorage_cli.sessions import Options
from moorage_sdk import errors


class Verbs(click.Group):
    """Commands by name from the catalogue; contributed ones only when asked for by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(catalog.VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        verb = catalog.VERBS.get(cmd_name)
        if verb is None:
            return _contributed(cmd_name)
        command = importlib.import_module(f"moorage_cli.verbs.{verb.module}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, verbs in catalog.SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, verb.summary) for name, verb in verbs.items()])


def _contributed(name: str) -> click.Command | None:
    from importlib import metadata

    for point in metadata.entry_points(group=catalog.ENTRY_POINTS, name=name):
        command = point.load()
        if isinstance(command, click.Command):
            return command
    return None


def _print_version(ctx: click.Context, option: click.Parameter, wanted: bool) -> None:
    """Ours alone; ``moorage version`` asks the daemon too."""
    if wanted and not ctx.resilient_parsing:
        from importlib import metadata

        click.echo(f"moorage {metadata.version('moorage-cli')}")
        ctx.exit()


def _environment(*names: str) -> str:
    return next((value for name in names if (value := os.environ.get(name))), "")


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("-a", "--address", metavar="PATH", help="Socket of the daemon (or MOORAGE_ADDRESS, CONTAINERD_ADDRESS).")
@click.option("-n", "--namespace", metavar="NAME", help="Namespace to work in (or CONTAINERD_NAMESPACE).")
@click.option("--debug", is_flag=True, help="Show a traceback when something fails.")
@click.option(
    "-v",
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show our version.",
)
@click.pass_context
def command(ctx: click.Context, address: str | None, namespace: str | None, debug: bool) -> None:
    """Containers and images of mooraged, or of any daemon that speaks containerd's API."""
    ctx.obj = Options(
        address=address or _environment("MOORAGE_ADDRESS", "CONTAINERD_ADDRESS"),
        namespace=namespace or _environment("CONTAINERD_NAMESPACE") or "default",
        debug=debug,
    )


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit."""
    sys.exit(invoke(sys.argv[1:] if arguments is None else arguments))


def invoke(arguments: list[str]) -> int:
    """Run the command line; its exit code."""
    globals_, verb = _split(arguments)
    debug = "--debug" in globals_
    try:
        result = command.main(arguments, prog_name="moorage", standalone_mode=False)
        sys.stdout.flush()
    except errors.Error as error:
        if debug:
            raise
        failures.show(error.message, error.hint)
        return failures.status(error, verb)
    except click.ClickException as error:
        error.show()
        return failures.DAEMON if verb in ("run", "exec") else error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return failures.INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has enough. Python would complain once more when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), sys.stdout.fileno())
        return failures.FAILED
    except OSError as error:
        if debug:
            raise
        failures.show(f'"{error.filename}": {error.strerror}' if error.filename else str(error.strerror or error))
        return failures.unable(verb)
    return result if isinstance(result, int) else 0


def _split(arguments: list[str]) -> tuple[list[str], str]:
    """What stands before the verb, without values of options, and the verb: the first argument that is neither."""
    before: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument in ("-a", "--address", "-n", "--namespace"):
            next(rest, None)
        elif not argument.startswith("-"):
            return before, argument
        before.append(argument)
    return before, ""

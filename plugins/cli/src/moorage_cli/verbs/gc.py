"""``moorage gc``: what keeps an object, what a collection would remove, and a collection now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import click

from moorage_cli import options, sessions, tables
from moorage_sdk import errors
from moorage_sdk.garbage import Explanation, Object, Plan, Removal, Step

if TYPE_CHECKING:
    from moorage_client.clients import Client

T = TypeVar("T")

KINDS = ("content", "snapshot", "container", "sandbox", "image", "lease", "ingest")


@click.group("gc")
def command() -> None:
    """Explain and run garbage collection."""


@command.command("why")
@click.option("-a", "--all", "all_", is_flag=True, help="A path for every root, not only for the nearest one.")
@options.output_format
@click.argument("words", nargs=-1, required=True, metavar="[KIND] [NAMESPACE] OBJECT")
def why(words: tuple[str, ...], all_: bool, format: str) -> None:
    """Show what keeps OBJECT: the references from a root down to it.

    KIND is content, snapshot, container, sandbox, image, lease or ingest. OBJECT is a digest, SNAPSHOTTER/KEY or a
    name, and may be shortened as long as it remains clear what is meant: "sha256:4f53", "4f53", "busybox".
    """
    wanted = spelled(words)
    found = _ask(lambda client: client.garbage.why(wanted))
    if format == "json":
        tables.show_json([_explanation(found)])
        return
    for line in _told(found, all_):
        click.echo(tables.clean(line))


@command.command("plan")
@options.output_format
def plan(format: str) -> None:
    """Show what a collection would remove now, in all namespaces, and what that frees."""
    _show(_ask(lambda client: client.garbage.plan()), format)


@command.command("run")
@options.output_format
def run(format: str) -> int:
    """Collect garbage now, in all namespaces, and show what went. Fails if something could not be removed."""
    done = _ask(lambda client: client.garbage.run())
    _show(done, format)
    return 1 if done.failures else 0


def spelled(words: tuple[str, ...]) -> Object:
    """What was typed, as the collector prints it or less: kind, namespace and name. Raises errors.InvalidArgument."""
    if len(words) == 1 and words[0].partition(" ")[0] in KINDS:
        words = tuple(words[0].split(" ", 2))  # pasted as one word
    match words:
        case (key,):
            return Object("", "", key)
        case (kind, key):
            return Object(kind, "", key)
        case (kind, namespace, key):
            return Object(kind, namespace, key)
    raise errors.InvalidArgument(
        f'object "{" ".join(words)}": too many words: invalid argument',
        hint="a kind, a namespace and a name; put a name with blanks in quotes",
    )


def _ask(question: Callable[[Client], Awaitable[T]]) -> T:
    async def work(client: Client) -> T:
        try:
            return await question(client)
        except errors.Unimplemented:
            raise errors.Unimplemented(
                "garbage collection: this daemon does not explain it", hint="mooraged does; -a says where it listens"
            ) from None

    return sessions.run(work)


def _told(found: Explanation, all_: bool) -> Iterator[str]:
    if not found.paths:
        yield f"{found.object}: nothing keeps it, the next collection removes it"
        return
    shown = found.paths if all_ else found.paths[:1]
    for path in shown:
        for depth, step in enumerate(path):
            yield "  " * depth + str(step)
    if len(found.paths) > len(shown):
        yield f"and {len(found.paths) - len(shown)} more, shown with --all"


def _show(found: Plan, format: str) -> None:
    if format == "json":
        tables.show_json(_removal(each) for each in found.removals)
    else:
        if found.removals:
            tables.show(("KIND", "NAMESPACE", "OBJECT", "SIZE"), map(_row, found.removals))
        click.echo(_summary(found))
    for failure in found.failures:
        click.echo(f"moorage: {tables.clean(failure)}", err=True)


def _row(removal: Removal) -> tuple[str, ...]:
    # A name takes no room; what lies in a backend has no namespace.
    size = "" if removal.object.namespace else "?" if removal.size is None else tables.size(removal.size)
    return removal.object.kind, removal.object.namespace, removal.object.key, size


def _summary(found: Plan) -> str:
    if not found.removals:
        return "nothing"
    counted = ", ".join(f"{kind} {count}" for kind, count in found.counts.items())
    least = "at least " if any(removal.size is None for removal in found.removals) else ""
    return f"{counted}: {least}{tables.size(found.size)}"


def _object(value: Object) -> dict[str, Any]:
    return {"kind": value.kind, "namespace": value.namespace, "key": value.key}


def _removal(removal: Removal) -> dict[str, Any]:
    return {**_object(removal.object), "size": removal.size}


def _step(step: Step) -> dict[str, Any]:
    return {**_object(step.object), "because": step.because}


def _explanation(found: Explanation) -> dict[str, Any]:
    return {**_object(found.object), "paths": [[_step(step) for step in path] for path in found.paths]}

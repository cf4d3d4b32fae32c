"""The verbs: which module has them, and what ``--help`` says of them without importing that module."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Verb:
    """``module`` lies in ``moorage_cli.verbs`` and has a click command named ``command``."""

    module: str
    summary: str


SECTIONS: dict[str, dict[str, Verb]] = {
    "Containers": {
        "run": Verb("run", "Run a command in a new container"),
        "create": Verb("create", "Make a container without starting it"),
        "start": Verb("start", "Start a container that was created or has ended"),
        "exec": Verb("exec", "Run a command in a running container"),
        "attach": Verb("attach", "Attach to the streams of a running container"),
        "logs": Verb("logs", "Show what a detached container has written"),
        "ps": Verb("ps", "List containers"),
        "stop": Verb("stop", "Ask containers to end, then make them"),
        "kill": Verb("kill", "Send a signal to containers"),
        "pause": Verb("pause", "Freeze all processes of containers"),
        "unpause": Verb("unpause", "Let frozen containers go on"),
        "wait": Verb("wait", "Wait until containers end; print their exit codes"),
        "rm": Verb("rm", "Remove containers"),
    },
    "Images": {
        "pull": Verb("pull", "Pull an image from a registry"),
        "push": Verb("push", "Push an image to a registry"),
        "tag": Verb("tag", "Give an image further names"),
        "load": Verb("load", "Load images from an archive"),
        "save": Verb("save", "Save images in an archive"),
        "images": Verb("images", "List images"),
        "rmi": Verb("rmi", "Remove images"),
    },
    "Daemon": {
        "inspect": Verb("inspect", "Show all about containers or images, as JSON"),
        "gc": Verb("gc", "Explain and run garbage collection"),
        "events": Verb("events", "Watch what happens"),
        "namespaces": Verb("namespaces", "List, create and remove namespaces"),
        "plugins": Verb("plugins", "List the daemon's plugins"),
        "version": Verb("version", "Show versions of client and daemon"),
        "completion": Verb("completion", "Print shell completion for bash, zsh or fish"),
    },
}

VERBS = {name: verb for section in SECTIONS.values() for name, verb in section.items()}

ENTRY_POINTS = "moorage.command"
"""Group in which other distributions contribute commands; looked up only for a verb that is not in the table.

Not ``moorage.verb``, whose entries are called by the daemon's program and are no commands of click.
"""

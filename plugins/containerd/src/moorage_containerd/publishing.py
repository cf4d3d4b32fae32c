"""The verb ``publish``: one event from standard input (``cmd/containerd/command/publish.go`` in containerd v2.3)."""

from __future__ import annotations

import argparse
import asyncio
import sys

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError

from moorage_client.clients import connect
from moorage_sdk import errors
from moorage_sdk.events import Payload
from moorage_sdk.verbs import Command


def publish(command: Command) -> int:
    """Send a serialized ``google.protobuf.Any`` as an event to the daemon."""
    arguments = _parser(command).parse_args(command.words)
    if not arguments.topic:
        raise errors.InvalidArgument("topic required to publish event: invalid argument", hint="give it as --topic")
    event = payload(sys.stdin.buffer.read())
    asyncio.run(_send(command.address, arguments.namespace, arguments.topic, event))
    return 0


def payload(data: bytes) -> Payload:
    """The event in the bytes. Raises errors.InvalidArgument for what is no ``google.protobuf.Any``."""
    message = AnyMessage()
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise errors.InvalidArgument(f"standard input: no google.protobuf.Any: {error}: invalid argument") from error
    return Payload(message.type_url, message.value)


async def _send(address: str, namespace: str, topic: str, event: Payload) -> None:
    async with connect(address, namespace) as client:
        await client.events.publish(topic, event)


def _parser(command: Command) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"{command.program} publish", description=publish.__doc__)
    parser.add_argument("--namespace", "-namespace", default="", help="namespace to publish to")
    parser.add_argument("--topic", "-topic", default="", help="topic of the event, such as /tasks/exit")
    return parser

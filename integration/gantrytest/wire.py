"""Mesos' messages as Python classes, made by protoc from the agent's own definitions when a test run begins."""

import functools
import subprocess
from pathlib import Path

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory, text_format
from google.protobuf.message import DecodeError, Message

TREE = Path(__file__).resolve().parent.parent.parent

# What masters and agents say to each other, and what those messages are made of.
PACKAGES = ("mesos.internal", "mesos.v1")

__all__ = ["DecodeError", "Message", "make", "one_line", "parse", "parse_text", "short", "type_named"]


@functools.cache
def _pool() -> descriptor_pool.DescriptorPool:
    files = sorted(str(path.relative_to(TREE)) for path in (TREE / "agent/wire").glob("*.proto"))
    described = subprocess.run(
        ["protoc", f"--proto_path={TREE}", "--include_imports", "--descriptor_set_out=/dev/stdout", *files],
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    pool = descriptor_pool.DescriptorPool()
    waiting = list(descriptor_pb2.FileDescriptorSet.FromString(described).file)
    known: set[str] = set()
    while waiting:  # an imported file goes first
        ready = next(file for file in waiting if known.issuperset(file.dependency))
        pool.Add(ready)
        known.add(ready.name)
        waiting.remove(ready)
    return pool


@functools.cache
def type_named(name: str) -> type[Message]:
    """By its full name, or by its name in one of the packages."""
    factory = message_factory.MessageFactory(_pool())
    for full in (name, *(f"{package}.{name}" for package in PACKAGES)):
        try:
            return factory.GetPrototype(_pool().FindMessageTypeByName(full))
        except KeyError:
            continue
    raise KeyError(f"agent/wire defines no message {name}")


def make(name: str, content: dict | None = None) -> Message:
    """From JSON's data types, with the names of the definitions: make("PingSlaveMessage", {"connected": True})."""
    return json_format.ParseDict(content or {}, type_named(name)())


def parse(name: str, body: bytes) -> Message:
    return type_named(name).FromString(body)


def parse_text(name: str, text: str) -> Message:
    return text_format.Parse(text, type_named(name)())


def one_line(message: Message) -> str:
    return text_format.MessageToString(message, as_one_line=True)


def short(message: Message) -> str:
    return message.DESCRIPTOR.name

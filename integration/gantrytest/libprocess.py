"""A program that speaks libprocess over HTTP, as Mesos' master does: processes at one address, messages in and out.

Each message is one POST whose path names the receiver and the type. Nobody waits for an answer. A conversation uses two
connections: each side sends on the one it opened, and reads what it is told on the one that the other opened.
"""

import contextlib
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Upid:
    """The address of a process: `slave(1)@127.0.0.1:5051`."""

    id: str
    ip: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Upid":
        id, _, address = text.strip().rpartition("@")
        ip, _, port = address.rpartition(":")
        return cls(id, ip, int(port))

    def __str__(self) -> str:
        return f"{self.id}@{self.ip}:{self.port}"

    @property
    def address(self) -> tuple[str, int]:
        return self.ip, self.port


@dataclass
class Message:
    """One that arrived, with what the tests want to know of how it did."""

    to: str
    name: str
    body: bytes
    sender: Upid
    head: list[str]
    # Number of the connection; messages of one keep their order.
    connection: int
    at: float = field(default_factory=time.monotonic)


class CutOff(Exception):
    """The connection ends inside a message, as it does when the peer is killed."""


class _Reader:
    """Requests of one connection, as far as libprocess goes: no answer is written, bodies are chunked or empty."""

    def __init__(self, peer: socket.socket) -> None:
        self._peer = peer
        self._held = b""

    def _more(self) -> bool:
        try:
            data = self._peer.recv(80 * 1024)
        except OSError:
            data = b""
        self._held += data
        return bool(data)

    def _take(self, length: int) -> bytes:
        while len(self._held) < length:
            if not self._more():
                raise CutOff
        taken, self._held = self._held[:length], self._held[length:]
        return taken

    def _line(self) -> str:
        while b"\r\n" not in self._held:
            if not self._more():
                raise CutOff
        line, _, self._held = self._held.partition(b"\r\n")
        return line.decode()

    def next(self) -> tuple[list[str], bytes, int] | None:
        """Head, body and number of chunks; None at the end."""
        while not self._held:
            if not self._more():
                return None
        head = []
        while line := self._line():
            head.append(line)
        headers = headers_of(head)
        if "content-length" in headers:
            return head, self._take(int(headers["content-length"])), 0
        if headers.get("transfer-encoding") != "chunked":
            return head, b"", 0
        body, chunks = b"", 0
        while length := int(self._line(), 16):
            body += self._take(length)
            chunks += 1
            self._line()
        self._line()
        return head, body, chunks


def headers_of(head: list[str]) -> dict[str, str]:
    """By lower-case name."""
    return {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}


def request(sender: str, to: str, name: str, body: bytes, host: str) -> bytes:
    """A message as Mesos writes it: one chunk, or neither chunks nor a length when there is nothing to say."""
    target = f"/{to}/{name}" if to else f"/{name}"
    head = (
        f"POST {target} HTTP/1.1\r\nUser-Agent: libprocess/{sender}\r\nLibprocess-From: {sender}\r\n"
        f"Connection: Keep-Alive\r\nHost: {host}\r\n"
    )
    if not body:
        return f"{head}\r\n".encode()
    return f"{head}Transfer-Encoding: chunked\r\n\r\n{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"


class Tls:
    """A certificate of its own authority for 127.0.0.1, as LIBPROCESS_SSL_* wants it."""

    def __init__(self, directory: Path) -> None:
        self.key, self.certificate = (directory / "key.pem", directory / "certificate.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=gantry",
             "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", self.key, "-out", self.certificate],
            check=True, capture_output=True,
        )  # fmt: skip

    def environment(self) -> dict[str, str]:
        """For an agent that demands the certificate of whoever it speaks to."""
        return {
            "LIBPROCESS_SSL_ENABLED": "true",
            "LIBPROCESS_SSL_KEY_FILE": str(self.key),
            "LIBPROCESS_SSL_CERT_FILE": str(self.certificate),
            "LIBPROCESS_SSL_CA_FILE": str(self.certificate),
            "LIBPROCESS_SSL_VERIFY_SERVER_CERT": "true",
            "LIBPROCESS_SSL_VERIFY_IPADD": "true",
            "LIBPROCESS_SSL_HOSTNAME_VALIDATION_SCHEME": "openssl",
        }

    def accepted(self, peer: socket.socket) -> ssl.SSLSocket:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context.wrap_socket(peer, server_side=True)

    def connected(self, peer: socket.socket) -> ssl.SSLSocket:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.certificate)
        context.load_cert_chain(self.certificate, self.key)
        return context.wrap_socket(peer, server_hostname="127.0.0.1")


class Connection:
    """One that we opened, for sending only: what comes back on it is kept to be looked at, but for TLS, which two threads
    may not use at once."""

    def __init__(
        self, address: tuple[str, int], exited: Callable[[tuple[str, int]], None] | None, tls: Tls | None = None
    ) -> None:
        self.address = address
        self.answers = b""
        self.open = True
        self._exited = exited
        self._lock = threading.Lock()
        self._socket = socket.create_connection(address, timeout=5)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self._socket = tls.connected(self._socket)
            return
        self._socket.settimeout(None)
        threading.Thread(target=self._drain, daemon=True).start()

    def _drain(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._socket.recv(4096):
                self.answers += data
        was_open, self.open = self.open, False
        if was_open and self._exited:
            self._exited(self.address)

    def send(self, data: bytes) -> None:
        with self._lock, contextlib.suppress(OSError):  # at most once: what cannot be sent is lost
            self._socket.sendall(data)

    def close(self) -> None:
        self.open = False
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


class Node:
    """A libprocess program: what it receives is handed to `received`, one message at a time, and kept in `messages`."""

    def __init__(self, port: int = 0, tls: Tls | None = None) -> None:
        self._tls = tls
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", port))
        self._listener.listen(64)
        self.ip, self.port = self._listener.getsockname()
        self.messages: list[Message] = []
        # What peers did that no libprocess program may do.
        self.violations: list[str] = []
        # Addresses whose link broke, in order.
        self.exited: list[tuple[str, int]] = []
        self.changed = threading.Condition(threading.RLock())
        self._incoming: list[socket.socket] = []
        self._outgoing: dict[tuple[str, int], Connection] = {}
        self._number = 0
        self._closed = False

    def listen(self) -> None:
        """Begins to accept; apart from the constructor, so that a subclass is whole before the first message."""
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        return f"{self.ip}:{self.port}"

    # --- in

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            with self.changed:
                if self._closed:
                    peer.close()
                    return
                self._number += 1
                self._incoming.append(peer)
                number = self._number
            threading.Thread(target=self._serve, args=(peer, number), daemon=True).start()

    def _serve(self, peer: socket.socket, number: int) -> None:
        try:
            if self._tls:
                plain, peer = peer, self._tls.accepted(peer)
                with self.changed:
                    self._incoming.remove(plain)
                    self._incoming.append(peer)
            reader = _Reader(peer)
            while taken := reader.next():
                self._take(*taken, number, peer)
        except CutOff:
            pass
        except (ValueError, OSError) as problem:
            with self.changed:
                if not self._closed:
                    self.violations.append(str(problem))
        finally:
            with self.changed:
                if peer in self._incoming:
                    self._incoming.remove(peer)
            peer.close()

    def _take(self, head: list[str], body: bytes, chunks: int, number: int, peer: socket.socket) -> None:
        headers = headers_of(head)
        method, path, _ = head[0].split(" ")
        if "libprocess-from" not in headers:
            peer.sendall(self.plain(method, path, body))
            return
        with self.changed:
            self._check(head, headers, body, chunks)
            _, to, name = path.split("/", 2)
            to = to.replace("%28", "(").replace("%29", ")")
            message = Message(to, name, body, Upid.parse(headers["libprocess-from"]), head, number)
            self.messages.append(message)
            self.received(message)
            self.changed.notify_all()

    def _check(self, head: list[str], headers: dict[str, str], body: bytes, chunks: int) -> None:
        """A message has the form that every version of Mesos wrote, since that is what all of them read."""
        sender = headers["libprocess-from"]
        wanted = {"user-agent": f"libprocess/{sender}", "host": self.address, "connection": "keep-alive"}
        for name, value in wanted.items():
            if headers.get(name, "").lower() != value.lower():
                self.violations.append(f"{head[0]}: {name} is {headers.get(name)!r} instead of {value!r}")
        if body and chunks > 1:
            self.violations.append(f"{head[0]}: the body comes in {chunks} chunks")
        if not body and headers.keys() & {"transfer-encoding", "content-length"}:
            self.violations.append(f"{head[0]}: an empty body is announced")

    def received(self, message: Message) -> None:
        """Called for each message, in order, while `changed` is held."""

    def plain(self, method: str, path: str, body: bytes) -> bytes:
        """The answer to a request that is no message."""
        return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"

    # --- out

    def link(self, address: tuple[str, int]) -> Connection:
        """The connection for all messages to `address`, a new one if there is none that works."""
        with self.changed:
            held = self._outgoing.get(address)
            if held is None or not held.open:
                held = self._outgoing[address] = Connection(address, self._lost, self._tls)
            return held

    def relink(self, address: tuple[str, int]) -> Connection:
        """A new connection in place of the old one, as Mesos' master makes when an agent registers again."""
        with self.changed:
            self.unlink(address)
            return self.link(address)

    def unlink(self, address: tuple[str, int]) -> None:
        with self.changed:
            if held := self._outgoing.pop(address, None):
                held.close()

    def reaches(self, address: tuple[str, int]) -> bool:
        """Whether there is a link, or can be."""
        try:
            return self.link(address).open
        except OSError:
            return False

    def _lost(self, address: tuple[str, int]) -> None:
        with self.changed:
            self.exited.append(address)
            self.link_lost(address)
            self.changed.notify_all()

    def link_lost(self, address: tuple[str, int]) -> None:
        """Called when a link broke, while `changed` is held."""

    def send(self, sender_id: str, to: Upid, name: str, body: bytes = b"") -> None:
        try:
            link = self.link(to.address)
        except OSError:
            return  # lost, as every message to nobody
        link.send(request(f"{sender_id}@{self.address}", to.id, name, body, f"{to.ip}:{to.port}"))

    def answers(self, address: tuple[str, int]) -> bytes:
        """What came back on the connection to `address`, where nothing should."""
        held = self._outgoing.get(address)
        return held.answers if held else b""

    # --- the rest

    def wait(self, condition: Callable[[], object], what: str, patience: float = 15):
        """Until the condition holds; looked at whenever something arrives. What it gave."""
        deadline = time.monotonic() + patience
        with self.changed:
            while not (value := condition()):
                left = deadline - time.monotonic()
                assert left > 0, f"waited {patience} s in vain: {what}; {self.heard()}"
                self.changed.wait(min(left, 0.2))
            return value

    def heard(self) -> str:
        """For failures: what arrived last."""
        names = [message.name.rpartition(".")[2] for message in self.messages[-12:]]
        return f"heard last: {', '.join(names) or 'nothing'}"

    def stop(self) -> None:
        """As if killed: every connection breaks."""
        with self.changed:
            self._closed = True
            # Wakes the accepting thread, which close() alone does not.
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            for peer in list(self._incoming):
                with contextlib.suppress(OSError):
                    peer.shutdown(socket.SHUT_RDWR)
            for held in self._outgoing.values():
                held.close()
            self._outgoing.clear()

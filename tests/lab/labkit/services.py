# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers of all nodes, in one process: each socket is made in its node's namespace.

Run as `python3 -m labkit.services LAB READY_DESCRIPTOR [--hostile] [--dhcp WORD,...]`; it writes
one byte to the descriptor when everything listens.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from functools import partial

from . import dhcp, dns, hostile, names, netns
from .topology import Topology

Stream = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Reply = Callable[[bytes, tuple], bytes | None]

REQUEST_MAX = 65536
BYTES_MAX = 64 << 20  # for /bytes/N


class Answerer(asyncio.DatagramProtocol):
    """Answers each datagram by itself."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, address: tuple) -> None:
        answer = self._reply(data, address)
        if answer is not None:
            self._transport.sendto(answer, address)

    def error_received(self, error: OSError) -> None:
        """An answer was refused: the asker has gone. The next one is answered all the same."""


async def echo_stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(REQUEST_MAX):
        writer.write(data)
        await writer.drain()


async def http_stream(
    start: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """One request a connection. /bytes/N answers N bytes, every other path who is asking."""
    request = (await reader.readuntil(b"\r\n\r\n")).split(b" ")
    peer = writer.get_extra_info("peername")[0].removeprefix("::ffff:")
    body = f"{start}{peer}\n".encode()
    path = request[1] if len(request) > 1 else b"/"
    if path.startswith(b"/bytes/") and path[7:].isdigit():
        body = bytes(min(int(path[7:]), BYTES_MAX))
    writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body)
    )
    writer.write(body)
    await writer.drain()


async def dns_stream(
    address: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    while True:
        size = int.from_bytes(await reader.readexactly(2), "big")
        answer = dns.answer(await reader.readexactly(size), address, names.WEB_ADDRESS6)
        if answer is None:
            return
        writer.write(len(answer).to_bytes(2, "big") + answer)
        await writer.drain()


def dns_reply(address: str, data: bytes, _: tuple) -> bytes | None:
    return dns.answer(data, address, names.WEB_ADDRESS6)


def echo_reply(data: bytes, _: tuple) -> bytes:
    return data


def natpmp_reply(data: bytes, _: tuple) -> bytes | None:
    """RFC 6886: operation 0 asks for the public address. This is what must not be asked."""
    if data[:2] != b"\x00\x00":
        return None
    return b"\x00\x80\x00\x00\x00\x00\x00\x01" + socket.inet_aton(names.ROUTER_PUBLIC)


def ssdp_reply(data: bytes, _: tuple) -> bytes | None:
    """An Internet gateway presents itself; its public address stands in a header of its own."""
    if not data.startswith(b"M-SEARCH"):
        return None
    return (
        "HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\n"
        f"LOCATION: http://{names.ROUTER_ADDRESS}:80/igd.xml\r\n"
        f"X-PUBLIC-ADDRESS: {names.ROUTER_PUBLIC}\r\n\r\n"
    ).encode()


class Servers:
    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task] = set()

    async def tcp(self, node: str, address: str, port: int, handler: Stream) -> None:
        listener = self._socket(node, socket.SOCK_STREAM, address, port)
        await asyncio.start_server(partial(_serve, handler), sock=listener, backlog=4096)

    async def udp(self, node: str, address: str, port: int, reply: Reply) -> socket.socket:
        endpoint = self._socket(node, socket.SOCK_DGRAM, address, port)
        await self._loop.create_datagram_endpoint(lambda: Answerer(reply), sock=endpoint)
        return endpoint

    def _socket(self, node: str, kind: int, address: str, port: int) -> socket.socket:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with netns.enter(self._topology.ns(node)):
            result = socket.socket(family, kind | socket.SOCK_NONBLOCK)
        if family == socket.AF_INET6:
            # "::" is for both families; IPv4 comes in as a mapped address.
            result.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        if kind == socket.SOCK_STREAM:
            result.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        result.bind((address, port))
        return result

    async def start(self, is_hostile: bool, dhcp_words: frozenset[str]) -> None:
        await self._start_web()
        await self._start_printer()
        await self._start_router(names.ROGUE_ADDRESS if is_hostile else names.WEB_ADDRESS)
        await self.tcp(names.ONION, "127.0.0.1", names.ONION_BACKEND_PORT,
                       partial(http_stream, names.ONION_BODY_START + ", seen from "))
        await self._start_dhcp(dhcp_words)
        if is_hostile:
            task = self._loop.create_task(hostile.run(self._topology.ns(names.ROUTER)))
            self._tasks.add(task)
            task.add_done_callback(_end_with)

    async def _start_dhcp(self, words: frozenset[str]) -> None:
        router = dhcp.Server(words - {dhcp.SECOND_SERVER})
        servers = [(names.ROUTER, names.ROUTER_BRIDGE, router.reply)]
        if dhcp.SECOND_SERVER in words:
            servers.append((names.GUEST, names.LAN_DEVICE, dhcp.RogueServer().reply))
        for node, device, reply in servers:
            with netns.enter(self._topology.ns(node)):
                endpoint = dhcp.server_socket(device)
            await self._loop.create_datagram_endpoint(partial(Answerer, reply), sock=endpoint)

    async def _start_web(self) -> None:
        http = partial(http_stream, names.WEB_BODY_START)
        await self.tcp(names.WEB, "::", names.HTTP_PORT, http)
        await self.tcp(names.WEB, "::", names.HTTPS_PORT, http)
        await self.tcp(names.WEB, "::", names.ECHO_PORT, echo_stream)
        await self.udp(names.WEB, "::", names.ECHO_PORT, echo_reply)
        await self.tcp(names.WEB, "::", names.DNS_PORT, partial(dns_stream, names.WEB_ADDRESS))
        await self.udp(names.WEB, "::", names.DNS_PORT, partial(dns_reply, names.WEB_ADDRESS))

    async def _start_printer(self) -> None:
        http_port, raw_port = names.PRINTER_TCP_PORTS
        http = partial(http_stream, names.PRINTER_BODY_START)
        await self.tcp(names.PRINTER, "::", http_port, http)
        await self.tcp(names.PRINTER, "::", raw_port, echo_stream)
        # One socket an address, so that an answer comes from where it was asked.
        for address in (names.PRINTER_ADDRESS, *names.LAN_ADDRESSES6[names.PRINTER]):
            await self.udp(names.PRINTER, address, names.PRINTER_UDP_PORT, echo_reply)

    async def _start_router(self, answer: str) -> None:
        resolvers = (names.LAN_RESOLVER, names.LINK_LOCAL_RESOLVER, names.ROUTER_ULA,
                     names.ROUTER_GLOBAL)
        for address in resolvers:
            await self.tcp(names.ROUTER, address, names.DNS_PORT, partial(dns_stream, answer))
            await self.udp(names.ROUTER, address, names.DNS_PORT, partial(dns_reply, answer))
        await self.udp(names.ROUTER, names.ROUTER_ADDRESS, names.NATPMP_PORT, natpmp_reply)
        ssdp = await self.udp(names.ROUTER, "0.0.0.0", names.SSDP_PORT, ssdp_reply)
        group = socket.inet_aton(names.SSDP_GROUP) + socket.inet_aton(names.ROUTER_ADDRESS)
        ssdp.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)


async def _serve(
    handler: Stream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    try:
        await handler(reader, writer)
    except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
        pass  # the client went away or sent nonsense; that concerns this connection only
    finally:
        writer.close()


def _end_with(task: asyncio.Task) -> None:
    """The hostile router does not end by itself: if it does, the log says why and all end."""
    if not task.cancelled():
        print(f"the hostile router ended: {task.exception()!r}", flush=True)
        os._exit(1)


async def serve(arguments: argparse.Namespace) -> None:
    servers = Servers(Topology(arguments.lab))
    words = frozenset(arguments.dhcp.split(",")) if arguments.dhcp else frozenset()
    await servers.start(arguments.hostile, words)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    os.write(arguments.ready, b"1")
    os.close(arguments.ready)
    await stop.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="labkit.services")
    parser.add_argument("lab")
    parser.add_argument("ready", type=int)
    parser.add_argument("--hostile", action="store_true")
    parser.add_argument("--dhcp", default="", help="what is wrong with DHCP: words, with commas")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()

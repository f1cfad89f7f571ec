# SPDX-License-Identifier: GPL-3.0-or-later
"""A name server that gives one address for every name, and keeps what it was asked."""

from __future__ import annotations

import os
import select
import socket
import threading

from . import dns, names, netns

PORT = 5399  # on its node: the censor's rules send questions there


class Resolver:
    """In a thread, by UDP and TCP. @asked: (name, where from), in the order of arrival."""

    def __init__(self, ns: str, answer: str, port: int = PORT) -> None:
        self._answer = answer
        self._datagrams = netns.run_in(ns, _datagram_socket, port)
        self._listener = netns.run_in(ns, socket.create_server, ("0.0.0.0", port))
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC)
        self._thread = threading.Thread(target=self._serve, name="resolver", daemon=True)
        self.asked: list[tuple[str, str]] = []

    def start(self) -> Resolver:
        self._thread.start()
        return self

    def stop(self) -> None:
        os.close(self._wake_write)
        self._thread.join()
        for one in (self._datagrams, self._listener):
            one.close()
        os.close(self._wake_read)

    def _serve(self) -> None:
        flows: dict[socket.socket, str] = {}
        while True:
            watched = [self._wake_read, self._datagrams, self._listener, *flows]
            ready = select.select(watched, [], [])[0]
            if self._wake_read in ready:
                break
            for one in ready:
                if one is self._datagrams:
                    self._datagram()
                elif one is self._listener:
                    flow, peer = self._listener.accept()
                    flows[flow] = peer[0]
                elif isinstance(one, socket.socket) and not self._stream(one, flows[one]):
                    del flows[one]
                    one.close()
        for flow in flows:
            flow.close()

    def _datagram(self) -> None:
        question, peer = self._datagrams.recvfrom(4096)
        if answer := self._reply(question, peer[0]):
            self._datagrams.sendto(answer, peer)

    def _stream(self, flow: socket.socket, peer: str) -> bool:
        """One question; a client that sends it in pieces is not answered."""
        try:
            data = flow.recv(4096)
            if answer := self._reply(data[2:], peer):
                flow.sendall(len(answer).to_bytes(2, "big") + answer)
        except OSError:
            return False
        return bool(data)

    def _reply(self, question: bytes, peer: str) -> bytes | None:
        answer = dns.answer(question, self._answer, names.WEB_ADDRESS6)
        if answer:
            self.asked.append((dns.asked_name(question), peer))
        return answer


def _datagram_socket(port: int) -> socket.socket:
    result = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    result.bind(("0.0.0.0", port))
    return result

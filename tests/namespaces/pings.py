#!/usr/bin/env python3
"""Sends pings at a steady rate, which `ping` does not keep: pings.py ADDRESS RATE, until SIGINT; then prints what became of them, in JSON."""

import json
import os
import select
import signal
import socket
import struct
import sys
import time

ECHO_REQUEST, ECHO_REPLY = 8, 0
STRAGGLERS_SECONDS = 1  # until a ping without an answer counts as lost
RECEIVE_BUFFER = 1 << 20


def checksum(data):
    """Of RFC 1071, for an even number of bytes."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff


class Pings:
    """Ping N is due N / RATE seconds after the first. One that is late is made up for at once, so that the rate holds whatever the scheduler does."""

    def __init__(self, target, rate):
        self.target, self.rate, self.number, self.sent, self.ends = target, rate, os.getpid() & 0xffff, 0, False
        self.answered, self.times, self.late = set(), [], 0.0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self.socket.setblocking(False)
        signal.signal(signal.SIGINT, lambda *_: setattr(self, "ends", True))

    def send(self):
        message = lambda sum_: struct.pack("!BBHHH", ECHO_REQUEST, 0, sum_, self.number, self.sent & 0xffff) + bytes(48)
        self.socket.sendto(message(checksum(message(0))), (self.target, 0))
        self.sent += 1

    def hear(self, seconds):
        """Takes the answers that are there within that time."""
        if not select.select([self.socket], [], [], seconds)[0]:
            return
        try:
            while True:
                packet = self.socket.recv(2048)
                kind, _, _, number, sequence = struct.unpack_from("!BBHHH", packet, (packet[0] & 15) * 4)
                if (kind, number) == (ECHO_REPLY, self.number) and sequence not in self.answered:
                    self.answered.add(sequence)
                    self.times.append(time.monotonic())
        except BlockingIOError:
            pass

    def run(self):
        began = time.monotonic()
        while not self.ends and self.sent <= 0xffff:
            late = time.monotonic() - began - self.sent / self.rate
            if late >= 0:
                self.late = max(self.late, late)
                self.send()
            self.hear(max(0, -late))
        seconds = time.monotonic() - began
        while len(self.answered) < self.sent and time.monotonic() < began + seconds + STRAGGLERS_SECONDS:
            self.hear(0.05)
        marks = [began, *self.times, began + seconds]
        return {"sent": self.sent, "lost": self.sent - len(self.answered), "rate": self.sent / seconds, "late": self.late,
                "silence": max(later - earlier for earlier, later in zip(marks, marks[1:]))}


if __name__ == "__main__":
    print(json.dumps(Pings(sys.argv[1], int(sys.argv[2])).run()))

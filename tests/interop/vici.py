"""strongSwan's control protocol over a pair of pipes: what swanctl speaks, without a process in the guest for every question."""

import select
import struct

REQUEST, RESPONSE, UNKNOWN, REGISTER, UNREGISTER, CONFIRM, _, EVENT = range(8)
SECTION_START, SECTION_END, KEY_VALUE, LIST_START, LIST_ITEM, LIST_END = range(1, 7)


def encode(message):
    """A message of text values, lists and nested sections."""
    out = b""
    for key, value in message.items():
        name = bytes([len(key)]) + key.encode()
        if isinstance(value, dict):
            out += bytes([SECTION_START]) + name + encode(value) + bytes([SECTION_END])
        elif isinstance(value, list):
            items = (bytes([LIST_ITEM]) + struct.pack("!H", len(item)) + item.encode() for item in value)
            out += bytes([LIST_START]) + name + b"".join(items) + bytes([LIST_END])
        else:
            out += bytes([KEY_VALUE]) + name + struct.pack("!H", len(value)) + value.encode()
    return out


def decode(data):
    position, sections, items = 0, [{}], []

    def text(size):
        nonlocal position
        length = int.from_bytes(data[position:position + size], "big")
        position += size + length
        return data[position - length:position].decode(errors="replace")

    while position < len(data):
        kind = data[position]
        position += 1
        if kind == SECTION_START:
            section = sections[-1].setdefault(text(1), {})
            sections.append(section)
        elif kind == SECTION_END:
            sections.pop()
        elif kind == KEY_VALUE:
            key = text(1)
            sections[-1][key] = text(2)
        elif kind == LIST_START:
            items = sections[-1].setdefault(text(1), [])
        elif kind == LIST_ITEM:
            items.append(text(2))
    return sections[0]


class Vici:
    """One conversation; `reader` and `writer` are unbuffered binary files. An answer that takes longer than `seconds` is an error."""

    def __init__(self, reader, writer, seconds=30):
        self.reader, self.writer, self.seconds = reader, writer, seconds

    def send(self, kind, name, body=b""):
        packet = bytes([kind, len(name)]) + name.encode() + body
        self.writer.write(struct.pack("!I", len(packet)) + packet)

    def read(self, size):
        data = b""
        while len(data) < size:
            ready, _, _ = select.select([self.reader], [], [], self.seconds)
            piece = self.reader.read(size - len(data)) if ready else b""
            if not piece:
                raise ConnectionError("charon closed the conversation" if ready else "charon does not answer")
            data += piece
        return data

    def receive(self):
        """(kind, rest of the packet)."""
        packet = self.read(int.from_bytes(self.read(4), "big"))
        return packet[0], packet[1:]

    def command(self, name, message=None):
        self.send(REQUEST, name, encode(message or {}))
        kind, data = self.receive()
        if kind != RESPONSE:
            raise ValueError(f"charon does not know the command {name}")
        return decode(data)

    def stream(self, name, event, message=None):
        """The events that a command is answered with, each by its section's name and content."""
        self.send(REGISTER, event)
        if self.receive()[0] != CONFIRM:
            raise ValueError(f"charon does not know the event {event}")
        self.send(REQUEST, name, encode(message or {}))
        self.send(UNREGISTER, event)
        events = []
        while True:
            kind, data = self.receive()
            if kind == EVENT:
                events += decode(data[1 + data[0]:]).items()
            if kind == CONFIRM:
                return events

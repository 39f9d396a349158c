"""Runs a secured demo and records all of its traffic. Run it as root of a new network namespace:

    unshare --map-root-user --net python3 e2e/capture/record_demo.py LAB VOTES STATE OUTPUT

Writes into OUTPUT, as JSON, what was found. Exits with the exit code of the demo.
"""

import fcntl
import json
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
ETH_P_IP, PACKET_OUTGOING, TCP = 0x0800, 4, 6
SOL_PACKET, PACKET_STATISTICS = 263, 6
ETHERNET_HEADER = 14
PLAIN_TEXT = b"not encrypted"


class Recorder:
    """Records the TCP payloads of the loopback interface, by the ports of sender and receiver."""

    def __init__(self) -> None:
        self.streams: dict[tuple[int, int], bytearray] = defaultdict(bytearray)
        self.packets = 0
        self._socket = socket.socket(
            socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP)
        )
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 20)
        self._socket.settimeout(0.2)
        self._socket.bind(("lo", 0))
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._record)
        self._thread.start()

    def stop(self) -> int:
        """Stops, and returns the number of packets that the kernel dropped."""
        self._ended.set()
        self._thread.join()
        _, dropped = struct.unpack(
            "II", self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
        )
        return dropped

    def _record(self) -> None:
        while not self._ended.is_set():
            try:
                packet, address = self._socket.recvfrom(1 << 16 | 64)
            except TimeoutError:
                continue
            # The loopback interface shows each packet twice.
            if address[2] != PACKET_OUTGOING:
                self._add(packet[ETHERNET_HEADER:])

    def _add(self, packet: bytes) -> None:
        header = (packet[0] & 15) * 4
        if packet[9] != TCP:
            return
        length = int.from_bytes(packet[2:4])
        sender, receiver = struct.unpack("!HH", packet[header : header + 4])
        payload = packet[header + (packet[header + 12] >> 4) * 4 : length]
        self.packets += 1
        self.streams[sender, receiver] += payload


def main() -> int:
    """Runs the demo and writes what was found."""
    lab, votes, state, output = sys.argv[1:]
    _enable_loopback()
    recorder = Recorder()
    plain_port = _send_plain(PLAIN_TEXT)
    command = [
        lab,
        "demo",
        "--secure",
        "--free-ports",
        "--run-time",
        "5s",
        "--users",
        "3",
    ]
    demo = subprocess.Popen([*command, "--votes-file", votes, "--state-dir", state])
    secrets: dict[str, str] = {}
    ports: dict[str, int] = {}
    while demo.poll() is None:
        secrets |= _secrets(Path(state, "secrets"))
        ports |= _ports(Path(state, "state.json"))
        time.sleep(0.2)
    dropped = recorder.stop()
    needles = {name: secret.encode() for name, secret in secrets.items()}
    needles |= {f"vote: {text}": text.encode() for text in _texts(Path(votes))}
    needles["plain text"] = PLAIN_TEXT
    found = [
        {"needle": name, "ports": ends}
        for ends, stream in recorder.streams.items()
        for name, needle in needles.items()
        if needle in stream
    ]
    result = {
        "packets": recorder.packets,
        "dropped": dropped,
        "secrets": sorted(secrets),
        "ports": ports,
        "plain_port": plain_port,
        "found": found,
    }
    Path(output).write_text(json.dumps(result))
    return demo.returncode


def _enable_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh14x", b"lo", 0)
        _, flags = struct.unpack("16sh14x", fcntl.ioctl(control, SIOCGIFFLAGS, request))
        fcntl.ioctl(
            control, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP)
        )


def _secrets(directory: Path) -> dict[str, str]:
    """Returns the passwords and tokens that exist now, by file name. The demo removes them at its end."""
    found = {}
    for pattern in ("*.password", "*.token", "mongodb-members.key"):
        for path in directory.glob(pattern):
            try:
                found[path.name] = path.read_text().strip()
            except FileNotFoundError:
                continue
    return {name: secret for name, secret in found.items() if secret}


def _ports(state: Path) -> dict[str, int]:
    """Returns the ports of the stack by their names."""
    try:
        return json.loads(state.read_text())["settings"]["ports"]
    except FileNotFoundError:
        return {}


def _send_plain(text: bytes) -> int:
    """Sends a text that is not encrypted, so that the recording has something to find. Returns the port of the receiver."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()) as client:
            client.sendall(text)
            with server.accept()[0] as receiver:
                receiver.recv(len(text))
        return server.getsockname()[1]


def _texts(votes: Path) -> list[str]:
    return [
        text
        for vote in json.loads(votes.read_text())
        for text in (vote["name"], vote["album"])
    ]


if __name__ == "__main__":
    sys.exit(main())

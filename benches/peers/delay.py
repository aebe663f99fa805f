#!/usr/bin/env python3
"""Holds frames back between the operator and the bed's bridge: `delay.py ROUND_TRIP_MS`.

Two taps. `op` takes over the operator's addresses from the bridge; what is sent there comes out of `line`,
a port of the bridge, half of the round trip later, and the other way round. Frames travel as the large
segments that the kernel makes, with their header for offloading, so that the line costs little. No loss, no
reordering, no jitter. Says `ready` when it works. Runs until it is killed.
"""
import collections
import fcntl
import os
import select
import struct
import subprocess
import sys
import time

BRIDGE = "bed"
TUNSETIFF, TUNSETOFFLOAD, TUNSETVNETHDRSZ = 0x400454CA, 0x400454D0, 0x400454D8
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
OFFLOADS = 0x01 | 0x02 | 0x04  # checksums, TCP segments over IPv4 and IPv6
QUEUE = 100_000  # frames; more are lost, as a router loses them
LONGEST = 65_536 + 64


def tap(name):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
    fcntl.ioctl(fd, TUNSETVNETHDRSZ, struct.pack("i", 10))
    fcntl.ioctl(fd, TUNSETOFFLOAD, OFFLOADS)
    return fd


def ip(*words):
    return subprocess.check_output(["ip", *words], text=True)


def become_the_operator():
    """`op` gets the bridge's addresses, its hardware address and what it knows of neighbours."""
    addresses = [line.split()[3] for line in ip("-4", "-o", "address", "show", "dev", BRIDGE).splitlines()]
    hardware = ip("-o", "link", "show", "dev", BRIDGE).split("link/ether ")[1].split()[0]
    known = [line.split() for line in ip("neighbour", "show", "dev", BRIDGE).splitlines()]
    ip("link", "set", "dev", BRIDGE, "address", "02:fd:00:00:00:fe")
    ip("address", "flush", "dev", BRIDGE)
    ip("link", "set", "dev", "op", "address", hardware, "txqueuelen", "10000")
    ip("link", "set", "dev", "line", "txqueuelen", "10000")
    ip("link", "set", "op", "up")
    ip("link", "set", "line", "master", BRIDGE, "up")
    for address in addresses:
        ip("address", "add", address, "dev", "op")
    for words in known:
        if "lladdr" in words:
            there = words[words.index("lladdr") + 1]
            ip("neighbour", "replace", words[0], "lladdr", there, "dev", "op", "nud", "permanent")


def main():
    half = float(sys.argv[1]) / 2_000
    op, line = tap("op"), tap("line")
    become_the_operator()
    try:  # what paces by itself does badly over a line made of software
        with open("/proc/sys/net/ipv4/tcp_congestion_control", "w") as control:
            control.write("reno")
    except OSError:
        pass
    ways = {op: (line, collections.deque()), line: (op, collections.deque())}
    poll = select.epoll()
    for fd in ways:
        poll.register(fd, select.EPOLLIN)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        now = time.monotonic()
        due = [frames[0][0] for _, frames in ways.values() if frames]
        wait = max(0.0, min(due) - now) if due else 1.0
        for fd, _ in poll.poll(wait):
            frames = ways[fd][1]
            at = time.monotonic() + half
            for _ in range(64):
                try:
                    frame = os.read(fd, LONGEST)
                except BlockingIOError:
                    break
                if len(frames) < QUEUE:
                    frames.append((at, frame))
        now = time.monotonic()
        for to, frames in ways.values():
            while frames and frames[0][0] <= now:
                try:
                    os.write(to, frames.popleft()[1])
                except OSError:
                    pass  # lost, as on any line


main()

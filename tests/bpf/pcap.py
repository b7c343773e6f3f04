# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""DNS messages in a capture: classic pcap, the link types of tests/data, UDP and TCP over IPv4 and IPv6."""

import struct

DNS_PORTS = {53, 8053}
ETHERTYPE_IP, ETHERTYPE_IP6, ETHERTYPE_VLAN = 0x0800, 0x86DD, 0x8100
UDP, TCP = 17, 6
V6_EXTENSIONS = {0, 43, 60}
V6_FRAGMENT = 44


def packets(data):
    """Yield (link type, bytes) for each record of a capture file."""
    order = '<' if data[:4] in (b'\xd4\xc3\xb2\xa1', b'\x4d\x3c\xb2\xa1') else '>'
    link = struct.unpack(order + 'I', data[20:24])[0] & 0xFFFF
    at = 24
    while at + 16 <= len(data):
        kept = struct.unpack(order + 'I', data[at + 8:at + 12])[0]
        yield link, data[at + 16:at + 16 + kept]
        at += 16 + kept


def network(link, frame):
    """The IP packet in a link-layer frame, or None."""
    if link == 1:
        kind, at = struct.unpack('>H', frame[12:14])[0], 14
    elif link == 113:
        kind, at = struct.unpack('>H', frame[14:16])[0], 16
    elif link == 276:
        kind, at = struct.unpack('>H', frame[0:2])[0], 20
    elif link in (9, 50):  # PPP, with or without address and control
        at = 2 if frame[:2] == b'\xff\x03' else 0
        kind = {0x0021: ETHERTYPE_IP, 0x0057: ETHERTYPE_IP6}.get(struct.unpack('>H', frame[at:at + 2])[0])
        at += 2
    elif link in (0, 12, 101, 108, 228, 229):
        at = 4 if link in (0, 108) else 0
        kind = {4: ETHERTYPE_IP, 6: ETHERTYPE_IP6}.get(frame[at] >> 4)
    else:
        raise ValueError(f'link type {link}')
    while kind == ETHERTYPE_VLAN:
        kind, at = struct.unpack('>H', frame[at + 2:at + 4])[0], at + 4
    return frame[at:] if kind in (ETHERTYPE_IP, ETHERTYPE_IP6) else None


class Fragments:
    """Puts datagrams together; whole ones pass through."""

    def __init__(self):
        self.parts = {}

    def add(self, key, offset, more, payload):
        if not offset and not more:
            return payload
        parts, ends = self.parts.setdefault(key, ({}, []))
        parts[offset] = payload
        if not more:
            ends.append(offset + len(payload))
        whole = bytearray()
        while len(whole) in parts and parts[len(whole)]:
            whole += parts[len(whole)]
        return bytes(whole) if ends and len(whole) == ends[0] else None


def transport(ip, fragments):
    """(addresses, protocol, payload) of an IP packet, or None while fragments are missing."""
    if ip[0] >> 4 == 4:
        header = (ip[0] & 15) * 4
        total, ident, frag = struct.unpack('>HHH', ip[2:8])
        payload = fragments.add((ip[12:20], ident, ip[9]), (frag & 0x1FFF) * 8, frag & 0x2000, ip[header:total])
        return (ip[12:20], ip[9], payload) if payload is not None else None
    kind, at, end = ip[6], 40, 40 + struct.unpack('>H', ip[4:6])[0]
    while kind in V6_EXTENSIONS:
        kind, at = ip[at], at + (ip[at + 1] + 1) * 8
    if kind == V6_FRAGMENT:
        kind, frag, ident = ip[at], struct.unpack('>H', ip[at + 2:at + 4])[0], ip[at + 4:at + 8]
        payload = fragments.add((ip[8:40], ident, kind), frag & 0xFFF8, frag & 1, ip[at + 8:end])
        return (ip[8:40], kind, payload) if payload is not None else None
    return ip[8:40], kind, ip[at:end]


def framed(segments):
    """Messages of one direction of a TCP connection. A hole ends what can be read."""
    segments = sorted((s for s in segments if s[1]), key=lambda s: s[0])
    stream, at = bytearray(), segments[0][0] if segments else 0
    for seq, payload in segments:
        if seq > at:
            break
        stream += payload[at - seq:]
        at = max(at, seq + len(payload))
    while len(stream) >= 2:
        size = stream[0] << 8 | stream[1]
        if len(stream) < 2 + size:
            return
        yield bytes(stream[2:2 + size])
        del stream[:2 + size]


def messages(path):
    """Every DNS message in the capture, queries too."""
    fragments, streams = Fragments(), {}
    with open(path, 'rb') as f:
        data = f.read()
    for link, frame in packets(data):
        ip = network(link, frame)
        found = transport(ip, fragments) if ip else None
        if not found or len(found[2]) < 8:
            continue
        addresses, kind, payload = found
        ports = struct.unpack('>HH', payload[:4])
        if not DNS_PORTS & set(ports):
            continue
        if kind == UDP:
            yield payload[8:]
        elif kind == TCP and len(payload) >= 20:
            seq, header = struct.unpack('>I', payload[4:8])[0], (payload[12] >> 4) * 4
            streams.setdefault((addresses, ports), []).append((seq, payload[header:]))
    for segments in streams.values():
        yield from framed(segments)

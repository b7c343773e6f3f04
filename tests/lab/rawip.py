# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Packets as no socket would send them: forged senders, fragments. To be called on a host (host.call)."""
import socket
import struct

IP_MF = 0x2000


def checksum(data):
    if len(data) % 2:
        data += b'\0'
    total = sum(struct.unpack(f'>{len(data) // 2}H', data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def packed(address):
    return socket.inet_pton(socket.AF_INET6 if ':' in address else socket.AF_INET, address)


def udp(source, sport, target, dport, payload):
    """A UDP datagram with its checksum, without the IP header."""
    length = 8 + len(payload)
    pseudo = packed(source) + packed(target) + struct.pack('>IHBB', length, 0, 0, 17)[:4] + \
        struct.pack('>I', 17)
    head = struct.pack('>4H', sport, dport, length, 0)
    return head[:6] + struct.pack('>H', checksum(pseudo + head + payload) or 0xffff) + payload


def ipv4(source, target, body, ident=1, fragment=0):
    """An IPv4 packet; the kernel fills in its checksum. fragment: flags and offset / 8."""
    return struct.pack('>BBHHHBBH', 0x45, 0, 20 + len(body), ident, fragment, 64, 17, 0) + \
        packed(source) + packed(target) + body


def ipv6(source, target, body, ident=1, fragment=None):
    """An IPv6 packet; fragment: offset and the more-fragments bit as they stand in the header."""
    following = 17
    if fragment is not None:
        body = struct.pack('>BBHI', 17, 0, fragment, ident) + body
        following = 44
    return struct.pack('>IHBB', 6 << 28, len(body), following, 64) + \
        packed(source) + packed(target) + body


def fragments(source, target, body, cuts, ident=1):
    """The IP packets of a datagram cut at the given offsets, multiples of 8."""
    ends = [*cuts, len(body)]
    result = []
    for start, end in zip([0, *cuts], ends):
        more = end < len(body)
        if ':' in source:
            result.append(ipv6(source, target, body[start:end], ident, start | more))
        else:
            result.append(ipv4(source, target, body[start:end], ident,
                               start // 8 | (IP_MF if more else 0)))
    return result


def send(target, packets):
    """Put whole IP packets on the wire."""
    family = socket.AF_INET6 if ':' in target else socket.AF_INET
    with socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
        for packet in packets:
            sock.sendto(packet, (target, 0))

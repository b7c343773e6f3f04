# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""DNS messages byte by byte (RFC 1035 4.1): for answers that no library would send.

    answer(query, [a('www.example.test', '192.0.2.1')])

Names are text ('a.b.c'), or bytes that go into the message as they are.
"""
import socket
import struct

A, NS, CNAME, TXT, AAAA, DNAME, SVCB, HTTPS = 1, 2, 5, 16, 28, 39, 64, 65
IN, CH = 1, 3
QNAME = b'\xc0\x0c'  # a pointer to the question's name
NXDOMAIN, SERVFAIL = 3, 2


def name(text):
    """Wire form, uncompressed; bytes stay what they are."""
    if isinstance(text, bytes):
        return text
    labels = [label.encode() for label in text.split('.') if label]
    return b''.join(bytes([len(label)]) + label for label in labels) + b'\0'


def question(qname, qtype=A, qclass=IN):
    return name(qname) + struct.pack('>HH', qtype, qclass)


def query(ident, qname, qtype=A, qclass=IN, edns=None):
    """A query; edns: the UDP size an OPT record offers."""
    extra = b'' if edns is None else struct.pack('>BHHIH', 0, 41, edns, 0, 0)
    header = struct.pack('>6H', ident, 0x0100, 1, 0, 0, 1 if extra else 0)
    return header + question(qname, qtype, qclass) + extra


def rr(owner, kind, rdata, ttl=300, rclass=IN, rdlength=None):
    length = len(rdata) if rdlength is None else rdlength
    return name(owner) + struct.pack('>HHIH', kind, rclass, ttl, length) + rdata


def a(owner, address, ttl=300, **options):
    return rr(owner, A, socket.inet_aton(address), ttl, **options)


def aaaa(owner, address, ttl=300, **options):
    return rr(owner, AAAA, socket.inet_pton(socket.AF_INET6, address), ttl, **options)


def cname(owner, target, ttl=300):
    return rr(owner, CNAME, name(target), ttl)


def dname(owner, target, ttl=300):
    return rr(owner, DNAME, name(target), ttl)


def https(owner, ipv4=(), ipv6=(), priority=1, target='', ttl=300, kind=HTTPS):
    """A service record with address hints (RFC 9460 7.3)."""
    rdata = struct.pack('>H', priority) + name(target)
    if ipv4:
        rdata += struct.pack('>HH', 4, 4 * len(ipv4)) + b''.join(map(socket.inet_aton, ipv4))
    if ipv6:
        packed = b''.join(socket.inet_pton(socket.AF_INET6, x) for x in ipv6)
        rdata += struct.pack('>HH', 6, len(packed)) + packed
    return rr(owner, kind, rdata, ttl)


def question_of(message):
    """The question section's bytes of a query: name, type and class."""
    end = 12
    while message[end]:
        end += 1 + message[end]
    return message[12:end + 5]


def answer(to, records, flags=0x8180, ident=None, counts=None, asked=None, tail=b''):
    """
    An answer to the query `to`. Each part can be made to lie: the flags, the
    id, the four counts, the question section.
    """
    ident = struct.unpack('>H', to[:2])[0] if ident is None else ident
    asked = question_of(to) if asked is None else asked
    counts = counts or (1, len(records), 0, 0)
    return struct.pack('>6H', ident, flags, *counts) + asked + b''.join(records) + tail

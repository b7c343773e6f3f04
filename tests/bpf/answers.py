# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Answers from a random generator: well-formed ones, strange ones, and what mutation makes of them."""

import struct

TYPES = {'A': 1, 'NS': 2, 'CNAME': 5, 'TXT': 16, 'AAAA': 28, 'DNAME': 39, 'OPT': 41, 'RRSIG': 46, 'HTTPS': 65}
WORDS = [b'www', b'api', b'edge', b'cdn', b'example', b'com', b'net', b'EXAMPLE', b'Www', b'a', b'b', b'a.b',
         b'\0', b'\\', b'_443', b'xn--p1ai', b'x' * 63, b'1234567']
TTLS = [0, 1, 7, 30, 300, 86400, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]


class Message:
    """A message under construction. Names seen before may be written as pointers."""

    def __init__(self, rng, flags=0x8180):
        self.rng, self.flags = rng, flags
        self.wire = bytearray(12)
        self.seen = []  # (labels, offset)
        self.counts = [0, 0, 0, 0]

    def name(self, labels, compress=True):
        labels = list(labels)
        while labels:
            fits = [off for known, off in self.seen if same(known, labels) and off < 0x4000]
            if compress and fits and self.rng.random() < 0.85:
                self.wire += struct.pack('>H', 0xC000 | self.rng.choice(fits))
                return
            self.seen.append((tuple(labels), len(self.wire)))
            self.wire += bytes([len(labels[0])]) + labels[0]
            labels.pop(0)
        self.wire.append(0)

    def question(self, labels, rdtype, rdclass=1):
        self.name(labels)
        self.wire += struct.pack('>HH', rdtype, rdclass)
        self.counts[0] += 1

    def record(self, section, owner, rdtype, ttl, data, rdclass=1):
        """data: bytes, or labels of a name."""
        self.name(owner)
        self.wire += struct.pack('>HHIH', rdtype, rdclass, ttl, 0)
        at = len(self.wire)
        if isinstance(data, bytes):
            self.wire += data
        else:
            self.name(data)
        self.wire[at - 2:at] = struct.pack('>H', len(self.wire) - at)
        self.counts[section] += 1

    def done(self, ident=0x1234):
        self.wire[:12] = struct.pack('>6H', ident, self.flags, *self.counts)
        return bytes(self.wire)


def same(a, b):
    return len(a) == len(b) and all(x.lower() == y.lower() for x, y in zip(a, b))


def labels(rng):
    if rng.random() < 0.02:
        return []
    return [rng.choice(WORDS) for _ in range(rng.choice([1, 2, 2, 3, 3, 3, 4, 6]))]


def binding(rng):
    """Data of an HTTPS record; mostly well-formed."""
    out = struct.pack('>H', rng.choice([0, 1, 1, 1, 2])) + rng.choice([b'\0', b'\4edge\0', b'\xc0\x0c'] if rng.random() < .1
                                                                      else [b'\0', b'\4edge\0'])
    keys = sorted(rng.sample([1, 3, 4, 6, 7, 65535], rng.randint(0, 4)))
    if keys and rng.random() < 0.05:
        keys.insert(0, keys[0])
    if rng.random() < 0.05:
        rng.shuffle(keys)
    for key in keys:
        value = {1: b'\2h2', 3: b'\1\xbb'}.get(key, b'')
        if key in (4, 6):
            value = rng.randbytes((4 if key == 4 else 16) * rng.choice([1] * 10 + [2, 3, 4, 0]) + rng.choice([0] * 20 + [1]))
        out += struct.pack('>HH', key, len(value)) + value
    return out


def chain_step(m, rng, current):
    """A CNAME, or a DNAME with or without its CNAME. Returns the name that is current then."""
    target, ttl = labels(rng), rng.choice(TTLS)
    if rng.random() < 0.2 and len(current) > 1:
        cut = rng.randint(1, len(current) - 1)
        made = current[:cut] + target
        if sum(len(x) + 1 for x in made) < 255:
            m.record(1, current[cut:], TYPES['DNAME'], ttl, target)
            if rng.random() < 0.6:
                m.record(1, current, TYPES['CNAME'], ttl, made)
            return made
    m.record(1, current, TYPES['CNAME'], ttl, target)
    return target


def answer(rng):
    flags = rng.choice([0x8180] * 12 + [0x8580, 0x8380, 0x8183, 0x8182, 0x0180, 0x9180])
    m = Message(rng, flags)
    current = labels(rng)
    m.question(current, rng.choice([1, 1, 28, 65, 5, 255]), 1 if rng.random() < 0.98 else 3)
    for _ in range(rng.choice([0, 0, 0, 1, 1, 2, 3, 5, 16, 17])):
        current = chain_step(m, rng, current)
    for _ in range(rng.choice([0, 1, 1, 2, 4, 8, 16])):
        what = rng.choice(['A', 'A', 'A', 'AAAA', 'AAAA', 'HTTPS', 'TXT', 'RRSIG', 'OFF', 'CLASS'])
        owner, ttl = current, rng.choice(TTLS)
        if what == 'OFF':
            owner, what = labels(rng), 'A'
        rdclass = 3 if what == 'CLASS' else 1
        what = 'A' if what == 'CLASS' else what
        data = {'A': 4, 'AAAA': 16}.get(what)
        data = rng.randbytes(data) if data else binding(rng) if what == 'HTTPS' else rng.randbytes(rng.randint(0, 40))
        m.record(1, owner, TYPES[what], ttl, data, rdclass)
    if rng.random() < 0.3:
        m.record(2, current[1:] or current, TYPES['NS'], 300, [b'ns1'] + current[1:])
        m.record(3, [b'ns1'] + current[1:], TYPES['A'], 300, rng.randbytes(4))
    if rng.random() < 0.4:
        m.record(3, [], TYPES['OPT'], 0, rng.choice([b'', b'\0\x0a\0\x02ab']), 1232)
    wire = m.done(rng.getrandbits(16))
    return wire + rng.randbytes(rng.choice([0] * 20 + [1, 3, 9]))


def pointers(rng):
    """A CNAME over a chain of pointers around the limit, then addresses of its target."""
    m = Message(rng)
    m.question([b'www'], 1)
    jumps = rng.randint(13, 18)
    m.name([b'www'])
    m.wire += struct.pack('>HHIH', TYPES['TXT'], 1, 300, 3 + 2 * jumps)
    at = len(m.wire)
    m.wire += b'\1x\0'
    for _ in range(jumps):
        here = len(m.wire)
        m.wire += struct.pack('>H', 0xC000 | at)
        at = here
    m.counts[1] += 1
    m.name([b'www'])
    m.wire += struct.pack('>HHIH', TYPES['CNAME'], 1, 300, 2)
    target = len(m.wire)
    m.wire += struct.pack('>H', 0xC000 | at)
    m.counts[1] += 1
    for owner in (target, at, target):
        m.wire += struct.pack('>HHHIH', 0xC000 | owner, TYPES['A'], 1, 30, 4) + rng.randbytes(4)
        m.counts[1] += 1
    return m.done()


def costly(rng):
    """Records whose owners point at one long name: few bytes, many labels."""
    m = Message(rng)
    m.question([b'a'] * rng.choice([3, 126, 126]), 1)
    m.name([b'b'] + [b'a'] * 125)
    long = len(m.wire)
    m.wire += struct.pack('>HHIH', TYPES['TXT'], 1, 0, 254)
    m.wire += b'\1c' * 126 + b'\0x'
    m.counts[1] += 1
    for _ in range(rng.randint(100, 200)):
        m.wire += struct.pack('>HHHIH', 0xC000 | long + 10, TYPES['A'], 1, 30, 4) + rng.randbytes(4)
        m.counts[1] += 1
    return m.done()


def mutate(rng, wire, others):
    """One to four changes of the kinds that parsers fall over."""
    wire = bytearray(wire)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        if len(wire) < 14:
            break
        at = rng.randrange(12 if rng.random() < 0.9 else 0, len(wire))
        kind = rng.randrange(9)
        if kind == 0:
            wire[at] = rng.getrandbits(8)
        elif kind == 1:
            wire[at] ^= 1 << rng.randrange(8)
        elif kind == 2:
            del wire[rng.randrange(12, len(wire)):]
        elif kind == 3:
            del wire[at:at + rng.randint(1, 4)]
        elif kind == 4:
            wire[at:at] = rng.randbytes(rng.randint(1, 4))
        elif kind == 5:  # a pointer, mostly to somewhere near
            wire[at:at + 2] = struct.pack('>H', 0xC000 | rng.choice([at, max(at - 2, 0), 12, 0, rng.randrange(len(wire))]))
        elif kind == 6:  # counts
            i = rng.choice([6, 6, 8, 10, 4])
            wire[i:i + 2] = struct.pack('>H', rng.choice([0, 1, 2, 3, 65535]))
        elif kind == 7:  # a piece of another message
            other = rng.choice(others)
            i = rng.randrange(len(other) + 1)
            wire[at:at] = other[i:i + rng.randint(1, 60)]
        else:  # a flag
            wire[2:4] = struct.pack('>H', (wire[2] << 8 | wire[3]) ^ 1 << rng.randrange(16))
    return bytes(wire[:60000])


def past_the_header(wire):
    """The same message as an answer to one question without an error: what lies behind is read as well."""
    return wire[:2] + b'\x81\x80\0\1' + wire[6:] if len(wire) >= 12 else wire

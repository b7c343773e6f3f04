# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What another parser makes of an answer.

Written from RFC 1034, 1035, 2181, 6672, 9460 and the list of refusals in
bpf/snp_stat.h, without a look at the walker. It reads structure only: it
remembers no offset of a name, spells every owner out and compares in full.

dnspython reads every name and every binding as well, and must say the same;
where it may say something else is listed in differences.py, by name.
"""

import struct

import dns.exception
import dns.name
import dns.rdata
import dns.wire

A, CNAME, AAAA, DNAME, SVCB, HTTPS = 1, 5, 28, 39, 64, 65
IN = 1
CHAIN_MAX = 16
JUMPS_MAX = 16
ADDRS_MAX = 4096


class Refused(Exception):
    """The reason, as status names it."""


class Cut(Exception):
    """The message ended early."""


def spell(wire, at):
    """(labels, where reading goes on, pointers) of the name at an offset."""
    labels, total, after, jumps, low = [], 1, None, 0, at
    while True:
        if at >= len(wire):
            raise Cut
        size = wire[at]
        if size >= 0xC0:
            if at + 1 >= len(wire):
                raise Cut
            to = (size & 0x3F) << 8 | wire[at + 1]
            after = at + 2 if after is None else after
            if to >= low or to < 12:
                raise Refused('pointer')
            jumps += 1
            if jumps > JUMPS_MAX:
                raise Refused('jumps')
            at = low = to
        elif size >= 0x40:
            raise Refused('label_type')
        elif size == 0:
            return tuple(labels), at + 1 if after is None else after, jumps
        else:
            label = wire[at + 1:at + 1 + size]
            if len(label) < size:
                raise Cut
            total += 1 + size
            if total > 255:
                raise Refused('name_long')
            labels.append(bytes(label).lower())
            at += 1 + size


def to_wire(labels):
    return b''.join(bytes([len(x)]) + x for x in labels) + b'\0'


def dnspython_name(wire, at):
    """What spell() says, as dnspython sees it: labels, or the name of a refusal."""
    try:
        name = dns.wire.Parser(wire, at).get_name()
        return tuple(x.lower() for x in name.labels[:-1])
    except dns.name.BadPointer:
        return 'pointer'
    except dns.name.BadLabelType:
        return 'label_type'
    except dns.name.NameTooLong:
        return 'name_long'
    except dns.exception.FormError as e:
        return 'jumps' if 'ointer' in type(e).__name__ else 'cut'


def binding_by_dnspython(data):
    """The hints in the data of an SVCB or HTTPS record, or None: refused."""
    try:
        rdata = dns.rdata.from_wire(IN, HTTPS, data, 0, len(data))
    except (dns.exception.DNSException, ValueError):
        return None
    hints = []
    for key, to_raw in ((4, dns.ipv4.inet_aton), (6, dns.ipv6.inet_aton)):
        param = rdata.params.get(key) if rdata.priority else None
        hints += [to_raw(address) for address in (param.addresses if param else ())]
    return hints


class Opinion:
    """verdict, and for 'ok' chain, addrs, tallies; notes: where dnspython says something else."""

    def __init__(self, wire):
        self.wire, self.at = wire, 12
        self.chain, self.addrs, self.notes = [], [], set()
        self.off_chain = self.rr_class = self.too_many = self.trailing = self.truncated = 0
        self.ttl = 0x7FFFFFFF
        self.made = None  # by a DNAME, not yet followed
        self.labels = 0  # read in all
        try:
            self.read()
            self.verdict = 'ok'
        except Refused as e:
            self.verdict = str(e)

    def take(self, layout):
        size = struct.calcsize(layout)
        if self.at + size > len(self.wire):
            raise Cut
        self.at += size
        return struct.unpack_from(layout, self.wire, self.at - size)

    def name(self):
        start = self.at
        theirs = dnspython_name(self.wire, start)
        try:
            labels, self.at, self.pointers = spell(self.wire, start)
        except (Refused, Cut) as e:
            ours = str(e) or 'cut'
            if ours != theirs:
                self.notes.add(f'name: {ours}, dnspython: {theirs if isinstance(theirs, str) else "ok"}')
            raise
        if labels != theirs:
            self.notes.add(f'name: ok, dnspython: {theirs if isinstance(theirs, str) else "another"}')
        self.labels += len(labels) + 1
        return labels

    def read(self):
        if len(self.wire) < 12:
            raise Refused('short')
        _, flags, questions, answers, authority, additional = struct.unpack('>6H', self.wire[:12])
        if not flags & 0x8000:
            raise Refused('not_answer')
        if flags >> 11 & 15:
            raise Refused('opcode')
        if questions != 1:
            raise Refused('qdcount')
        try:
            self.chain = [self.name()]
            _, qclass = self.take('>HH')
        except Cut:
            raise Refused('short') from None
        if qclass != IN:
            raise Refused('qclass')
        if flags & 15:
            raise Refused('rcode')
        self.truncated = flags >> 9 & 1
        try:
            for i in range(answers + authority + additional):
                self.record(i < answers)
            self.trailing = len(self.wire) - self.at
        except Cut:
            if not self.truncated:
                raise Refused('short') from None

    def owner(self):
        """A record's owner. Through a pointer to the current name it is that, however many jumps that took."""
        start = self.at
        try:
            return self.name()
        except Refused as e:
            if str(e) == 'jumps' and self.wire[start] >= 0xC0:
                to = struct.unpack_from('>H', self.wire, start)[0] & 0x3FFF
                if spell(self.wire, to)[0] == self.chain[-1]:
                    self.at = start + 2
                    self.notes.add('owner repeated')
                    return self.chain[-1]
            raise

    def record(self, in_answer):
        owner = self.owner()
        if in_answer and owner == self.made and owner != self.chain[-1]:
            self.follow(owner)
        rdtype, rdclass, ttl, rdlength = self.take('>HHIH')
        end = self.at + rdlength
        if end > len(self.wire):
            raise Cut
        if in_answer and rdtype in (A, AAAA, CNAME, DNAME, SVCB, HTTPS):
            if rdclass == IN:
                self.answer(owner, rdtype, 0 if ttl >> 31 else ttl, end)
            else:
                self.rr_class += 1
        self.at = end

    def answer(self, owner, rdtype, ttl, end):
        current = self.chain[-1]
        if rdtype == DNAME and owner != current:
            if len(owner) < len(current) and current[len(current) - len(owner):] == owner:
                self.dname(current[:len(current) - len(owner)], ttl, end)
            else:
                self.off_chain += 1
        elif rdtype == DNAME:
            pass  # RFC 6672 2.3: it redirects what is below its owner
        elif owner != current:
            self.off_chain += 1
        elif rdtype in (A, AAAA):
            if end - self.at != (4 if rdtype == A else 16):
                raise Refused('rdlength')
            self.address(self.wire[self.at:end], ttl)
        elif rdtype == CNAME:
            target = self.target(end)
            self.ttl = min(self.ttl, ttl)
            self.follow(target)
        else:
            self.binding(ttl, end)

    def target(self, end):
        """The name that fills the record's data."""
        if len(self.chain) > CHAIN_MAX:
            raise Refused('chain_long')
        labels = self.name()
        if self.at != end:
            raise Refused('rdlength')
        return labels

    def follow(self, name):
        if name in self.chain:
            raise Refused('chain_loop')
        self.chain.append(name)
        self.made = None

    def dname(self, prefix, ttl, end):
        if len(self.chain) > CHAIN_MAX:
            raise Refused('chain_long')
        labels = self.name()
        made = prefix + labels
        if len(to_wire(made)) > 255:
            raise Refused('name_long')
        if self.at != end:
            raise Refused('rdlength')
        self.made = made
        self.ttl = min(self.ttl, ttl)

    def binding(self, ttl, end):
        start, hints = self.at, []
        try:
            if end - start < 3:
                raise Refused('svcb')
            priority, = self.take('>H')
            self.name()
            if self.pointers or self.at > end:
                raise Refused('svcb')
            if priority:
                hints = self.params(end)
        except Refused as e:
            if str(e) == 'svcb' and binding_by_dnspython(self.wire[start:end]) is not None:
                self.notes.add('binding: svcb, dnspython: ok')
            raise
        theirs = binding_by_dnspython(self.wire[start:end])
        if theirs is None:
            self.notes.add('binding: ok, dnspython: refused')
        elif theirs != hints:
            self.notes.add('binding: ok, dnspython: other hints')
        for raw in hints:
            self.address(raw, ttl)

    def params(self, end):
        last, hints = -1, []
        while self.at < end:
            if end - self.at < 4:
                raise Refused('svcb')
            key, size = self.take('>HH')
            if key <= last or size > end - self.at:
                raise Refused('svcb')
            last = key
            if key in (4, 6):
                each = 4 if key == 4 else 16
                if not size or size % each:
                    raise Refused('svcb')
                hints += [self.wire[at:at + each] for at in range(self.at, self.at + size, each)]
            self.at += size
        return hints

    def address(self, raw, ttl):
        if len(self.addrs) >= ADDRS_MAX:
            self.too_many += 1
        else:
            self.addrs.append([raw.hex(), min(ttl, self.ttl)])

    def as_kernel(self):
        """In the shape of a line of differential.c."""
        return {'verdict': self.verdict, 'truncated': self.truncated, 'trailing': self.trailing,
                'off_chain': self.off_chain, 'rr_class': self.rr_class, 'too_many': self.too_many,
                'chain': [to_wire(n).hex() for n in self.chain], 'addrs': self.addrs}

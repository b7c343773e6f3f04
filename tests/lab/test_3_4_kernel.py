# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 3.4: the kernel matches as Cilium does: every row of the table, by real answers to real questions."""
import socket

import dnswire as w
from judging import outcome
from policing import ask, far, inside, names, policy, start
from servers import Scripted
from test_3_4_match import rows

FIRST_PORT = 2000


def open_ports(address, ports):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        return [p for p in ports if outcome(s.sendto, b'x', (address, p)) != 'EPERM']


def ask_all(server, wanted, ports):
    """{name: ports of its address that are open}: none before it was asked."""
    found = {}
    for name, address in wanted.items():
        assert open_ports(address, ports) == [], name
        assert ask(server, name) == [address]
        found[name] = open_ports(address, ports)
    return found


def test_3_4_every_row_in_the_kernel(lab):
    far(lab)
    patterns = sorted({row[0] for row in rows()})
    port_of = {p: FIRST_PORT + i for i, p in enumerate(patterns)}
    address_of = {n: f'10.55.1.{i}' for i, n in enumerate(sorted({row[1] for row in rows()}), 1)}
    wire = {w.name(n): a for n, a in address_of.items()}
    start(lab, policy(''.join(names(p, ports=[(str(port_of[p]), 'UDP')]) for p in patterns)))

    def answer(query):
        asked = w.question_of(query)[:-4]
        return [w.answer(query, [w.a(w.QNAME, wire[asked])])]

    with Scripted(lab.outside, lab.outside.ip4, answer):
        found = inside(lab, ask_all, lab.outside.ip4, address_of, list(port_of.values()), deadline=60)
    for pattern, name, matches in rows():
        assert (port_of[pattern] in found[name]) == (matches == '1'), (pattern, name)
    assert len(rows()) >= 60


def test_3_4_case_does_not_matter_in_the_kernel(lab):
    far(lab)
    start(lab, policy(names('*.Policed.TEST')))
    with Scripted(lab.outside, lab.outside.ip4, lambda q: [w.answer(q, [w.a(w.QNAME, '10.55.1.1')])]):
        done = inside(lab, ask_all, lab.outside.ip4, {'wWw.pOLICED.tEST': '10.55.1.1'}, [443])
    assert done == {'wWw.pOLICED.tEST': [443]}

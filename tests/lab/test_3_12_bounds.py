# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 3.12: no room and no time for a new cgroup are counted, shown, and made good."""
import contextlib
import os
import socket

import policing
from endpointing import delete_row, endpoint_of, endpoints, numbers_of, row_of, shown, start, write_names, write_rows
from judging import _echo_request, outcome
from policing import Servers, inside
from snoplab import wait_until
from turns import METRICS, assert_no_turn_was_long, long_every_time, samples

MEMBERS = 65536  # SNP_MEMBERS_MAX
PLACES = 4095    # SNP_ENDPOINTS_MAX, less one


def fill(daemon):
    """Rows of cgroups that are gone and have sockets left, as many as there is room for."""
    number = next(iter(numbers_of(daemon)))
    fakes = range(1 << 48, (1 << 48) + MEMBERS)
    return fakes[:write_rows(daemon, fakes, number)]


def reload_ok(daemon):
    daemon.write_conf()
    done = daemon.ctl('reload')
    assert done.returncode == 0, done.stdout + done.stderr


def test_3_12_no_room_for_a_member(lab):
    daemon = start(lab, ('pods', 'pod-*'))
    fakes = fill(daemon)
    assert len(fakes) == MEMBERS
    pod = lab.node.sub_cgroup('pod-a')
    assert row_of(daemon, os.stat(pod).st_ino) is None
    status = daemon.status()
    assert status['degraded'] == ['endpoint-cgroups-missed']
    assert status['kernel']['counters']['endpoint_cgroups_missed'] == 1
    reload_ok(daemon)  # or wait a moment: it tries now and then
    assert 'event=endpoint-cgroups-incomplete reason="more cgroups than fit"' in daemon.output()
    assert daemon.status()['degraded'] == ['endpoint-cgroups-missed']
    assert delete_row(daemon, fakes[0]) == 0
    wait_until(lambda: endpoint_of(daemon, pod) == 'pods', 120, what='it has found room')
    wait_until(lambda: not daemon.status()['degraded'], 120, 'nothing is missing')


@long_every_time
def test_3_12_no_turn_of_the_loop_takes_10_ms_with_as_many_members_as_there_can_be(lab):
    """They are counted a piece at a time: who asks then is told of a moment before."""
    daemon = start(lab, ('pods', 'pod-*'), export={'metrics': METRICS}, log={'level': 'debug'})
    assert len(fill(daemon)) == MEMBERS
    wait_until(lambda: shown(daemon) == {'pods': MEMBERS}, what=lambda: str(shown(daemon)))
    assert samples(daemon)['snooper_endpoint_cgroups'] == MEMBERS
    reload_ok(daemon)
    assert shown(daemon) == {'pods': MEMBERS}, 'known before, not counted yet'
    assert_no_turn_was_long(daemon)


def raw(address):
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as s:
        return outcome(lambda: s.sendto(_echo_request(address), (address, 0)) and 'ok')


def test_3_12_no_room_is_no_way_out(lab):
    """
    A cgroup that is made, or joins by a reload, when there is no room: below one that has a row, or matched by a
    glob itself. It is policed at once, call and packet; with no daemon; and what its sockets learn is theirs.
    """
    policing.far(lab)
    policing.resolver(lab, policing.zone(good='10.55.0.1'))
    late = lab.node.sub_cgroup('late/in')
    daemon = policing.start(lab, policing.policy(policing.names('good.policed.test') + policing.DNS_ANY),
                            endpoints=[('bots', 'bot*', {'app': 'bot'})])
    lab.node.sub_cgroup('bot-old')

    def tries():
        return [policing.tcp('10.55.1.1'), policing.udp('10.55.1.1'), raw('10.55.1.1')]

    def judged(*names):
        for name in names:
            path = lab.node.sub_cgroup(name)
            assert row_of(daemon, os.stat(path).st_ino) is None, 'no room'
            assert inside(lab, tries, cgroup=name) == ['EPERM'] * 3, name
            assert inside(lab, policing.ask, lab.outside.ip4, 'good.policed.test', cgroup=name) == ['10.55.0.1']
            assert inside(lab, policing.tcp, '10.55.0.1', cgroup=name) == 'ok'

    with Servers(lab.outside):
        assert inside(lab, tries, cgroup='late') == ['ok'] * 3
        fakes = fill(daemon)
        assert len(fakes) == MEMBERS - 1
        judged('bot-old/in/deeper', 'bot-new', 'bot-new/in')
        assert inside(lab, tries, cgroup='late') == ['ok'] * 3, 'nobody else is'
        daemon.conf['endpoints'].append({'name': 'late', 'cgroup': f'{lab.node.cgroup}/late', 'labels': {'app': 'bot'}})
        reload_ok(daemon)
        judged('late', 'late/in')
        daemon.kill9()
        judged('bot-newer', 'bot-newer/in', 'bot-old/in/newer')
        daemon.start()
        judged('bot-newer/in')
        assert daemon.counter('endpoint_cgroups_unknown') == 0
        for fake in fakes[:10]:
            assert delete_row(daemon, fake) == 0
        wait_until(lambda: not daemon.status()['degraded'], 120, lambda: daemon.status()['degraded'])
        assert endpoint_of(daemon, late) == 'late'
        gone = os.stat(f'{lab.node.cgroup}/bot-new').st_ino
        assert row_of(daemon, gone, 'snp_spare') is None, 'it has moved to where there is room'
        assert inside(lab, tries, cgroup='bot-new/in') == ['EPERM'] * 3


def test_3_12_globs_that_take_too_long(lab):
    """Backtracking over all of a long name, glob after glob, until the kernel gives up."""
    slow = [(f'slow{i}', f'*{"a" * 120}{i}') for i in range(10)]
    daemon = start(lab, *slow, ('pods', 'a*'))
    quick, long = lab.node.sub_cgroup('a'), lab.node.sub_cgroup('a' * 250)
    assert endpoint_of(daemon, quick) == 'pods'
    assert daemon.counter('endpoint_cgroups_missed') == daemon.counter('endpoint_cgroups_unknown') == 1
    wait_until(lambda: endpoint_of(daemon, long) == 'pods', 120, what='the daemon takes its time')
    wait_until(lambda: not daemon.status()['degraded'], 120, 'nothing is missing')
    assert endpoint_of(daemon, lab.node.sub_cgroup(f'{"a" * 250}/below')) == 'pods', 'parents are quick'


def test_3_12_as_many_endpoints_as_there_can_be(lab):
    daemon = start(lab, *[(f'e{i}', f'pod-{i}') for i in range(PLACES)])
    last = lab.node.sub_cgroup('pod-4094')
    assert endpoint_of(daemon, last) == 'e4094'
    assert len(daemon.status()['endpoints']) == PLACES
    daemon.conf['endpoints'] = endpoints(lab, ('one-more', 'pod-*'))
    daemon.write_conf()
    done = daemon.ctl('reload')
    assert done.returncode == 1 and 'reload without the old ones first' in done.stdout + done.stderr
    assert endpoint_of(daemon, last) == 'e4094', 'what was stays'
    for wanted in [('e7', 'x')], [('one-more', 'pod-*'), ('e7', 'x')]:
        daemon.conf['endpoints'] = endpoints(lab, *wanted)
        reload_ok(daemon)
    assert endpoint_of(daemon, last) == 'one-more'


def give_away(sock):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        socket.send_fds(sock, [b'x'], [s.fileno()])


def test_3_12_a_place_given_again_knows_nothing_of_who_had_it(lab):
    """More endpoints over time than there is room for: learned addresses, counts and sockets stay their owner's."""
    policing.far(lab)
    policing.resolver(lab, policing.zone(good='10.55.0.1'))
    old, new, other = [(name, name, {'app': 'bot'}) for name in ('old', 'new', 'other')]
    daemon = policing.start(lab, policing.policy(policing.names('good.policed.test') + policing.DNS_ANY),
                            endpoints=[old, other])
    lab.node.sub_cgroup('new')
    number = next(n for n, name in numbers_of(daemon).items() if name == 'old')
    assert write_names(daemon, range(3, PLACES + 1)) == PLACES - 2

    def configure(*wanted):
        daemon.conf['endpoints'] = [{'name': n, 'cgroup': f'{lab.node.cgroup}/{glob}', 'labels': labels}
                                    for n, glob, labels in [*wanted, other]]
        reload_ok(daemon)

    ours, theirs = socket.socketpair()
    with Servers(lab.outside), contextlib.ExitStack() as stack:
        stack.enter_context(ours)
        stack.enter_context(theirs)
        assert inside(lab, policing.ask, lab.outside.ip4, 'good.policed.test', cgroup='old') == ['10.55.0.1']
        assert inside(lab, policing.tcp, '10.55.0.1', cgroup='old') == 'ok'
        inside(lab, give_away, theirs, cgroup='old')  # out of every process's hands, and of the audit's sight
        configure()
        assert inside(lab, policing.tcp, '10.55.1.1', cgroup='old') == 'ok', 'of no endpoint'
        configure(old)
        assert inside(lab, policing.tcp, '10.55.0.1', cgroup='old') == 'ok', 'what it had learned is still there'
        configure()
        configure(new)
        names = {name: n for n, name in numbers_of(daemon).items()}
        assert names['new'] % (PLACES + 1) == number % (PLACES + 1) and names['new'] != number
        assert 'old' not in names
        status = daemon.status()
        assert status['verdicts'] == {}
        assert inside(lab, policing.tcp, '10.55.0.1', cgroup='new') == 'EPERM', 'it has not asked'
        assert daemon.status()['verdicts'] == {'new': {'deny-no-name': 1}}
        _, fds, _, _ = socket.recv_fds(ours, 1, 1)
        with socket.socket(fileno=fds[0]) as kept:
            assert outcome(kept.sendto, b'hello', ('10.55.1.1', 443)) == 5, "its cgroup is nobody's now"
        assert inside(lab, policing.ask, lab.outside.ip4, 'good.policed.test', cgroup='new') == ['10.55.0.1']
        assert inside(lab, policing.tcp, '10.55.0.1', cgroup='new') == 'ok'
        assert daemon.status()['verdicts'] == {'new': {'deny-no-name': 1, 'name': 1}}

# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 3.8: whatever way a flow begins, policy decides, and who is refused knows at once."""
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

import judging
import rawip
from judging import PINGS, WAYS, mapped, netstat, outcome, refusals, try_all, verdicts
from policing import DNS_ANY, Servers, ask, far, inside, names, policy, resolver, start, zone
from snoplab import ip, wait_until

WEB4, WEB6, EVIL4, EVIL6 = '10.55.0.1', 'fd55::1', '10.55.9.9', 'fd55::99'


def sysctl(host, **values):
    with host.inside():
        for name, value in values.items():
            with open(f'/proc/sys/net/{name.replace("__", "/")}', 'w') as f:
                f.write(str(value))


@pytest.fixture
def world(lab):
    far(lab)
    resolver(lab, zone(web=[WEB4, WEB6]))
    # Fast open without cookies, so that the first SYN has data; and pings by anybody.
    sysctl(lab.outside, ipv4__tcp_fastopen=0x607)
    sysctl(lab.node, ipv4__tcp_fastopen=0x5, ipv4__ping_group_range='0 2147483647')
    with Servers(lab.outside) as servers:
        lab.servers = servers
        yield lab


def resolve_then(server, function, *args):
    assert ask(server, 'web.policed.test') == [WEB4] and ask(server, 'web.policed.test', 28) == [WEB6]
    return function(*args)


def test_3_8_every_way_to_begin_a_flow(world):
    start(world, policy(names('*.policed.test') + DNS_ANY))
    every = inside(world, resolve_then, world.outside.ip4, try_all, WAYS,
                   [WEB4, WEB6, mapped(WEB4), EVIL4, EVIL6, mapped(EVIL4)], deadline=60)
    assert every == {way: ['ok'] * 3 + ['EPERM'] * 3 for way in every}
    pings = inside(world, resolve_then, world.outside.ip4, try_all, PINGS, [WEB4, WEB6, EVIL4, EVIL6])
    # Linux does not tell the sender what became of an ICMPv6 echo by a socket without a peer.
    assert pings == {way: ['ok', 'ok', 'EPERM', 'timeout' if way == 'ping' else 'EPERM'] for way in pings}


def test_3_8_a_first_segment_with_data(world):
    """Fast open: what the SYN carries is held back with it."""
    start(world, policy(names('*.policed.test') + DNS_ANY))

    def fast(server):
        first = netstat('TcpExtTCPFastOpenActive')
        went = resolve_then(server, judging.way_fastopen_send, WEB4)
        return went, netstat('TcpExtTCPFastOpenActive') != first, outcome(judging.way_fastopen_send, EVIL4)

    assert inside(world, fast, world.outside.ip4) == ('ok', True, 'EPERM')


def test_3_8_raw_packets_with_headers_of_their_own(world):
    start(world, policy(names('*.policed.test', ports=[('443', 'ANY')]) + DNS_ANY))
    source4, source6 = world.node.ip4, world.node.ip6

    def packets(to4, to6, port=443):
        datagram = rawip.udp(source4, 40000, to4, port, b'raw')
        return {
            'udp': judging.ipv4(source4, to4, 17, datagram),
            'tcp': judging.ipv4(source4, to4, 6, judging.tcp_syn(source4, to4, port)),
            'udp6': rawip.ipv6(source6, to6, rawip.udp(source6, 40000, to6, port, b'raw')),
            'first fragment': judging.ipv4(source4, to4, 17, datagram[:8], rawip.IP_MF),
            'later fragment': judging.ipv4(source4, to4, 17, b'8 bytes.', 1),
            'tiny first fragment': judging.ipv4(source4, to4, 6, b'8 bytes.', rawip.IP_MF),
            'unknown protocol': judging.ipv4(source4, to4, 253, b'what'),
        }

    def send_all(all_packets):
        return {name: outcome(judging.send_raw, packet) for name, packet in all_packets.items()}

    may = inside(world, resolve_then, world.outside.ip4, send_all, packets(WEB4, WEB6))
    assert may == {'udp': 'ok', 'tcp': 'ok', 'udp6': 'ok', 'first fragment': 'ok', 'later fragment': 'EPERM',
                   'tiny first fragment': 'EPERM', 'unknown protocol': 'EPERM'}, 'no ports, no decision on ports'
    for to in (EVIL4, EVIL6, 443), (WEB4, WEB6, 80):
        refused = inside(world, send_all, packets(*to))
        assert set(refused.values()) == {'EPERM'}, (to, refused)


def test_3_8_fragments_where_every_port_is_allowed(world):
    start(world, policy(names('*.policed.test') + DNS_ANY))
    later = judging.ipv4(world.node.ip4, WEB4, 17, b'8 bytes.', 1)
    assert inside(world, resolve_then, world.outside.ip4, outcome, judging.send_raw, later) == 'ok'


def test_3_8_a_raw_question_is_a_question(world):
    """Neither do names that may not be asked leave in packets of somebody's own making."""
    import dnswire
    cidr = f'  - toCIDR: ["{world.outside.ip4}/32"]\n'
    dns = DNS_ANY.replace('"*"', '"web.policed.test"')
    start(world, policy(cidr + dns))

    def question(name):
        body = rawip.udp(world.node.ip4, 40000, world.outside.ip4, 53, dnswire.query(7, name))
        return judging.ipv4(world.node.ip4, world.outside.ip4, 17, body)

    def over_tcp():
        return judging.ipv4(world.node.ip4, world.outside.ip4, 6, judging.tcp_syn(
            world.node.ip4, world.outside.ip4, 53))

    assert inside(world, outcome, judging.send_raw, question('web.policed.test')) == 'ok'
    assert inside(world, outcome, judging.send_raw, question('other.policed.test')) == 'EPERM'
    assert inside(world, outcome, judging.send_raw, over_tcp()) == 'EPERM'


def test_3_8_refusals_are_counted_by_endpoint_and_reason(world):
    daemon = start(world, policy(names('*.policed.test', ports=[('443', 'TCP')]) + DNS_ANY
                                 + '  egressDeny:\n  - toCIDR: ["10.55.7.0/24"]\n'),
                   endpoints=(('bot', 'bot', {'app': 'bot'}), ('two', 'two', {'app': 'bot'})))

    def begin(server):
        resolve_then(server, str)
        ways = ((judging.way_tcp, EVIL4), (judging.way_udp, EVIL4), (judging.way_tcp, WEB4, 80),
                (judging.way_ping, EVIL4), (judging.way_udp_connected, EVIL6), (judging.way_tcp, '10.55.7.1'))
        return [outcome(*way) for way in ways]

    assert inside(world, begin, world.outside.ip4) == ['EPERM'] * 6
    assert refusals(daemon) == {'deny-no-name': 4, 'deny-port': 1, 'deny-cidr': 1}
    assert inside(world, outcome, judging.way_tcp, WEB4, cgroup='two') == 'EPERM'
    counted = verdicts(daemon)
    by_endpoint = {}
    for (endpoint, verdict), n in counted.items():
        if verdict.startswith('deny-'):
            by_endpoint[endpoint] = by_endpoint.get(endpoint, 0) + n
    assert sorted(by_endpoint.values()) == [1, 6]


def test_3_8_sockets_made_before_enforcement(world):
    """What is connected goes on; a socket that is only there begins its flows under policy."""
    daemon = start(world, policy(names('*.policed.test') + DNS_ANY), mode='observe')

    def before():
        streaming = socket.create_connection((EVIL4, 443), 5)
        idle = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        yield 'made'
        streaming.sendall(b'hello')
        yield outcome(judging.echoed, streaming)
        yield [outcome(idle.connect, (EVIL4, 443)), outcome(datagrams.sendto, b'hello', (EVIL4, 443)),
               outcome(raw.sendto, judging._echo_request(EVIL4), (EVIL4, 0))]

    with world.node.steps(before, cgroup=f'{world.node.cgroup}/bot') as app:
        assert app.next() == 'made'
        daemon.conf['policy']['mode'] = 'enforce'
        daemon.write_conf()
        done = daemon.ctl('reload')
        assert done.returncode == 0, done.stdout + done.stderr
        assert app.next() == 'ok'
        assert app.next() == ['EPERM'] * 3


def serve_mptcp():
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, judging.IPPROTO_MPTCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(('0.0.0.0', 4443))
        listener.listen()
        yield 'listens'
        s = listener.accept()[0]
        while True:
            yield netstat('MPTcpExtMPJoinSynRx')['MPTcpExtMPJoinSynRx'], s.send(b'x')


def stay_connected():
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, judging.IPPROTO_MPTCP) as s:
        s.connect((WEB4, 4443))
        s.sendall(b'hello')
        while True:
            yield len(s.recv(1)) and netstat('MPTcpExtAddAddr')['MPTcpExtAddAddr']


@pytest.mark.parametrize('more, joined', [('10.55.0.2', 1), (EVIL4, 0)])
def test_3_8_what_a_peer_adds_to_a_connection(world, more, joined):
    """MPTCP: the kernel begins another subflow, to an address that the server names. It is judged like any."""
    ip('mptcp limits set subflow 2 add_addr_accepted 2', netns=world.node.netns)
    ip('mptcp limits set subflow 2', f'mptcp endpoint add {more} signal', netns=world.outside.netns)
    daemon = start(world, policy(names('*.policed.test') + '  - toCIDR: ["10.55.0.0/30"]\n' + DNS_ANY))
    with world.outside.steps(serve_mptcp) as server, \
            world.node.steps(stay_connected, cgroup=f'{world.node.cgroup}/bot') as app:
        assert server.next() == 'listens'
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(app.next)
            server.next()
            first.result()
        wait_until(lambda: server.next() and app.next() == 1, what='the address was named')
        wait_until(lambda: server.next()[0] if joined else refusals(daemon), what='the subflow began')
        assert server.next()[0] == joined
    assert refusals(daemon) == ({} if joined else {'deny-no-name': 1})

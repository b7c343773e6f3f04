# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 2.13, A26: who asks past us, encrypted or by a resolver of its own, resolves what it likes, and teaches nothing."""
import pytest

from certs import Authority
from daemon import Snooperd
from servers import dnsmasq, unbound
from snoplab import PATIENCE, ip

ZONE = {'past.test': '* A 192.0.2.26\n* AAAA 2001:db8::26\n'}
ADDRESS = '192.0.2.26'
STRANGER = '10.53.0.20'


def learned(snooperd):
    """What was learned, and what the kernel even took for answers of a resolver."""
    kernel = snooperd.status()['kernel']
    return snooperd.names(), kernel['answers_learned'], kernel['answers_parsed'], kernel['counters']['facts_new']


NOTHING = {}, 0, 0, 0


@pytest.fixture
def resolver(lab):
    """The trusted resolver, which also speaks DoT and DoH: it is not its address that makes the difference."""
    certificate, key = Authority(f'{lab.dir}/ca').sign('resolver')
    at = [lab.outside.ip4, lab.outside.ip6]
    tls = ''.join(f' interface: {a}@853\n interface: {a}@443\n interface: {a}@5353\n' for a in at)
    unbound(lab.outside, at, ZONE,
            f'{tls} tls-service-key: "{key}"\n tls-service-pem: "{certificate}"\n tls-port: 853\n'
            ' https-port: 443\n http-endpoint: "/dns-query"\n').start()
    return at


def kdig(lab, server, name, *options):
    return lab.node.run('kdig', f'@{server}', '+short', '+retry=1', f'+time={5 * PATIENCE}', *options, name, 'A')


@pytest.mark.parametrize('how, options', [
    ('DoT', ['+tls']), ('DoH', ['+https=/dns-query']), ('DoH by GET', ['+https=/dns-query', '+https-get']),
    ('another port', ['-p', '5353'])], ids=lambda v: v if isinstance(v, str) else '')
def test_2_13_a26_encrypted_or_on_another_port_teaches_nothing(lab, resolver, how, options):
    snooperd = Snooperd(lab).start()
    for i, server in enumerate(resolver):
        done = kdig(lab, server, f'n{i}.past.test', *options)
        assert (done.returncode, done.stdout.split()) == (0, [ADDRESS]), done.stdout + done.stderr
    assert learned(snooperd) == NOTHING
    # The same resolver asked as everybody does teaches: it was not deaf.
    assert lab.node.dig('plain.past.test', 'A', resolver[0]) == [ADDRESS]
    assert set(snooperd.wait_for('plain.past.test')) == {'plain.past.test'}


def test_2_13_a26_own_resolver_teaches_nothing(lab):
    """A pod with a resolver of its own, on a loopback address that is trusted elsewhere, which asks whom it likes."""
    lab.outside.add_addresses(f'{STRANGER}/24')
    unbound(lab.outside, [STRANGER], ZONE).start()
    snooperd = Snooperd(lab, {'observe': {'resolvers': [lab.outside.ip4, '127.0.0.1', '::1']}}).start()
    pod = lab.add_host('pod')
    dnsmasq(pod, ['127.0.0.1', '::1'], [STRANGER]).start()
    before = snooperd.status()['kernel']['refused']
    for server in '127.0.0.1', '::1':
        assert pod.dig(f'{"v6" if ":" in server else "v4"}.past.test', 'A', server) == [ADDRESS]
    assert learned(snooperd) == NOTHING
    after = snooperd.status()
    refused = {reason: n - before[reason] for reason, n in after['kernel']['refused'].items() if n != before[reason]}
    # What the pod's client was told by its own resolver, and what that was told by the stranger.
    assert refused['untrusted_netns'] >= 2 and refused['untrusted_server'] >= 2, refused
    assert STRANGER in [s['address'] for s in after['untrusted_servers']]


def test_2_13_a26_own_stub_at_the_address_of_the_hosts_teaches_nothing(lab):
    """A pod that answers itself at the loopback address which the host's stub has, and which is trusted there."""
    unbound(lab.outside, [lab.outside.ip4], ZONE).start()
    snooperd = Snooperd(lab, {'observe': {'resolvers': [lab.outside.ip4, '127.0.0.53']}}).start()
    pod = lab.add_host('pod')
    ip('address add 127.0.0.53/8 dev lo', netns=pod.netns)
    unbound(pod, ['127.0.0.53'], {'bank.test': '* A 192.0.2.66\n'}).start()
    assert pod.dig('www.bank.test', 'A', '127.0.0.53') == ['192.0.2.66']
    assert learned(snooperd) == NOTHING
    assert snooperd.refused('untrusted_netns') >= 1

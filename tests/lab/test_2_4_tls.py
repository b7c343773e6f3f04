# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 2.4: gRPC over TCP, TLS 1.3 with certificates both ways."""
import json
import re
import shutil
import signal
import socket
import ssl

import pytest

import dnswire as w
from certs import Authority
from daemon import Snooperd
from servers import Scripted, ask
from snoplab import HERE, PATIENCE, Lab, Program, ip, wait_until

PORT = 9954
PREFACE = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])


class Site:
    """A snooperd with certificates, and clients of it on another host."""

    def __init__(self, lab):
        self.lab = lab
        self.ca = Authority(f'{lab.dir}/ca')
        self.node = self.ca.sign('node')
        self.client = self.ca.sign('client')
        self.snooperd = Snooperd(lab, {'export': {
            'listen': f'[::]:{PORT}',
            'tls': {'ca': self.ca.file, 'certificate': self.node[0], 'key': self.node[1],
                    'admins': ['ops team']}}}).start()

    def grpc(self, path, pair=None, at=None):
        """A real gRPC client on the outside host."""
        return self.lab.outside.run('/usr/bin/python3', f'{HERE}/grpc_client.py', '--tls',
                                    self.ca.file, *(pair or self.client),
                                    at or f'{self.lab.node.ip4}:{PORT}', path)

    def refused(self, detail):
        """Audit lines of failed handshakes that say so."""
        return [line for line in self.snooperd.output().splitlines()
                if 'event=export-refused reason=tls_failed' in line and detail in line
                and 'peer="10.53.0.1:' in line]


@pytest.fixture(scope='module')
def lab(run):
    with Lab(run) as made:
        yield made


@pytest.fixture(scope='module')
def site(lab):
    return Site(lab)


def handshake(address, ca, pair, version=ssl.TLSVersion.TLSv1_3, alpn=('h2',)):
    """What comes back after a handshake and a preface: bytes, or the name of the failure."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(ca)
    context.minimum_version = context.maximum_version = version
    if alpn:
        context.set_alpn_protocols(alpn)
    if pair:
        context.load_cert_chain(*pair)
    with socket.create_connection(address, timeout=20 * PATIENCE) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=address[0]) as sock:
                sock.sendall(PREFACE)
                return sock.recv(9)
        except (ssl.SSLError, ConnectionError) as error:
            return getattr(error, 'reason', None) or type(error).__name__


def plain_text(address):
    with socket.create_connection(address, timeout=20 * PATIENCE) as sock:
        sock.sendall(PREFACE)
        try:
            return sock.recv(4096)
        except ConnectionError:
            return b''


def try_out(site, *args, **options):
    return site.lab.outside.call(lambda: handshake((site.lab.node.ip4, PORT), *args, **options))


def test_2_4_tls_right_certificate_reads(site):
    for at in f'{site.lab.node.ip4}:{PORT}', f'[{site.lab.node.ip6}]:{PORT}':
        done = site.grpc('snooper.v1.Status/Get', at=at)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)['version'] == site.snooperd.status()['version']
    assert site.grpc('snooper.v1.Names/List').returncode == 0


def test_2_4_tls_reading_and_changing_are_separate_rights(site):
    denied = site.grpc('snooper.v1.Control/Reload')
    assert denied.returncode == 1 and denied.stderr.startswith('PERMISSION_DENIED')
    assert 'reason=denied' in site.snooperd.output() and '/snooper.v1.Control/Reload' in \
        site.snooperd.output()
    ops = site.ca.sign('ops', subject='/CN=ops team')
    allowed = site.grpc('snooper.v1.Control/Reload', ops)
    assert allowed.returncode == 0, allowed.stderr
    # Two common names could mean either; one that merely begins alike means another.
    for i, subject in enumerate(['/CN=ops team/CN=x', '/CN=x/CN=ops team', '/CN=ops teams',
                                 '/O=ops team']):
        other = site.ca.sign(f'other{i}', subject=subject)
        assert site.grpc('snooper.v1.Control/Reload', other).stderr \
            .startswith('PERMISSION_DENIED'), subject
        assert site.grpc('snooper.v1.Status/Get', other).returncode == 0, subject


def test_2_4_tls_right_handshake_gets_http2(site):
    settings = try_out(site, site.ca.file, site.client)
    assert len(settings) == 9 and settings[3] == 4, settings


@pytest.mark.parametrize('what', ['none', 'other-ca', 'expired', 'server-only', 'self-signed'])
def test_2_13_a28_certificate_that_is_not_good_is_refused(site, what):
    other = Authority(f'{site.lab.dir}/{what}')
    pair, said = {
        'none': lambda: (None, 'peer did not return a certificate'),
        'other-ca': lambda: (other.sign('client'), 'certificate: '),
        'expired': lambda: (site.ca.sign('late', days=-1), 'certificate has expired'),
        'server-only': lambda: (site.ca.sign('server', usage='serverAuth'), 'certificate: '),
        'self-signed': lambda: ((other.file, other.key), 'certificate: '),
    }[what]()
    before = len(site.refused(said))
    answer = try_out(site, site.ca.file, pair)
    assert isinstance(answer, str), answer  # an alert, or the connection's end on top of it
    wait_until(lambda: len(site.refused(said)) > before, 10, site.snooperd.output)


@pytest.mark.parametrize('what,options', [
    ('tls-1.2', {'version': ssl.TLSVersion.TLSv1_2}), ('http1', {'alpn': ('http/1.1',)}),
    ('no-alpn', {'alpn': None})])
def test_2_13_a28_other_protocols_are_refused(site, what, options):
    answer = try_out(site, site.ca.file, site.client, **options)
    # Without ALPN the handshake is good and its end immediate: not a byte of HTTP/2.
    assert answer == b'' if what == 'no-alpn' and isinstance(answer, bytes) else \
        isinstance(answer, str), answer


def test_2_13_a28_plain_text_gets_no_http2(site):
    before = len(site.refused('handshake'))
    got = site.lab.outside.call(plain_text, (site.lab.node.ip4, PORT))
    assert b'HTTP' not in got and len(got) <= 7 and got[:1] in (b'', b'\x15'), got
    wait_until(lambda: len(site.refused('handshake')) > before, 10, site.snooperd.output)


def test_2_13_a28_mute_client_is_hung_up_on(site):
    def mute():
        with socket.create_connection((site.lab.node.ip4, PORT), timeout=30 * PATIENCE) as sock:
            return sock.recv(1)
    assert site.lab.outside.call(mute, deadline=30) == b''
    assert 'reason=tls_timeout' in site.snooperd.output()


def test_2_13_a28_crowd_of_one_address_leaves_places(site):
    """More connections than an address may have are turned away; the socket has its own places."""
    def crowd():
        socks = [socket.create_connection((site.lab.node.ip4, PORT), timeout=20 * PATIENCE)
                 for _ in range(60)]
        closed = sum(1 for sock in socks[40:] if sock.recv(1) == b'')
        yield closed
        yield len(socks)
    with site.lab.outside.steps(crowd) as steps:
        assert steps.next() == 20
        assert site.snooperd.status()['version']
        assert 'reason=conns_per_peer peer="10.53.0.1:' in site.snooperd.output()
        client = site.lab.node.run(
            '/usr/bin/python3', f'{HERE}/grpc_client.py', '--tls', site.ca.file, *site.client,
            f'{site.lab.node.ip4}:{PORT}', 'snooper.v1.Status/Get')
        assert client.returncode == 0, client.stderr


def reload(site, event):
    before = site.snooperd.output().count(event)
    site.snooperd.signal(signal.SIGHUP)
    wait_until(lambda: site.snooperd.output().count(event) > before, 10, site.snooperd.output)


def test_2_4_tls_reload_swaps_certificates_and_keeps_them_when_bad(site):
    before = site.grpc('snooper.v1.Status/Get')
    assert before.returncode == 0, before.stderr
    kept = f'{site.lab.dir}/kept.pem'
    shutil.copy(site.ca.file, kept)
    # A file that is no certificate: all stays as it was.
    with open(site.ca.file, 'w') as f:
        f.write('no certificate\n')
    reload(site, 'event=reload-refused')
    assert 'event=export-tls-failed' in site.snooperd.output()
    shutil.copy(kept, site.ca.file)
    assert site.grpc('snooper.v1.Status/Get').returncode == 0
    # Another authority in the same place: its clients come in, the others do not.
    new = Authority(f'{site.lab.dir}/new')
    shutil.copy(new.file, site.ca.file)
    for old, fresh in zip(site.node, new.sign('node')):
        shutil.copy(fresh, old)
    reload(site, 'event=reloaded')
    assert site.grpc('snooper.v1.Status/Get', new.sign('client')).returncode == 0
    assert site.grpc('snooper.v1.Status/Get').returncode == 1


# A watch by a gRPC library, for as long as it goes on: a line an event.
WATCH = f'''import sys
sys.path.insert(0, {HERE!r})
from grpc_client import Client
with Client(sys.argv[1], timeout=None, tls=sys.argv[2:]) as client:
    for reply in client.stream('snooper.v1.Names/Watch', b''):
        reply = client.classes['snooper.v1.WatchReply'].FromString(reply)
        print(reply.WhichOneof('event'), reply.name.name, flush=True)
'''


@pytest.fixture
def watched(run):
    """A site of its own, and a watch on it from another host."""
    with Lab(run) as lab:
        site = Site(lab)
        watch = Program(lab.outside, ['/usr/bin/python3', '-c', WATCH, f'{lab.node.ip4}:{PORT}',
                                      site.ca.file, *site.client], 'watch').start()
        wait_until(lambda: 'synced' in watch.output(), 20, watch.output)
        yield site, watch


def learn(site, name):
    def answer(query):
        return [w.answer(query, [w.a(w.QNAME, '192.0.2.4')])]
    with Scripted(site.lab.outside, site.lab.outside.ip4, answer) as server:
        assert len(site.lab.node.call(ask, server.address, [w.query(1, name)])) == 1


def test_2_4_tls_reload_closes_nothing_that_is_open(watched):
    """Another authority: who came by the old one stays, and is told what is learned after; nobody new comes by it."""
    site, watch = watched
    new = Authority(f'{site.lab.dir}/new')
    shutil.copy(new.file, site.ca.file)
    for old, fresh in zip(site.node, new.sign('node')):
        shutil.copy(fresh, old)
    reload(site, 'event=reloaded')
    assert site.grpc('snooper.v1.Status/Get').returncode == 1
    assert site.grpc('snooper.v1.Status/Get', new.sign('client')).returncode == 0
    learn(site, 'after.reload.test')
    wait_until(lambda: 'name after.reload.test' in watch.output(), 20, watch.output)
    assert site.snooperd.status()['export']['watches'] == 1


def timers(site):
    """The timer of each connection to us, as ss(8) shows it."""
    out = site.lab.node.run('ss', '-tnoH', 'state', 'established', 'sport', '=', f':{PORT}').stdout
    return [re.search(r'timer:\((\w+),(\w+),(\d+)\)', line) for line in out.splitlines()]


def seconds(text):
    """As ss(8) writes a time: 12sec, 1min23sec, 750ms."""
    minutes, rest = re.fullmatch(r'(?:(\d+)min)?(?:(\d+)sec)?(?:[\d.]+(?:ms)?)?', text).groups()
    return 60 * int(minutes or 0) + int(rest or 0)


def test_2_4_quiet_watch_is_kept_alive(watched):
    """Nothing is said on it: the kernel asks its host for a sign of life within the minute."""
    site, _ = watched
    wait_until(lambda: [t and t[1] for t in timers(site)] == ['keepalive'], what=lambda: timers(site))
    assert seconds(timers(site)[0][2]) <= 60


@pytest.mark.long
def test_2_4_watch_of_a_host_that_died_ends(watched):
    """No FIN, no RST, nothing: it is given up after two minutes of silence."""
    site, _ = watched
    assert site.snooperd.status()['export']['watches'] == 1
    ip('link set br0 down', netns=site.lab.outside.netns)
    wait_until(lambda: site.snooperd.status()['export']['watches'] == 0, 180, 'the watch is given up')
    assert timers(site) == []


def test_2_4_tls_unusable_files_stop_the_start(lab):
    ca = Authority(f'{lab.dir}/start')
    certificate, key = ca.sign('node')
    _, wrong = ca.sign('wrong')
    for i, (files, code, said) in enumerate([
            ((ca.file, certificate, wrong), 1, 'event=export-tls-failed key=export.tls reason='),
            ((certificate, ca.key, key), 1, 'event=export-tls-failed key=export.tls reason='),
            ((f'{lab.dir}/absent', certificate, key), 2,
             'error: export.tls.ca: the file cannot be read: No such file or directory')]):
        snooperd = Snooperd(lab, {'export': {
            'listen': f'{lab.node.ip4}:9955',
            'tls': dict(zip(('ca', 'certificate', 'key'), files))}}, name=f'start{i}')
        done = snooperd.once()
        assert done.returncode == code and said in done.stderr, done.stderr
        snooperd.once('--uninstall')

# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Name servers on the hosts of a lab: unbound, BIND, dnsmasq, and a scripted one.

The real ones are unpacked below build/servers (scripts/fetch-servers.sh), never
installed. Each serves names of ours below test. and nothing else, for there is no
world outside the lab: {'example.test': 'www A 192.0.2.1\\n...'}.
"""
import glob
import os
import select
import socket
import struct
import threading

import dnswire
from snoplab import PATIENCE, Program, TOP, wait_until

UNPACKED = f'{TOP}/build/servers'
SOA = '$TTL 300\n@ SOA ns.invalid. host.invalid. 1 3600 600 86400 60\n@ NS ns.invalid.\n'


def _environment():
    found = [d for top in ('usr/lib', 'lib') for below in ('', '/systemd')
             for d in glob.glob(f'{UNPACKED}/{top}/*-linux-gnu{below}')]
    assert found, 'no name servers: run scripts/fetch-servers.sh'
    return dict(os.environ, LD_LIBRARY_PATH=':'.join(found))


class Server(Program):
    """A name server. start() returns when every address of it answers."""

    def __init__(self, host, name, addresses, arguments, cgroup=None):
        super().__init__(host, [f'{UNPACKED}/usr/sbin/{name}', *arguments], name, cgroup,
                         env=_environment(), cwd=host.dir)
        self.addresses = addresses

    def start(self):
        super().start()
        for address in self.addresses:
            wait_until(lambda: self.answers(address), what=f'{self.name} answers on {address}')
        return self

    def answers(self, address):
        assert self.is_running(), f'{self.name} ended:\n{self.output()}'
        with self.host.inside():
            sock = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET,
                                 socket.SOCK_DGRAM)
        with sock:
            try:
                sock.connect((address, 53))
                sock.send(dnswire.query(1, 'ready.invalid'))
                return bool(select.select([sock], [], [], 0.05 * PATIENCE)[0] and sock.recv(512))
            except OSError:
                return False  # nobody there yet


def _zone_file(host, name, zones):
    """One zone, test., with all of them: so CNAMEs lead from one to the other."""
    path = f'{host.dir}/{name}.zone'
    with open(path, 'w') as f:
        f.write(f'$ORIGIN test.\n{SOA}')
        for origin, text in zones.items():
            assert origin.endswith('.test')
            f.write(f'$ORIGIN {origin}.\n$TTL 300\n{text}\n')
    return path


def unbound(host, addresses, zones, extra='', cgroup=None):
    """unbound as an authority for zones; what it does not know is REFUSED."""
    conf = f'{host.dir}/unbound-{addresses[0]}.conf'
    with open(conf, 'w') as f:
        f.write('server:\n chroot: ""\n username: ""\n pidfile: ""\n use-syslog: no\n'
                ' do-daemonize: no\n num-threads: 1\n access-control: 0.0.0.0/0 allow\n'
                ' access-control: ::/0 allow\n module-config: "iterator"\n'
                ' max-udp-size: 65535\n edns-buffer-size: 65535\n'
                ' local-zone: "test." transparent\n local-zone: "invalid." static\n'
                f' directory: "{host.dir}"\n')
        f.writelines(f' interface: {address}\n' for address in addresses)
        f.write(extra)
        f.write('remote-control:\n control-enable: no\n')
        path = _zone_file(host, f'unbound-{addresses[0]}', zones)
        f.write(f'auth-zone:\n name: "test"\n zonefile: "{path}"\n'
                ' for-downstream: yes\n for-upstream: no\n fallback-enabled: no\n')
    return Server(host, 'unbound', addresses, ['-d', '-c', conf], cgroup)


def bind9(host, addresses, zones, cgroup=None):
    conf = f'{host.dir}/named-{addresses[0]}.conf'
    ip4 = [a for a in addresses if ':' not in a] or ['none']
    ip6 = [a for a in addresses if ':' in a] or ['none']
    with open(conf, 'w') as f:
        f.write(f'options {{ directory "{host.dir}"; pid-file none; recursion no;\n'
                f' session-keyfile none; lock-file none; max-udp-size 4096;\n'
                f' listen-on {{ {"; ".join(ip4)}; }}; listen-on-v6 {{ {"; ".join(ip6)}; }};\n'
                ' dnssec-validation no; };\ncontrols { };\n')
        path = _zone_file(host, f'named-{addresses[0]}', zones)
        f.write(f'zone "test" {{ type primary; file "{path}"; }};\n')
    return Server(host, 'named', addresses, ['-g', '-n', '1', '-c', conf], cgroup)


def dnsmasq(host, addresses, upstreams=(), extra=(), cgroup=None, cache_size=1000):
    """dnsmasq as a node's proxy: asks upstreams; extra options without their dashes."""
    arguments = ['--conf-file=/dev/null', '--keep-in-foreground', '--user=root', '--group=root',
                 '--pid-file=', '--no-resolv', '--no-hosts', '--bind-interfaces',
                 f'--cache-size={cache_size}', '--edns-packet-max=4096']
    arguments += [f'--listen-address={a}' for a in addresses]
    arguments += [f'--server={u}' for u in upstreams]
    arguments += ['--local=/invalid/']
    arguments += [f'--{option}' for option in extra]
    return Server(host, 'dnsmasq', addresses, arguments, cgroup)


class Resolved(Server):
    """
    systemd-resolved as a host's stub on 127.0.0.53, asking one upstream. It wants a user and
    directories of its own: in a mount namespace, nothing of the host is touched.
    """

    def __init__(self, host, upstream, cgroup=None):
        super().__init__(host, 'systemd-resolved', ['127.0.0.53'], [], cgroup)
        etc = f'{host.dir}/resolved'
        os.makedirs(f'{etc}/systemd')
        with open('/etc/passwd') as have, open(f'{etc}/passwd', 'w') as f:
            f.write(have.read() + 'systemd-resolve:x:0:0::/:/usr/sbin/nologin\n')
        with open(f'{etc}/systemd/resolved.conf', 'w') as f:
            f.write(f'[Resolve]\nDNS={upstream}\nDomains=~.\nDNSSEC=no\nLLMNR=no\nMulticastDNS=no\n'
                    'Cache=no\n')
        program = f'{UNPACKED}/lib/systemd/systemd-resolved'
        self.argv = ['sh', '-euc', f'mount --bind {etc}/passwd /etc/passwd; '
                     f'mount --bind {etc}/systemd /etc/systemd; mount -t tmpfs none /run; '
                     f'mkdir -p /run/systemd/resolve; exec {program}']


class Scripted:
    """
    A UDP server in this process: handler(query) gives the messages to answer
    with, or a test takes queries and answers them when it likes.

        with Scripted(host, address, lambda q: [dnswire.answer(q, [...])]): ...
        s = Scripted(host, address); query, asker = s.take(); s.send(bytes, asker)
    """

    def __init__(self, host, address, handler=None, port=53):
        with host.inside():
            self.sock = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET,
                                      socket.SOCK_DGRAM)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
            self.sock.bind((address, port))
        self.address = address
        self.handler = handler
        self.wake, self.stop = os.pipe()
        self.thread = None
        if handler:
            self.thread = threading.Thread(target=self._serve, daemon=True)
            self.thread.start()

    def _serve(self):
        while self.wake not in select.select([self.sock, self.wake], [], [])[0]:
            query, asker = self.sock.recvfrom(65535)
            for message in self.handler(query):
                self.sock.sendto(message, asker)

    def take(self, deadline=5):
        assert select.select([self.sock], [], [], deadline * PATIENCE)[0], 'no query came'
        return self.sock.recvfrom(65535)

    def send(self, message, asker):
        self.sock.sendto(message, asker)

    def close(self):
        os.close(self.stop)
        if self.thread:
            self.thread.join()
        os.close(self.wake)
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# Clients byte by byte, to be called on a host (host.call): they return what came.

def ask(server, messages, expect=None, deadline=5, connect=True, port=53):
    """
    Send each message from one UDP socket, wait for `expect` datagrams (default:
    one each); [(datagram, sender's address)]. With connect=False by sendto.
    """
    family = socket.AF_INET6 if ':' in server else socket.AF_INET
    expect = len(messages) if expect is None else expect
    came = []
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        if connect:
            sock.connect((server, port))
        for message in messages:
            sock.send(message) if connect else sock.sendto(message, (server, port))
        while len(came) < expect and select.select([sock], [], [], deadline * PATIENCE)[0]:
            data, sender = sock.recvfrom(65535)
            came.append((data, sender[0]))
    return came


def ask_tcp(server, message, deadline=5, port=53):
    """One question over TCP; (answer, the peer's address as the socket tells it)."""
    with socket.create_connection((server, port), deadline * PATIENCE) as sock:
        sock.sendall(struct.pack('>H', len(message)) + message)
        with sock.makefile('rb') as stream:
            size, = struct.unpack('>H', stream.read(2))
            return stream.read(size), sock.getpeername()[0]

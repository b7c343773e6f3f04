# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""An endpoint under policy: zones, servers to connect to, and what a program in it may do."""
import contextlib
import errno
import os
import select
import socket
import struct
import threading

import dns.message
import dns.rdatatype

from daemon import Snooperd
from servers import unbound
from snoplab import ip

IPV6_FREEBIND = 78
# All of these lead to the outside; it listens on every one of them.
FAR4, FAR6 = '10.55.0.0/16', 'fd55::/64'

DNS_ANY = '''
  - toEndpoints:
    - matchLabels: {"k8s:k8s-app": kube-dns}
    toPorts:
    - ports: [{port: "53", protocol: ANY}]
      rules: {dns: [{matchPattern: "*"}]}
'''


def policy(egress, name='p', labels='{app: bot}', rest=''):
    """A CiliumNetworkPolicy with these egress entries (YAML, indented by two)."""
    return (f'apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {{name: {name}}}\n'
            f'spec:\n  endpointSelector:\n    matchLabels: {labels}\n{rest}  egress:\n{egress}')


def names(*patterns, ports=(), kind='matchPattern'):
    """An egress entry: toFQDNs, on ports such as ('443', 'TCP')."""
    text = '  - toFQDNs:\n' + ''.join(f'    - {kind}: "{p}"\n' for p in patterns)
    if ports:
        text += '    toPorts:\n    - ports:\n'
        for port, protocol in ports:
            text += f'      - {{port: "{port}", protocol: {protocol}}}\n'
    return text


class Servers:
    """TCP, UDP and UDP-Lite on some ports of every address of a host; each TCP connection is kept and echoes."""

    def __init__(self, host, ports=(80, 443)):
        self.sockets, self.alive, self.heard = [], True, []
        with host.inside():
            for port in ports:
                for kind, protocol in ((socket.SOCK_STREAM, 0), (socket.SOCK_DGRAM, 0),
                                       (socket.SOCK_DGRAM, socket.IPPROTO_UDPLITE)):
                    s = socket.socket(socket.AF_INET6, kind, protocol)
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
                    s.bind(('::', port))
                    if kind == socket.SOCK_STREAM:
                        s.listen(512)
                    else:
                        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
                        s.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
                    s.setblocking(False)
                    self.sockets.append(s)
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self):
        poll = select.epoll()
        by_fd = {s.fileno(): s for s in self.sockets}
        listening = {s.fileno() for s in self.sockets if s.type == socket.SOCK_STREAM}
        for fd in by_fd:
            poll.register(fd, select.EPOLLIN)
        while self.alive:
            for fd, _ in poll.poll(0.1):
                s = by_fd[fd]
                with contextlib.suppress(OSError):
                    if fd in listening:
                        c = s.accept()[0]
                        c.setblocking(False)
                        by_fd[c.fileno()] = c
                        poll.register(c.fileno(), select.EPOLLIN)
                    elif s.type == socket.SOCK_DGRAM:
                        data, asked, _, who = s.recvmsg(65536, 64)
                        self.heard.append(data)
                        s.sendmsg([data], asked, 0, who)  # from the address that was asked
                    else:
                        data = s.recv(65536)
                        if data:
                            s.send(data)
                        else:
                            poll.unregister(fd)
                            del by_fd[fd]
                            s.close()
        for s in by_fd.values():
            s.close()

    def close(self):
        self.alive = False
        self.thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def zone(**records):
    """{'policed.test': zone text}: label -> addresses or any record text."""
    lines = []
    for label, what in records.items():
        for one in what if isinstance(what, (list, tuple)) else [what]:
            if ' ' in one:
                lines.append(f'{label} {one}')
            else:
                lines.append(f'{label} {"AAAA" if ":" in one else "A"} {one}')
    return {'policed.test': '\n'.join(lines)}


def start(lab, *texts, changes=None, mode='enforce', endpoints=(('bot', 'bot', {'app': 'bot'}),), files=None):
    """snooperd under these policies, and the cgroup of each endpoint made."""
    daemon = Snooperd(lab)
    directory = f'{daemon.dir}/policy.d'
    os.makedirs(directory, exist_ok=True)
    write(daemon, *texts)
    conf = {'policy': {'mode': mode, 'directory': directory},
            'endpoints': [{'name': n, 'cgroup': f'{lab.node.cgroup}/{glob}', 'labels': labels}
                          for n, glob, labels in endpoints]}
    for section, keys in (changes or {}).items():
        conf.setdefault(section, {}).update(keys)
    daemon = Snooperd(lab, conf)
    for _, glob, _ in endpoints:
        if '*' not in glob:
            lab.node.sub_cgroup(glob)
    return daemon.start()


def write(daemon, *texts):
    """These files, in place of all others."""
    directory = f'{daemon.dir}/policy.d'
    for name in os.listdir(directory):
        os.unlink(f'{directory}/{name}')
    for i, text in enumerate(texts):
        with open(f'{directory}/{i}.yaml', 'w') as f:
            f.write(text)


def tcp(address, port=443, payload=b'hello'):
    """Connect and echo: 'ok', or the name of the errno."""
    family = socket.AF_INET6 if ':' in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as s:
        s.settimeout(5)
        try:
            s.connect((address, port))
            s.sendall(payload)
            return 'ok' if s.recv(len(payload)) == payload else 'short'
        except socket.timeout:
            return 'timeout'
        except OSError as e:
            return errno.errorcode[e.errno]


def udp(address, port=443, connect=False, payload=b'hello'):
    family = socket.AF_INET6 if ':' in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        try:
            if connect:
                s.connect((address, port))
                s.send(payload)
            else:
                s.sendto(payload, (address, port))
            return 'ok' if s.recv(65536) == payload else 'other'
        except socket.timeout:
            return 'timeout'
        except OSError as e:
            return errno.errorcode[e.errno]


def ask(server, name, qtype=1, ident=None, over='udp'):
    """Ask as a stub does: the addresses, or the name of the errno."""
    import dnswire
    ident = ident or struct.unpack('H', os.urandom(2))[0]
    message = dnswire.query(ident, dnswire.name(name), qtype)
    family = socket.AF_INET6 if ':' in server else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        try:
            s.connect((server, 53))
            s.send(message)
            data = s.recv(65536)
        except socket.timeout:
            return 'timeout'
        except OSError as e:
            return errno.errorcode[e.errno]
    return addresses_in(data)


def addresses_in(message):
    answer = dns.message.from_wire(message).answer
    return sorted(r.address for rr in answer for r in rr if rr.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA))


def inside(lab, function, *args, cgroup='bot', **options):
    """What the function gives in a process of the endpoint."""
    return lab.node.call(function, *args, cgroup=f'{lab.node.cgroup}/{cgroup}', **options)


def far(lab):
    """Have FAR4 and FAR6 be addresses of the outside."""
    ip(f'route add local {FAR4} dev lo', f'route add local {FAR6} dev lo', netns=lab.outside.netns)
    for host in lab.hosts[1:]:
        ip(f'route add {FAR4} via {lab.outside.ip4}', f'route add {FAR6} via {lab.outside.ip6}',
           netns=host.netns)


def resolver(lab, zones, extra=''):
    return unbound(lab.outside, [lab.outside.ip4, lab.outside.ip6], zones, extra).start()

# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What scripts/demo shows: names being learned, their expiry, and a proxy that dies.

A node with a DNS proxy (dnsmasq) on 127.0.0.1, the resolver behind it (unbound)
on another host, clients that look names up all the time, and snooperd. Half-way
the proxy is killed with -9; later it comes back.
"""
import select
import signal
import socket
import sys
import time

from daemon import Snooperd
from servers import dnsmasq, unbound
from snoplab import Lab, Run

KILL_AT, BACK_AT, END_AT = 18, 31, 40  # seconds
ZONES = {
    'shop.test': '''
$TTL 25
www CNAME edge.cdn.test.
api A 192.0.2.20
api AAAA 2001:db8::20
pay 12 A 192.0.2.30
pay 12 A 192.0.2.31
''',
    'cdn.test': '$TTL 20\nedge A 198.51.100.7\nedge AAAA 2001:db8:7::7\nimg 15 A 198.51.100.9\n',
    'mail.test': '''
$TTL 40
mx A 203.0.113.25
new1 A 203.0.113.1
new2 A 203.0.113.2
new3 A 203.0.113.3
once 14 A 203.0.113.99
''',
}
NAMES = ['www.shop.test', 'api.shop.test', 'pay.shop.test', 'img.cdn.test', 'mx.mail.test']
NEW_NAMES = ['new1.mail.test', 'new2.mail.test', 'new3.mail.test']  # first asked with the proxy dead
ONCE = 'once.mail.test'  # asked once, then left to expire


class Screen:
    """On a terminal the picture is redrawn in place; else it is printed now and then."""

    def __init__(self):
        self.live = sys.stdout.isatty()
        self.events = []
        self.next_print = 1

    def say(self, at, text):
        self.events.append(f'{at:4.0f} s  {text}')
        if not self.live:
            print(self.events[-1], flush=True)

    def draw(self, at, lines):
        if self.live:
            print('\033[H\033[J' + '\n'.join(lines + [''] + self.events), flush=True)
        elif at >= self.next_print:
            print('\n'.join([''] + lines + ['']), flush=True)
            self.next_print += 6


def look_up(name):
    """As any program does; its addresses, or None."""
    try:
        return {ai[4][0] for ai in socket.getaddrinfo(name, 443, type=socket.SOCK_STREAM)}
    except OSError:
        return None


def table(listed):
    """The lines of `snooperctl names`, with time left as a bar: a # is two seconds."""
    lines = [f'  {"name":16} {"address":18} {"expires in":>10}']
    for name in sorted(listed):
        shown = name
        for address in listed[name]['addresses']:
            left = address['expires_in_ms'] / 1000
            lines.append(f'  {shown:16} {address["address"]:18} {left:8.0f} s {"#" * int(left / 2)}')
            shown = ''
        for alias in listed[name]['cnames']:
            lines.append(f'  {shown:16} -> {alias}')
    return lines


def ask_snooperctl(snooperd, *verb):
    return snooperd.ctl(*verb, json_output=False).stdout.rstrip()


def play(lab, screen):
    node, outside = lab.node, lab.outside
    node.resolve_by('127.0.0.1')
    unbound(outside, [outside.ip4, outside.ip6], ZONES).start()

    def start_proxy():
        return dnsmasq(node, ['127.0.0.1'], [outside.ip4], ['max-cache-ttl=1'],
                       cgroup=node.sub_cgroup('proxy')).start()
    proxy = start_proxy()
    snooperd = Snooperd(lab, {
        'observe': {'resolvers': None},
        'proxy': {'addresses': ['127.0.0.1:53'], 'cgroup': node.sub_cgroup('proxy'),
                  'fallback': [f'{outside.ip4}:53'], 'dwell': '1s'},
        'reconcile': {'mode': 'verify'},
        'log': {'level': 'info'}}).start()
    clients = node.sub_cgroup('clients')
    began = time.monotonic()
    asked = failed = 0
    names, state, once, shown = list(NAMES), 'before', 'new', None
    screen.say(0, f'dnsmasq answers on 127.0.0.1 (pid {proxy.pid}), unbound behind it on {outside.ip4}')
    while (now := time.monotonic() - began) < END_AT:
        if state == 'before' and now >= KILL_AT:
            proxy.kill9()
            state, names = 'dead', names + NEW_NAMES
            screen.say(now, f'kill -9 {proxy.pid}: the proxy is dead; three names never asked before follow')
        elif state == 'dead' and now >= BACK_AT:
            proxy, state = start_proxy(), 'back'
            screen.say(now, f'the proxy is back (pid {proxy.pid})')
        # One name a tick, so that each one's time is seen to run down before it is renewed.
        name = names[asked % len(names)] if once != 'new' else ONCE
        answer = node.call(look_up, name, cgroup=clients)
        asked += 1
        if not answer:
            failed += 1
            screen.say(now, f'{name} did not resolve')
        listed = snooperd.names()
        if once == 'new' and ONCE in listed:
            once = 'known'
        if state == 'dead' and not shown and NEW_NAMES[0] in listed:
            shown = [(verb, ask_snooperctl(snooperd, verb)) for verb in ('names', 'status')]
        if once == 'known' and ONCE not in listed:
            once = 'expired'
            screen.say(now, f'{ONCE}, asked once at the start, has expired')
        screen.draw(now, [
            f'snooper demo, {END_AT - now:2.0f} s to go: clients look names up through the proxy; '
            'the kernel learns the answers.', '',
            f'  lookups     {asked}, failed {failed}',
            f'  {ask_snooperctl(snooperd, "proxy", "status")}', '', *table(listed)])
        select.select([], [], [], max(0, began + asked - time.monotonic()))
    print('\nWhile the proxy was dead:\n')
    for verb, said in shown or []:
        print(f'$ snooperctl {verb}\n{said}\n')
    print(f'{asked} lookups, {failed} failed; the proxy was dead for {BACK_AT - KILL_AT} s of them.')
    return 1 if failed else 0


def leave(number, frame):
    raise SystemExit(128 + number)


def main():
    for number in signal.SIGTERM, signal.SIGHUP:
        signal.signal(number, leave)
    try:
        with Run() as run, Lab(run) as lab:
            return play(lab, Screen())
    except KeyboardInterrupt:
        return 130


if __name__ == '__main__':
    sys.exit(main())

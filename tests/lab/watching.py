# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Names to watch, and somebody who watches them: a Names/Watch read by a thread, with grpcio."""
import ipaddress
import json
import os
import threading

import grpc

import dnswire as w
from grpc_client import Client
from servers import Scripted, ask
from snoplab import wait_until

WATCH = 'snooper.v1.Names/Watch'
AT_ONCE = 25  # questions that a socket asks before it reads its answers


def ask_on_demand(orders):
    """Asks for the names of each order that comes: {"server": address, "names": [...]} a line."""
    with os.fdopen(orders) as lines:
        for line in lines:
            order = json.loads(line)
            names = order['names']
            for start in range(0, len(names), AT_ONCE):
                queries = [w.query(i, name) for i, name in enumerate(names[start:start + AT_ONCE])]
                assert len(ask(order['server'], queries)) == len(queries)
            yield len(names)


class Names:
    """
    A server outside that answers as it was told, and the node asking it: from one
    process, made before any channel of gRPC is, whose threads do not survive a fork.
    """

    def __init__(self, lab):
        self.answers = {}
        self.server = Scripted(lab.outside, lab.outside.ip4, self._handle)
        orders, self.orders = os.pipe()
        self.asker = lab.node.steps(ask_on_demand, orders, deadline=60)
        os.close(orders)

    def _handle(self, query):
        addresses, ttl = self.answers[name_of(query)]
        return [w.answer(query, [w.a(w.QNAME, address, ttl) for address in addresses])]

    def look_up(self, names, addresses=('192.0.2.1',), ttl=300):
        names = [names] if isinstance(names, str) else list(names)
        self.answers.update((name, (addresses, ttl)) for name in names)
        order = json.dumps({'server': self.server.address, 'names': names}) + '\n'
        os.write(self.orders, order.encode())
        assert self.asker.next() == len(names)

    def close(self):
        self.asker.__exit__()
        os.close(self.orders)
        self.server.close()


def name_of(query):
    """The name that a question is about."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode())
        at += 1 + query[at]
    return '.'.join(labels)


class Watching:
    """
    with Watching(SOCKET, pattern) as watch: watch.state is {name: {addresses}} as told so
    far, watch.events [(what, name)], watch.error the grpc.RpcError that ended it.
    """

    def __init__(self, socket, pattern=''):
        self.client = Client(socket, timeout=None)
        self.reply = self.client.classes['snooper.v1.WatchReply']
        request = self.client.classes['snooper.v1.WatchRequest'](pattern=pattern)
        self.state, self.events, self.error, self.synced = {}, [], None, False
        self.call = self.client.stream(WATCH, request.SerializeToString())
        self.thread = threading.Thread(target=self._read, daemon=True)

    def _read(self):
        try:
            for message in self.call:
                self._take(self.reply.FromString(message))
        except grpc.RpcError as error:
            self.error = error

    def _take(self, reply):
        what = reply.WhichOneof('event')
        name = getattr(reply, what).name if what in ('name', 'gone') else None
        if what == 'name':
            self.state[name] = {str(ipaddress.ip_address(a.address))
                                for a in reply.name.addresses}
        elif what == 'gone':
            self.state.pop(name, None)
        self.synced = self.synced or what == 'synced'
        self.events.append((what, name))

    def told(self, what, name=None):
        return (what, name) in self.events

    def wait(self, what, name=None, deadline=10):
        wait_until(lambda: self.told(what, name), deadline,
                   lambda: f'{what} {name} is not told: {self.events[-20:]} {self.error}')

    def wait_for_state(self, state, deadline=10):
        wait_until(lambda: self.state == state, deadline, lambda: (
            f'{len(self.state)} names instead of {len(state)}: {self.events[-20:]} {self.error}'))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.call.cancel()
        self.thread.join()
        self.client.channel.close()

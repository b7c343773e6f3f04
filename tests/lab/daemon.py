# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""snooperd on a host of a lab, and snooperctl asking it."""
import copy
import json
import os
import select
import socket
import subprocess

from snoplab import BUILD, PATIENCE, Program, wait_until

SNOOPERD = f'{BUILD}/snooperd'
SNOOPERCTL = f'{BUILD}/snooperctl'


def merge(base, changes):
    """A configuration with some keys of some sections changed; None takes a key away."""
    result = copy.deepcopy(base)
    for section, keys in changes.items():
        if isinstance(keys, dict):
            result.setdefault(section, {}).update(keys)
            result[section] = {k: v for k, v in result[section].items() if v is not None}
        else:
            result[section] = keys
    return result


class Snooperd(Program):
    """
    snooperd on lab.node, observing the node's cgroup; in a cgroup outside of it.
    changes: {'limits': {'ring': '4KiB'}}, merged into a plain configuration.
    """

    def __init__(self, lab, changes=None, name='snooperd', host=None):
        host = host or lab.node
        self.dir = f'{lab.dir}/{name}'
        os.makedirs(self.dir, exist_ok=True)
        cgroup = f'{lab.cgroup}/{name}'
        os.makedirs(cgroup, exist_ok=True)
        self.bpffs = f'{lab.bpffs}-{name}'
        self.socket = f'{self.dir}/snooper.sock'
        self.file = f'{self.dir}/snooper.yaml'
        self.conf = merge({
            'observe': {'cgroups': [lab.node.cgroup], 'resolvers': [lab.outside.ip4, lab.outside.ip6]},
            'policy': {'mode': 'observe'},
            'reconcile': {'mode': 'off'},
            'state': {'directory': f'{self.dir}/state', 'bpffs': self.bpffs},
            'export': {'socket': self.socket},
            'log': {'level': 'debug'},
        }, changes or {})
        self.ready = None
        super().__init__(host, [SNOOPERD, '-c', self.file], name, cgroup)

    def write_conf(self):
        with open(self.file, 'w') as f:
            json.dump(self.conf, f, indent=2)  # JSON is YAML

    def start(self, deadline=60):
        """Start it and wait for its READY=1 (sd_notify)."""
        self.write_conf()
        notify = f'{self.dir}/notify'
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            if os.path.exists(notify):
                os.unlink(notify)
            sock.bind(notify)
            self.options['env'] = dict(os.environ, NOTIFY_SOCKET=notify)
            super().start()
            died = os.pidfd_open(self.pid)
            try:
                while True:
                    came = select.select([sock, died], [], [], deadline * PATIENCE)[0]
                    assert sock in came, f'snooperd did not get ready:\n{self.output()}'
                    if b'READY=1' in sock.recv(4096):
                        return self
            finally:
                os.close(died)

    def once(self, *arguments):
        """Run snooperd with the same configuration and these arguments, to its end."""
        self.write_conf()
        return self.host.run(SNOOPERD, '-c', self.file, *arguments, cgroup=self.cgroup)

    def ctl(self, *arguments, json_output=True):
        """snooperctl VERB...: a CompletedProcess, whatever its exit code."""
        flags = ['--json'] if json_output else []
        return subprocess.run([SNOOPERCTL, '-s', self.socket, *flags, *arguments],
                              capture_output=True, text=True, timeout=60 * PATIENCE)

    def names(self, *pattern):
        """{name: its line of `names --json`}."""
        done = self.ctl('names', *pattern)
        assert done.returncode == 0, done.stderr
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        return {line['name']: line for line in lines}

    def addresses(self, name):
        """The addresses a name is listed with; empty when it is not."""
        line = self.names().get(name)
        return {x['address'] for x in line['addresses']} if line else set()

    def status(self):
        done = self.ctl('status')
        assert done.returncode in (0, 5), f'{done.returncode}: {done.stderr}'
        return json.loads(done.stdout)

    def refused(self, reason):
        return self.status()['kernel']['refused'].get(reason, 0)

    def counter(self, name):
        """What happened how often: a line of SNP_COUNTERS (bpf/snp_stat.h)."""
        return self.status()['kernel']['counters'][name]

    def wait_for(self, *names, deadline=30):
        """Until each of the names is listed; the list."""
        def missing():
            return set(names) - set(self.names())
        wait_until(lambda: not missing(), deadline, lambda: f'names not listed: {missing()}')
        return self.names()

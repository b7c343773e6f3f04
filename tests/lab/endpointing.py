# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Endpoints on a lab's node: configured, and read from the pinned maps, also with no daemon."""
import contextlib
import ctypes
import errno
import json
import os
import struct
import subprocess

from daemon import Snooperd

BPFTOOL = '/usr/sbin/bpftool'
NOTHING = """apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: nothing}
spec: {endpointSelector: {}, egress: []}
"""
_libc = ctypes.CDLL(None, use_errno=True)


def bpftool(*arguments):
    done = subprocess.run([BPFTOOL, '-j', *arguments], capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else None


def numbers_of(daemon):
    """{number: name} of the pinned set: what outlives the daemon."""
    rows = bpftool('map', 'dump', 'pinned', f'{daemon.bpffs}/snp_endpoints')
    return {row['formatted']['value']['number']: row['formatted']['value']['name']
            for row in rows if row['formatted']['value']['name']}


def members_of(daemon):
    """{cgroup id: name of its endpoint}, from the pinned map: the daemon may be dead."""
    names = numbers_of(daemon)
    rows = bpftool('map', 'dump', 'pinned', f'{daemon.bpffs}/snp_members')
    return {row['formatted']['key']: names[row['formatted']['value']['endpoint']] for row in rows
            if 'formatted' in row}  # one that went while it was read has none


def row_of(daemon, cgroup_id, table='snp_members'):
    """Of one cgroup its row, or None; cheaper than all of them."""
    key = [f'0x{byte:02x}' for byte in struct.pack('<Q', cgroup_id)]
    row = bpftool('map', 'lookup', 'pinned', f'{daemon.bpffs}/{table}', 'key', *key)
    return row and row['formatted']['value']['endpoint']


def endpoint_of(daemon, path):
    """The name of the endpoint that a cgroup's directory belongs to, None: of none."""
    number = row_of(daemon, os.stat(path).st_ino)
    return numbers_of(daemon)[number] if number else None


@contextlib.contextmanager
def pinned(daemon, name):
    """A descriptor of a pinned map."""
    pin = ctypes.create_string_buffer(f'{daemon.bpffs}/{name}'.encode())
    fd = _bpf(7, struct.pack('<QII', ctypes.addressof(pin), 0, 0))  # BPF_OBJ_GET
    assert fd >= 0, os.strerror(ctypes.get_errno())
    try:
        yield fd
    finally:
        os.close(fd)


def _bpf(command, attributes):
    return _call_bpf(command, ctypes.create_string_buffer(attributes, 128))


def _call_bpf(command, buffer):
    return _libc.syscall(321 if os.uname().machine == 'x86_64' else 280, command, buffer, 128)


def endpoints(lab, *names_and_globs):
    """The section of the configuration; globs are below the node's cgroup."""
    return [{'name': name, 'cgroup': f'{lab.node.cgroup}/{glob}'} for name, glob in names_and_globs]


def start(lab, *names_and_globs, **others):
    return Snooperd(lab, {'endpoints': endpoints(lab, *names_and_globs), **others}).start()


def start_audit(lab, *names_and_globs):
    """... that reports whatever an endpoint sends, and lets it go."""
    directory = f'{Snooperd(lab).dir}/policy.d'
    os.makedirs(directory)
    with open(f'{directory}/nothing.yaml', 'w') as f:
        f.write(NOTHING)
    return start(lab, *names_and_globs, policy={'mode': 'audit', 'directory': directory})


def shown(daemon):
    return {e['name']: e['cgroups'] for e in daemon.status()['endpoints']}


def reload(daemon, *names_and_globs):
    daemon.conf['endpoints'] = endpoints(daemon.host.lab, *names_and_globs)
    daemon.write_conf()
    done = daemon.ctl('reload')
    assert done.returncode == 0, done.stdout + done.stderr


def tracepoints(daemon):
    """The tracepoints that the pinned links are on."""
    links = [bpftool('link', 'show', 'pinned', f'{daemon.bpffs}/{name}')
             for name in os.listdir(daemon.bpffs) if name.startswith('link-')]
    return sorted(link['tp_name'] for link in links if link and link['type'] == 'raw_tracepoint')


def programs_of(daemon):
    links = [bpftool('link', 'show', 'pinned', f'{daemon.bpffs}/{name}')
             for name in os.listdir(daemon.bpffs) if name.startswith('link-')]
    return {link['prog_id'] for link in links}


def strays(daemon):
    """What the audit logged, as dictionaries."""
    lines = [line for line in daemon.output().splitlines() if 'event=endpoint-socket-outside' in line]
    return [dict(field.split('=', 1) for field in line.split() if '=' in field) for line in lines]


def write_rows(daemon, cgroup_ids, endpoint):
    """Members that no cgroup stands for: what removed ones with a socket left look like. How many found room."""
    return _write_all(daemon, 'snp_members', struct.pack(f'<{len(cgroup_ids)}Q', *cgroup_ids),
                      struct.pack('<II', endpoint, endpoint) * len(cgroup_ids), len(cgroup_ids))


def write_names(daemon, places):
    """Names that have left the configuration, long after all others: what thousands of reloads leave behind."""
    rows = b''.join(struct.pack('<64sIIQQ', f'gone-{at}'.encode(), at, 0, 0, 1 << 62) for at in places)
    return _write_all(daemon, 'snp_endpoints', struct.pack(f'<{len(places)}I', *places), rows, len(places))


def forget_that_it_was_counted(daemon, number):
    """As if the connections of an endpoint could not be counted when policy was first enforced for it."""
    key, row = ctypes.create_string_buffer(struct.pack('<I', number % 4096), 4), ctypes.create_string_buffer(88)
    with pinned(daemon, 'snp_endpoints') as map_fd:
        assert not _bpf(1, struct.pack('<IIQQQ', map_fd, 0, ctypes.addressof(key), ctypes.addressof(row), 0))
        struct.pack_into('<IQ', row, 68, 0, 0)  # enforced, open
        assert not _bpf(2, struct.pack('<IIQQQ', map_fd, 0, ctypes.addressof(key), ctypes.addressof(row), 0))


def _write_all(daemon, name, keys, values, n):
    """BPF_MAP_UPDATE_BATCH: how many were written."""
    keys, values = (ctypes.create_string_buffer(b, len(b)) for b in (keys, values))
    with pinned(daemon, name) as map_fd:
        attributes = ctypes.create_string_buffer(
            struct.pack('<QQQQIIQQ', 0, 0, ctypes.addressof(keys), ctypes.addressof(values), n, map_fd, 0, 0), 128)
        _call_bpf(26, attributes)
    return struct.unpack_from('<I', attributes, 32)[0]


def delete_row(daemon, cgroup_id):
    with pinned(daemon, 'snp_members') as map_fd:
        key = ctypes.create_string_buffer(struct.pack('<Q', cgroup_id), 8)
        return _bpf(3, struct.pack('<IIQ', map_fd, 0, ctypes.addressof(key)))  # BPF_MAP_DELETE_ELEM

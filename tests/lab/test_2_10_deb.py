# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 2.10: the Debian package installs, upgrades while names are learned, is removed, and purged without a trace."""
import gzip
import json
import os
import re
import subprocess

import pytest

import leftovers
from daemon import merge
from servers import unbound
from snoplab import TOP, Program, wait_until

CONF = '/etc/snooper/snooper.yaml'
PINS = '/sys/fs/bpf/snooper'


@pytest.fixture(scope='module')
def deb(tmp_path_factory):
    """The package of what is built."""
    out = tmp_path_factory.mktemp('deb')
    done = subprocess.run(['scripts/build-deb.sh', out], cwd=TOP, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


@pytest.fixture(scope='module')
def newer(deb, tmp_path_factory):
    """The same with a higher version."""
    tree = tmp_path_factory.mktemp('newer') / 'tree'
    subprocess.run(['dpkg-deb', '-R', deb, tree], check=True)
    control = tree / 'DEBIAN/control'
    control.write_text(control.read_text().replace('\nVersion: ', '\nVersion: 99.'))
    subprocess.run(['dpkg-deb', '--root-owner-group', '-b', tree, f'{tree}.deb'], check=True,
                   capture_output=True)
    return f'{tree}.deb'


def field(package, name):
    return subprocess.run(['dpkg-deb', '-f', package, name], check=True, text=True,
                          capture_output=True).stdout.strip()


def unpacked(package, path, tmp_path):
    subprocess.run(['dpkg-deb', '-x', package, tmp_path], check=True)
    return gzip.open(tmp_path / path, 'rt').read()


# Debian policy 4.4: what the tools of a distribution read.
CHANGELOG = re.compile(r'snooper \(([0-9.]+)\) \w+; urgency=\w+\n\n( {2}\S.*\n)+\n'
                       r' -- (.+ <\S+@\S+>) {2}(\w{3}, \d{1,2} \w{3} \d{4} [0-9:]{8} [+-]\d{4})\n')


def test_2_10_package_names_a_maintainer_and_has_a_changelog(deb, tmp_path):
    maintainer = field(deb, 'Maintainer')
    assert re.fullmatch(r'[^<>]+ <[^<>@\s]+@[^<>@\s]+>', maintainer) and '@MAINTAINER@' not in maintainer
    last = subprocess.run(['git', 'log', '-1', '--format=%an <%ae>'], cwd=TOP, text=True, capture_output=True)
    if last.returncode == 0:
        assert maintainer == last.stdout.strip()
    text = unpacked(deb, 'usr/share/doc/snooper/changelog.gz', tmp_path)
    version, _, by, _ = CHANGELOG.fullmatch(text).groups()
    assert (version, by) == (field(deb, 'Version'), maintainer)
    manual = gzip.open(tmp_path / 'usr/share/man/man8/snooperd.8.gz', 'rt').read()
    assert '/usr/share/snooper/alerts.yml' in manual and '/usr/local' not in manual
    assert (tmp_path / 'usr/share/snooper/alerts.yml').exists()


def test_2_10_package_is_of_whom_its_builder_says(tmp_path):
    done = subprocess.run(['scripts/build-deb.sh', tmp_path], cwd=TOP, text=True, capture_output=True,
                          env=dict(os.environ, DEBFULLNAME='A & B | C', DEBEMAIL='a@b.test'))
    assert done.returncode == 0, done.stderr
    assert field(done.stdout.splitlines()[-1], 'Maintainer') == 'A & B | C <a@b.test>'


class Root:
    """
    This host's files below a layer that is thrown away, with a /run, a bpf file
    system and devices of its own: what dpkg does there is seen nowhere else.
    """

    def __init__(self, lab):
        self.lab = lab
        self.top = f'{lab.dir}/root'
        self.layer = f'{lab.dir}/layer'
        self.mounts = []
        for path in self.top, self.layer:
            os.mkdir(path)
        self.mount('-t', 'tmpfs', 'layer', self.layer)
        for path in 'upper', 'work':
            os.mkdir(f'{self.layer}/{path}')
        self.mount('-t', 'overlay', 'root', self.top, '-o',
                   f'lowerdir=/,upperdir={self.layer}/upper,workdir={self.layer}/work')
        self.mount('-t', 'proc', 'proc', f'{self.top}/proc')
        self.mount('-t', 'sysfs', 'sys', f'{self.top}/sys')
        self.mount('--bind', leftovers.cgroup2(), f'{self.top}/sys/fs/cgroup')
        self.mount('-t', 'bpf', 'bpf', f'{self.top}/sys/fs/bpf')
        self.mount('--bind', '/dev', f'{self.top}/dev')
        self.mount('-t', 'tmpfs', 'run', f'{self.top}/run')

    def mount(self, *arguments):
        subprocess.run(['mount', *arguments], check=True)
        self.mounts.append(next(a for a in reversed(arguments) if a.startswith(self.lab.dir)
                                and 'lowerdir' not in a))

    def close(self):
        for point in reversed(self.mounts):
            subprocess.run(['umount', '-l', point], check=True)

    def path(self, name):
        return self.top + name

    def exists(self, name):
        return os.path.lexists(self.path(name))

    def run(self, *argv):
        return subprocess.run(['chroot', self.top, *argv], text=True, capture_output=True,
                              stdin=subprocess.DEVNULL, env=dict(os.environ, DEBIAN_FRONTEND='noninteractive'))

    def dpkg(self, *arguments):
        done = self.run('dpkg', '--force-unsafe-io', *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def changed(self):
        """What the layer has that the host has not, or has otherwise, by path."""
        top = f'{self.layer}/upper'
        return {os.path.join(where, name)[len(top):] for where, _, names in os.walk(top)
                for name in names}


@pytest.fixture
def root(lab):
    made = Root(lab)
    try:
        yield made
    finally:
        leftovers.remove_cgroup(f'{lab.cgroup}/deb')
        made.close()


def configure(root, lab, changes=None):
    """As an administrator would; JSON is YAML."""
    conf = {'observe': {'cgroups': [lab.node.cgroup.replace(leftovers.cgroup2(), '/sys/fs/cgroup', 1)],
                        'resolvers': [lab.outside.ip4]},
            'limits': {'names': 1000, 'facts': 1000, 'rows': 1000}, 'export': {'metrics': 'off'}}
    with open(root.path(CONF), 'w') as f:
        json.dump(merge(conf, changes or {}), f)


class Installed(Program):
    """/usr/sbin/snooperd of the root, started as by an init that is not systemd: in the mounts that dpkg sees."""

    def __init__(self, root, lab):
        os.makedirs(f'{lab.cgroup}/deb', exist_ok=True)
        super().__init__(lab.node, ['nsenter', f'--net={leftovers.NETNS_DIR}/{lab.node.netns}', 'chroot',
                                    root.top, '/usr/sbin/snooperd'], 'snooperd', f'{lab.cgroup}/deb')
        self.root = root

    def start(self):
        def enter():
            with open(f'{self.cgroup}/cgroup.procs', 'w') as f:
                f.write('0')
        self.log = self.host.lab.log_file(self.name)
        with open(self.log, 'wb') as log:
            self.process = subprocess.Popen(self.argv, preexec_fn=enter, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        return self

    def names(self):
        done = self.root.run('snooperctl', '--json', 'names')
        return {json.loads(line)['name'] for line in done.stdout.splitlines()}

    def ready(self):
        wait_until(lambda: 'event=ready' in self.output(), what='snooperd is ready')
        return self


def test_2_10_deb_installs_upgrades_and_goes(lab, root, deb, newer):
    before = root.changed()
    root.dpkg('-i', deb)
    assert root.run('getent', 'group', 'snooper').returncode == 0
    assert 'Status: install ok installed' in root.run('dpkg', '-s', 'snooper').stdout
    for path in '/usr/sbin/snooperd', '/usr/bin/snooperctl', '/usr/lib/systemd/system/snooperd.service', CONF:
        assert root.exists(path), path
    assert root.run('dpkg', '-V', 'snooper').stdout == ''
    assert root.run('snooperd', '-n').returncode == 0, 'the sample, as installed'
    assert root.run('systemd-analyze', 'verify', '--man=no', 'snooperd.service').stderr == ''
    assert os.readlink(root.path('/etc/systemd/system/multi-user.target.wants/snooperd.service')).endswith(
        '/systemd/system/snooperd.service')

    lab.node.resolve_by(lab.outside.ip4)
    unbound(lab.outside, [lab.outside.ip4], {'deb.test': '* A 192.0.2.10\n'}).start()
    configure(root, lab)
    first = Installed(root, lab).start().ready()
    lab.node.getaddrinfo('first.deb.test', family=4)
    wait_until(lambda: 'first.deb.test' in first.names(), what='learned')

    # An upgrade: the old one goes on, then the new one takes over what is pinned.
    root.dpkg('-i', newer)
    assert first.is_running() and json.load(open(root.path(CONF)))['limits']['names'] == 1000
    lab.node.getaddrinfo('second.deb.test', family=4)
    assert first.stop() == 0
    lab.node.getaddrinfo('third.deb.test', family=4)
    second = Installed(root, lab).start().ready()
    assert 'adopted=yes' in second.output()
    wait_until(lambda: {'first.deb.test', 'second.deb.test', 'third.deb.test'} <= second.names(),
               what='nothing was missed')

    root.dpkg('-r', 'snooper')
    wait_until(lambda: not second.is_running(), what='it is stopped')
    assert not root.exists('/usr/sbin/snooperd') and root.exists(CONF) and root.exists(PINS)
    os.makedirs(root.path('/var/lib/snooper'), exist_ok=True)
    root.dpkg('-P', 'snooper')
    for path in '/etc/snooper', PINS, '/var/lib/snooper', '/run/snooper':
        assert not root.exists(path), path
    assert root.run('getent', 'group', 'snooper').returncode != 0
    left = [p for p in root.changed() - before if 'snooper' in p and not p.startswith('/tmp')]
    assert left == []
    wants = '/etc/systemd/system/multi-user.target.wants/snooperd.service'
    assert not root.exists(wants)


@pytest.mark.long
def test_2_10_deb_purge_leaves_other_peoples_pins(lab, root, deb):
    root.dpkg('-i', deb)
    os.makedirs(root.path(f'{PINS}/theirs'))
    assert "what is not snooper's" in root.dpkg('-P', 'snooper')
    assert os.listdir(root.path(PINS)) == ['theirs']


@pytest.mark.long
def test_2_10_deb_under_systemd_an_upgrade_only_restarts(lab, root, deb, newer):
    """No systemd runs here: what it would be told, in the order of the telling. What needs none is done."""
    os.makedirs(root.path('/run/systemd/system'))
    asked = root.path('/run/asked')
    systemctl = root.path('/usr/bin/systemctl')
    os.rename(systemctl, f'{systemctl}.real')
    with open(systemctl, 'w') as f:
        f.write('#!/bin/sh\necho "$*" >>/run/asked\n'
                'case $* in\n--root=/*) exec systemctl.real "$@" ;;\n'
                '*is-enabled*) exec systemctl.real --root=/ is-enabled snooperd.service ;;\nesac\n')
    os.chmod(systemctl, 0o755)
    policy = root.path('/usr/sbin/policy-rc.d')
    if os.path.lexists(policy):
        os.unlink(policy)  # images of containers forbid starting anything

    def told(*arguments):
        open(asked, 'w').close()
        root.dpkg(*arguments)
        with open(asked) as f:
            return [verb for line in f for verb in line.split()
                    if verb in ('start', 'stop', 'restart', 'try-restart', 'daemon-reload')]
    assert told('-i', deb) == ['daemon-reload', 'start']
    assert told('-i', newer) == ['daemon-reload', 'restart']
    assert told('-r', 'snooper') == ['stop', 'daemon-reload']


def test_2_10_deb_depends_on_what_it_is_linked_with(deb):
    depends = subprocess.run(['dpkg-deb', '-f', deb, 'Depends'], check=True, text=True,
                             capture_output=True).stdout
    for package in 'libbpf', 'libc-ares', 'libc6', 'libevent', 'libjson-c', 'libnghttp2', 'libprotobuf-c', \
            'libssl', 'libsystemd', 'libyaml':
        assert any(d.strip().startswith(package) and '>=' in d for d in depends.split(',')), package

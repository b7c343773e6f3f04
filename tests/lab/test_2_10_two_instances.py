# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 2.10: two instances on one host keep out of each other's way."""
import json
import subprocess

import pytest

from daemon import Snooperd
from servers import unbound
from snoplab import wait_until

ZONES = {'two.test': '* A 192.0.2.10\n* AAAA 2001:db8::10\n'}


@pytest.fixture
def server(lab):
    lab.node.resolve_by(lab.outside.ip4)
    return unbound(lab.outside, [lab.outside.ip4, lab.outside.ip6], ZONES).start()


def ask(lab, name, cgroup=None):
    assert lab.node.call(_resolve, lab.outside.ip4, name, cgroup=cgroup)


def _resolve(server, name):
    from dnswire import query
    from servers import ask as ask_server
    return ask_server(server, [query(1, name)])


def attached(cgroup):
    """{(program id, attach type)} of a cgroup."""
    out = subprocess.run(['/usr/sbin/bpftool', '-j', 'cgroup', 'show', cgroup], check=True,
                         capture_output=True, text=True).stdout
    return {(p['id'], p['attach_type']) for p in json.loads(out or '[]')}


def test_2_10_two_instances_of_two_cgroups_know_their_own(lab, server):
    red, blue = lab.node.sub_cgroup('red'), lab.node.sub_cgroup('blue')
    of_red = Snooperd(lab, {'observe': {'cgroups': [red]}}, name='red').start()
    of_blue = Snooperd(lab, {'observe': {'cgroups': [blue]}}, name='blue').start()
    ask(lab, 'red.two.test', red)
    ask(lab, 'blue.two.test', blue)
    assert set(of_red.wait_for('red.two.test')) == {'red.two.test'}
    assert set(of_blue.wait_for('blue.two.test')) == {'blue.two.test'}


def test_2_10_two_instances_of_one_cgroup_both_learn(lab, server):
    one, two = (Snooperd(lab, name=name).start() for name in ('one', 'two'))
    ask(lab, 'both.two.test')
    for snooperd in one, two:
        assert snooperd.wait_for('both.two.test')
        assert snooperd.addresses('both.two.test') == {'192.0.2.10'}
        assert snooperd.counter('queries_noted') == 1 and snooperd.counter('answers_learned') == 1


def test_2_10_two_instances_one_uninstalled_the_other_untouched(lab, server):
    one = Snooperd(lab, name='one').start()
    alone = attached(lab.node.cgroup)
    two = Snooperd(lab, name='two').start()
    assert len(attached(lab.node.cgroup)) == 2 * len(alone)
    ask(lab, 'before.two.test')
    one.wait_for('before.two.test')

    assert two.stop() == 0
    assert two.once('--uninstall').returncode == 0
    wait_until(lambda: attached(lab.node.cgroup) == alone, what='only the first one is attached')
    ask(lab, 'after.two.test')
    assert set(one.wait_for('after.two.test')) == {'before.two.test', 'after.two.test'}

    two.start()
    ask(lab, 'again.two.test')
    assert set(two.wait_for('again.two.test')) == {'again.two.test'}, 'it begins anew'
    one.wait_for('again.two.test')


def test_2_10_two_instances_survive_each_others_death(lab, server):
    one, two = (Snooperd(lab, name=name).start() for name in ('one', 'two'))
    one.kill9()
    ask(lab, 'meanwhile.two.test')
    two.wait_for('meanwhile.two.test')
    one.start().wait_for('meanwhile.two.test')
    two.wait_for('meanwhile.two.test')


@pytest.mark.parametrize('key', ['bpffs', 'socket'])
def test_2_10_two_instances_do_not_share_by_mistake(lab, server, key):
    """One with the other's bpffs is refused. One with its socket only takes the name over, as a restart would."""
    one = Snooperd(lab, name='one').start()
    two = Snooperd(lab, name='two')
    if key == 'bpffs':
        two.conf['state']['bpffs'] = one.bpffs
        done = two.once()
        assert done.returncode == 1 and 'another snooperd holds' in done.stderr
    else:
        two.conf['export']['socket'] = two.socket = one.socket
        two.start()
        ask(lab, 'taken.two.test')
        two.wait_for('taken.two.test')
        assert one.stop() == 0
        assert two.names(), 'the first one leaves a socket that is not its own'
    assert one.is_running() == (key == 'bpffs')

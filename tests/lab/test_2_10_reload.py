# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 2.10: SIGHUP applies what can change, names what cannot, and a bad file changes nothing."""
import json
import re
import signal
import subprocess

from daemon import Snooperd
from servers import dnsmasq, unbound
from snoplab import wait_until

ZONES = {'reload.test': '* A 192.0.2.10\n'}


def bpftool(*arguments):
    return subprocess.run(['/usr/sbin/bpftool', *arguments], check=True, text=True,
                          capture_output=True).stdout


def reload(snooperd):
    """SIGHUP; what was logged until it was done."""
    before = len(snooperd.output())
    snooperd.write_conf()
    snooperd.signal(signal.SIGHUP)
    done = re.compile(r'event=(reloaded|reload-refused|reload-failed) ')
    wait_until(lambda: done.search(snooperd.output()[before:]), what='the reload is done')
    return snooperd.output()[before:]


def kept(said):
    return dict(re.findall(r'event=reload-kept key=(\S+) needs=(\S+)', said))


def test_2_10_reload_names_what_has_to_wait_and_applies_the_rest(lab, snooperd):
    unbound(lab.outside, [lab.outside.ip4], ZONES).start()
    lab.node.resolve_by(lab.outside.ip4)
    lab.node.getaddrinfo('a.reload.test', family=4)
    snooperd.wait_for('a.reload.test')

    snooperd.conf['state'] = {'directory': f'{snooperd.dir}/other', 'bpffs': f'{snooperd.bpffs}-other'}
    snooperd.conf['limits'] = {'names': 1000, 'ring': '8KiB', 'per_endpoint': 500}
    snooperd.conf['observe']['resolvers'] = ['192.0.2.77']
    assert kept(reload(snooperd)) == {'state.directory': 'restart', 'state.bpffs': 'restart',
                                      'limits.names': 'uninstall', 'limits.ring': 'uninstall'}
    # What is live is in force: the server is no longer believed.
    lab.node.getaddrinfo('b.reload.test', family=4)
    wait_until(lambda: snooperd.refused('untrusted_server') > 0, what='the new resolvers hold')
    # The same file again differs from what runs in the same keys: said again, as long as it is so.
    assert set(kept(reload(snooperd))) == {'state.directory', 'state.bpffs', 'limits.names',
                                           'limits.ring'}


def test_2_10_reload_of_a_bad_file_changes_nothing(lab, snooperd):
    unbound(lab.outside, [lab.outside.ip4], ZONES).start()
    lab.node.resolve_by(lab.outside.ip4)
    snooperd.conf['observe']['resolvers'] = ['192.0.2.77']
    snooperd.conf['observe']['port'] = 0
    said = reload(snooperd)
    assert 'event=reload-refused' in said and 'observe.port' in said
    lab.node.getaddrinfo('still.reload.test', family=4)
    snooperd.wait_for('still.reload.test')


def test_2_10_reload_that_the_kernel_refuses_is_undone(lab, snooperd):
    """Somebody else holds a cgroup for himself: that shows only when it is attached to."""
    unbound(lab.outside, [lab.outside.ip4], ZONES).start()
    lab.node.resolve_by(lab.outside.ip4)
    programs = json.loads(bpftool('-j', 'cgroup', 'show', lab.node.cgroup))
    ingress, = [p['id'] for p in programs if p['attach_type'] == 'cgroup_inet_ingress']
    bpftool('cgroup', 'attach', lab.outside.cgroup, 'cgroup_inet_ingress', 'id', str(ingress))

    good = list(snooperd.conf['observe']['cgroups'])
    snooperd.conf['observe']['cgroups'] = [lab.outside.cgroup, *good]
    snooperd.conf['observe']['port'] = 5353
    snooperd.conf['limits'] = {'names': 1000}
    assert 'event=reload-failed' in reload(snooperd)
    lab.node.getaddrinfo('still.reload.test', family=4)
    snooperd.wait_for('still.reload.test')
    snooperd.conf['observe'].update(cgroups=good, port=53)
    assert kept(reload(snooperd)) == {'limits.names': 'uninstall'}


def test_2_10_reload_of_proxy_addresses_keeps_sight_of_the_proxy(lab):
    """In a namespace of its own it is known by its counted sockets alone: they count for the new addresses too."""
    pod = lab.add_host('pod')
    cgroup = lab.node.sub_cgroup('proxy')
    dnsmasq(pod, [pod.ip4], [lab.outside.ip4], cgroup=cgroup).start()
    snooperd = Snooperd(lab, {'proxy': {'addresses': [f'{pod.ip4}:53'], 'cgroup': cgroup,
                                        'fallback': [f'{lab.outside.ip4}:53']}}).start()
    assert snooperd.output().count('event=proxy-sockets found=2') == 1, 'UDP and TCP'
    snooperd.conf['proxy']['addresses'] = [f'{pod.ip4}:53', '10.53.9.54:53']
    reload(snooperd)
    assert snooperd.output().count('event=proxy-sockets found=2') == 2
    # Again with the same addresses: they are counted already.
    reload(snooperd)
    assert snooperd.output().count('event=proxy-sockets') == 2

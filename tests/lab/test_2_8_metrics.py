# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 2.8: Prometheus scrapes every counter, nobody learns a name from it, and nobody can hold it up."""
import http.client
import os
import re
import select
import socket
import subprocess

import pytest

import dnswire as w
import h2frames as h2
import policing
from daemon import SNOOPERCTL, Snooperd
from servers import Scripted, ask
from snoplab import PATIENCE, TOP, Lab, Program, wait_until

PORT = 9953
AT = f'127.0.0.1:{PORT}'
PROMTOOL = f'{TOP}/build/tools/promtool'
CONF = f'{TOP}/snooper/conf'
CONNECTIONS, SECONDS, HEADER_BYTES, BODY_BYTES = 16, 5, 8192, 1024  # snooper/io/metrics_http.h

LABEL = r'[a-z]+="[^"\\]*"'
SAMPLE = re.compile(rf'([a-z0-9_]+)(\{{{LABEL}(?:,{LABEL})?\}})? ([0-9.]+)')


@pytest.fixture(scope='module')
def lab(run):
    with Lab(run) as made:
        yield made


@pytest.fixture(scope='module')
def snooperd(lab):
    lab.node.sub_cgroup('pod/inner')
    made = policing.start(lab, policing.policy(policing.names('*.metrics.test')), mode='audit',
                          changes={'export': {'metrics': AT}}, endpoints=[('pods', 'pod*', {'app': 'bot'})])
    lab.node.call(policing.tcp, lab.outside.ip4, 9, cgroup=f'{lab.node.cgroup}/pod/inner')
    made.server = Scripted(lab.outside, lab.outside.ip4, answer)
    with made.server:
        yield made


def answer(query):
    """An address of its own for every id; never one that may be learned for a name with 'evil' in it."""
    last = '127.0.0.66' if b'evil' in query else f'198.51.{query[0]}.{query[1]}'
    return [w.answer(query, [w.a(w.QNAME, last)])]


def connect(lab, address='127.0.0.1'):
    """A TCP connection to the metrics, made on the node."""
    with lab.node.inside():
        return socket.create_connection((address, PORT), 20 * PATIENCE)


def request(lab, method='GET', path='/metrics', body=None, headers=None, address='127.0.0.1'):
    """(status, headers, body) of one request."""
    connection = http.client.HTTPConnection(address, PORT)
    connection.sock = connect(lab, address)
    try:
        connection.request(method, path, body, headers or {})
        reply = connection.getresponse()
        return reply.status, reply.headers, reply.read().decode()
    finally:
        connection.close()


def parse(text):
    """{name or name{label="value",…}: number}; every line must be one that we expect."""
    samples = {}
    for line in text.splitlines():
        if line.startswith('#'):
            continue
        name, labels, number = SAMPLE.fullmatch(line).groups()
        key = name + (labels or '')
        assert key not in samples, f'twice: {key}'
        samples[key] = float(number)
    return samples


def scrape(lab):
    status, _, body = request(lab)
    assert status == 200
    return parse(body)


def names_in(samples):
    return {key.partition('{')[0] for key in samples}


def resolve(lab, first, count, word='m'):
    queries = [w.query(i, f'{word}{i}.metrics.test') for i in range(first, first + count)]
    assert len(lab.node.call(ask, lab.outside.ip4, queries)) == count


def promtool(*arguments, text=None):
    assert os.access(PROMTOOL, os.X_OK), 'no promtool: run scripts/fetch-promtool.sh'
    return subprocess.run([PROMTOOL, *arguments], input=text, capture_output=True, text=True,
                          timeout=60 * PATIENCE)


def test_2_8_promtool_has_nothing_to_say(lab, snooperd):
    resolve(lab, 1, 3)
    checked = promtool('check', 'metrics', text=request(lab)[2])
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, '', '')


def test_2_8_promtool_would_say_something(lab, snooperd):
    """The check above can fail: the same text with one name that is not as Prometheus likes it."""
    worse = request(lab)[2].replace('process_start_time_seconds', 'process_start_time_ms')
    assert 'process_start_time_ms' in promtool('check', 'metrics', text=worse).stderr


def test_2_8_alert_rules_are_right_and_fire():
    checked = promtool('check', 'rules', f'{CONF}/alerts.yml')
    assert checked.returncode == 0, checked.stdout + checked.stderr
    tested = promtool('test', 'rules', f'{TOP}/tests/lab/alerts_test.yml')
    assert tested.returncode == 0, tested.stdout + tested.stderr
    rules = set(re.findall(r'alert: (\w+)', open(f'{CONF}/alerts.yml').read()))
    proven = set(re.findall(r'alertname="(\w+)"', open(f'{TOP}/tests/lab/alerts_test.yml').read()))
    assert rules == proven


@pytest.mark.parametrize('file', ['alerts.yml', 'grafana-dashboard.json'])
def test_2_8_dashboard_and_alerts_know_our_names_only(lab, snooperd, file):
    samples = scrape(lab)
    text = open(f'{CONF}/{file}').read().replace('\\"', '"')
    used = set(re.findall(r'\b(?:snooper|process)_\w+', text))
    assert len(used) > 8 and used <= names_in(samples), used - names_in(samples)
    for name, operator, wanted in re.findall(r'(\w+)\{reason(=~|!~|!=|=)"([^"]+)"', text):
        reasons = re.findall(rf'{name}{{reason="([^"]+)"}}', '\n'.join(samples))
        for part in wanted.split('|'):
            assert [r for r in reasons if re.fullmatch(part, r)], f'{file}: {name}: no reason {part}'


def test_2_8_metrics_are_what_status_says(lab, snooperd):
    resolve(lab, 10, 5)
    snooperd.wait_for('m14.metrics.test')
    status, samples = snooperd.status(), scrape(lab)
    for word, number in status['kernel']['counters'].items():
        assert samples[f'snooper_{word}_total'] == number, word
    for reason, number in status['kernel']['refused'].items():
        assert samples[f'snooper_answers_refused_total{{reason="{reason}"}}'] == number, reason
    assert samples['snooper_cache_names'] == status['cache']['names'] >= 5
    assert samples['snooper_cache_addresses'] == status['cache']['addresses'] >= 5
    assert samples['snooper_proxy_configured'] == samples['snooper_proxy_bypassed'] == 0
    assert samples['snooper_untrusted_servers'] == len(status['untrusted_servers'])
    assert samples[f'snooper_build_info{{version="{status["version"]}"}}'] == 1
    assert samples[f'snooper_policy_mode{{mode="{status["mode"]}"}}'] == 1
    degraded = {k for k, v in samples.items() if k.startswith('snooper_degraded{') and v}
    assert degraded == {f'snooper_degraded{{reason="{reason}"}}' for reason in status['degraded']}


# Where a number of `status --json` is among the metrics; {} is the last part of its place.
STATUS_METRICS = {
    'kernel.answers_parsed': 'snooper_answers_parsed_total',
    'kernel.answers_learned': 'snooper_answers_learned_total',
    'kernel.ring_lost': 'snooper_ring_lost_total',
    'kernel.refused.*': 'snooper_answers_refused_total{{reason="{}"}}',
    'kernel.counters.*': 'snooper_{}_total',
    'cache.names': 'snooper_cache_names',
    'cache.addresses': 'snooper_cache_addresses',
    'cache.evicted_names': 'snooper_cache_names_evicted_total',
    'cache.refused_names': 'snooper_cache_names_refused_total',
    'cache.refused_addresses': 'snooper_cache_addresses_refused_total',
    'proxy.configured': 'snooper_proxy_configured',
    'untrusted_unlisted': 'snooper_untrusted_unlisted_total',
    'endpoints.cgroups': 'snooper_endpoint_cgroups',  # together; here is one endpoint
    'endpoints.sockets_outside': 'snooper_endpoint_sockets_outside',
    'endpoints.connections_before_policy': 'snooper_connections_before_policy_total{endpoint="pods"}',
    'policy.generation': 'snooper_policy_generation',
    'policy.specs': 'snooper_policy_specs',
    'policy.selectors': 'snooper_policy_selectors',
    'policy.rows': 'snooper_policy_rows',
    'policy.slots': 'snooper_policy_slots',
    'policy.connections_ended': 'snooper_connections_ended_total',
    'policy.connections_not_ended': 'snooper_connections_not_ended_total',
    'policy.not_given': 'snooper_policy_not_given_total',
    'policy.not_followed': 'snooper_policy_not_followed_total',
    'policy.verdicts_untold': 'snooper_policy_verdicts_untold_total',
    'export.verdict_watches': 'snooper_grpc_verdict_watches',
    'export.reloads_waiting': 'snooper_grpc_reloads_waiting',
    'export.watches': 'snooper_grpc_watches',
    'export.watch_lost': 'snooper_grpc_watch_lost_total',
    'export.*': 'snooper_grpc_refused_total{{reason="{}"}}',
}
# What is not, and why.
NO_METRIC = {
    'policy.loaded_ms_ago': 'in seconds: snooper_policy_loaded_seconds, and no two looks see the same',
    'policy.load_us': 'in seconds: snooper_policy_load_seconds',
    'proxy.since_ms': 'in seconds: snooper_proxy_state_seconds, and no two looks see the same',
    'proxy.bypassed_queries': "of the running configuration's proxies; "
                              'snooper_bypassed_queries_total goes on counting over reloads',
    'untrusted_servers.answers': 'an address would have to be a label; '
                                 'together: snooper_answers_refused_total{reason="untrusted_server"}',
}


def numbers_in(value, at=''):
    """[(place, number)]: every number and every yes or no, however deep."""
    if isinstance(value, dict):
        return [found for key, part in value.items() for found in numbers_in(part, f'{at}.{key}'.strip('.'))]
    if isinstance(value, list):
        return [found for part in value for found in numbers_in(part, at)]
    return [(at, value)] if isinstance(value, (int, float)) else []


def test_2_8_every_number_of_status_is_a_metric_or_a_stated_exception(lab, snooperd):
    resolve(lab, 50, 5)
    snooperd.wait_for(*(f'm{i}.metrics.test' for i in range(50, 55)))  # or they come between the two looks
    lab.outside.add_addresses('10.53.0.78/24')
    with Scripted(lab.outside, '10.53.0.78', answer):
        lab.node.call(ask, '10.53.0.78', [w.query(1, 'untrusted.test')])
    watch = Program(lab.node, [SNOOPERCTL, '-s', snooperd.socket, 'watch'], 'watch').start()
    wait_until(lambda: snooperd.status()['export']['watches'] == 1, what='a watch is open')
    snooperd.wait_for(*(f'm{i}.metrics.test' for i in range(50, 55)))
    status, samples = snooperd.status(), scrape(lab)
    watch.stop()
    numbers = numbers_in(status)
    assert len(numbers) > 90 and 'verdicts.pods.deny-no-name' in dict(numbers)
    missing, different = [], []
    for place, number in numbers:
        if place in NO_METRIC:
            continue
        parent, _, last = place.rpartition('.')
        if parent.startswith('verdicts.'):
            name = f'snooper_verdicts_total{{endpoint="{parent[9:]}",verdict="{last}"}}'
        else:
            name = STATUS_METRICS.get(place) or STATUS_METRICS.get(f'{parent}.*', 'none').format(last)
        if name not in samples:
            missing.append((place, name))
        elif samples[name] != number:
            different.append((place, number, samples[name]))
    assert (missing, different) == ([], [])
    unknown = {place for place in [*STATUS_METRICS, *NO_METRIC] if not place.endswith('*')} - \
        {place for place, _ in numbers}
    assert not unknown, 'the tables above say nothing that status does not have'


def test_2_8_what_a_full_cache_did_not_take_is_in_status(run):
    """A snooperd with a smaller limits.names than the pinned maps: its index is full, they have it all."""
    with Lab(run) as lab:
        snooperd = Snooperd(lab, {'limits': {'names': 50}, 'export': {'metrics': AT}}).start()
        with Scripted(lab.outside, lab.outside.ip4, answer):
            resolve(lab, 1, 40)
        snooperd.wait_for(*(f'm{i}.metrics.test' for i in range(1, 41)))
        assert snooperd.status()['cache'] == {'names': 40, 'addresses': 40, 'evicted_names': 0,
                                              'refused_names': 0, 'refused_addresses': 0}
        assert 'not taken' not in snooperd.ctl('status', json_output=False).stdout
        snooperd.stop()
        snooperd.conf['limits']['names'] = 10
        snooperd.start()
        cache, samples = snooperd.status()['cache'], scrape(lab)
        assert (cache['names'], cache['addresses']) == (10, 10) and cache['refused_names'] >= 30
        assert samples['snooper_cache_names_refused_total'] >= 30
        assert 'cache-full' in snooperd.status()['degraded']
        assert re.search(r'^cache +0 names gave way, \d+ names and 0 addresses not taken: full$',
                         snooperd.ctl('status', json_output=False).stdout, re.M)


def test_2_8_counters_move_when_answers_come(lab, snooperd):
    before = scrape(lab)
    resolve(lab, 100, 7)
    resolve(lab, 200, 3, 'evil')
    unasked = w.answer(w.query(7, 'other.test'), [w.a(w.QNAME, '192.0.2.99')])
    with Scripted(lab.outside, lab.outside.ip6) as scripted:
        def once():
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
                sock.sendto(w.query(8, 'asked.test'), (scripted.address, 53))
                yield
                yield sock.recv(512)
        with lab.node.steps(once) as client:
            client.next()
            scripted.send(unasked, scripted.take()[1])
            assert client.next() == unasked, 'it passes all the same'
    after = scrape(lab)

    def grew(key):
        return after[key] - before[key]
    assert grew('snooper_answers_learned_total') == 7
    assert grew('snooper_facts_new_total') == 7
    assert grew('snooper_queries_noted_total') == 11
    assert grew('snooper_answers_refused_total{reason="rebind_blocked"}') == 3
    refused = sum(grew(key) for key in after if key.startswith('snooper_answers_refused_total'))
    assert refused == 4, 'three rebindings, and an answer to another question'


def test_2_8_a_refused_caller_counts(lab, snooperd):
    key = 'snooper_grpc_refused_total{reason="protocol"}'
    before = scrape(lab)[key]
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(snooperd.socket)
        sock.sendall(b'no HTTP/2 at all, and long enough to see it' * 10)
        wait_until(lambda: scrape(lab)[key] == before + 1, what='counted')


def test_2_8_no_name_and_no_address_ever(lab, snooperd):
    names = [f'secret{i}.hidden{i}.test' for i in range(40)]
    queries = [w.query(1000 + i, name) for i, name in enumerate(names)]
    assert len(lab.node.call(ask, lab.outside.ip4, queries)) == len(queries)
    lab.outside.add_addresses('10.53.0.77/24')
    with Scripted(lab.outside, '10.53.0.77', answer):  # nobody trusts it
        lab.node.call(ask, '10.53.0.77', [w.query(2000, 'untrusted.test')])
    listed = snooperd.wait_for(*names)
    status = snooperd.status()
    assert '10.53.0.77' in [s['address'] for s in status['untrusted_servers']]
    text = request(lab)[2].lower()
    known = set(names) | {label for name in names for label in name.split('.')[:2]}
    known |= {a['address'] for line in listed.values() for a in line['addresses']}
    known |= {'untrusted.test', 'metrics.test', lab.node.ip4, lab.node.ip6, lab.outside.ip4, lab.outside.ip6,
              '10.53.0.77', '127.0.0.1', lab.node.cgroup, snooperd.dir}
    assert len(known) > 120
    assert not [k for k in known if k.lower() in text]
    assert not re.search(r'\b\d+\.\d+\.\d+\.\d+\b|[0-9a-f]*::[0-9a-f]', text)
    # Nor anything else that somebody else could have chosen: these labels, and plain words.
    labels = re.findall(r'[{,](\w+)="([^"]*)"', text)
    assert {label for label, _ in labels} == {'version', 'mode', 'reason', 'map', 'cause', 'endpoint', 'verdict'}
    assert {value for label, value in labels if label == 'endpoint'} == {'pods'}, "the configuration's word"
    assert all(re.fullmatch(r'[a-z0-9_.-]+', value) for _, value in labels)


def test_2_8_tables_and_their_room(run):
    """A table's rows are counted at the start's whole reading, and its room is what is pinned."""
    with Lab(run) as lab:
        limits = {'names': 500, 'facts': 600, 'rows': 700}
        snooperd = Snooperd(lab, {'export': {'metrics': AT}, 'limits': limits}).start()
        with Scripted(lab.outside, lab.outside.ip4, answer):
            resolve(lab, 0, 50)
        samples = scrape(lab)
        assert [samples[f'snooper_map_max_rows{{map="{m}"}}'] for m in ('names', 'learned', 'granted')] \
            == [500, 600, 700]
        assert samples['snooper_map_rows{map="learned"}'] == 0, 'as of the last whole reading'
        assert snooperd.stop() == 0
        snooperd.start()
        samples = scrape(lab)
        assert samples['snooper_map_rows{map="learned"}'] == 50
        assert samples['snooper_map_rows{map="names"}'] == 50


def test_2_8_the_process(lab, snooperd):
    samples = scrape(lab)
    with open(f'/proc/{snooperd.pid}/stat') as stat, open('/proc/stat') as host:
        ticks = int(stat.read().rpartition(')')[2].split()[19])
        boot = int(re.search(r'^btime (\d+)', host.read(), re.M).group(1))
    assert abs(samples['process_start_time_seconds'] - boot - ticks / os.sysconf('SC_CLK_TCK')) < 2
    fds = len(os.listdir(f'/proc/{snooperd.pid}/fd'))
    assert fds <= samples['process_open_fds'] <= fds + 2, 'the scrape itself has one or two'
    with open(f'/proc/{snooperd.pid}/statm') as statm:
        size, resident = (int(n) * os.sysconf('SC_PAGESIZE') for n in statm.read().split()[:2])
    assert abs(samples['process_resident_memory_bytes'] - resident) < 4 << 20
    assert abs(samples['process_virtual_memory_bytes'] - size) < 4 << 20
    assert 0 < samples['process_cpu_seconds_total'] <= scrape(lab)['process_cpu_seconds_total']


def test_2_8_paths_and_methods(lab, snooperd):
    status, headers, body = request(lab)
    assert status == 200 and body.endswith('\n')
    assert headers['Content-Type'] == 'text/plain; version=0.0.4; charset=utf-8'
    assert request(lab, path='/metrics?debug=1')[0] == 200
    assert request(lab, path='/healthz')[::2] == (200, 'OK\n')
    status, headers, body = request(lab, 'HEAD')
    assert (status, body) == (200, '') and int(headers['Content-Length']) > 5000
    for path in '/', '/metric', '/metrics/', '//metrics', '/metrics/../metrics', '/%6detrics', '/favicon.ico':
        assert request(lab, path=path)[0] == 404, path
    for method in 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE', 'BREW':
        status, headers, _ = request(lab, method)
        assert (status, headers['Allow']) == (405, 'GET, HEAD'), method
        assert request(lab, method, '/other')[0] == 404, method


def test_2_8_what_is_too_large_is_refused(lab, snooperd):
    assert request(lab, 'POST', body='x' * BODY_BYTES)[0] == 405
    assert request(lab, 'POST', body='x' * (BODY_BYTES + 1))[0] == 413
    with connect(lab) as sock:
        sock.sendall(b'GET /metrics HTTP/1.1\r\nX: ')
        with pytest.raises(ConnectionError):
            for _ in range(1024):
                sock.sendall(b'x' * HEADER_BYTES)
    for rubbish in b'\0' * 100 + b'\r\n\r\n', b'\x16\x03\x01\x02\x00\x01' * 20 + b'\n\n', b'GET\r\n\r\n', b'\r\n' * 50:
        with connect(lab) as sock:
            sock.sendall(rubbish)
            sock.shutdown(socket.SHUT_WR)
            sock.settimeout(20 * PATIENCE)
            try:
                assert b'snooper_' not in sock.recv(65536)
            except ConnectionError:
                pass
    assert request(lab)[0] == 200


def test_2_8_two_scrapes_at_once(lab, snooperd):
    """Two connections, both open before either asks; whole answers to both."""
    with connect(lab) as one, connect(lab) as two:
        for sock in one, two:
            sock.sendall(b'GET /metrics HTTP/1.1\r\nHost: x\r\n')
        for sock in two, one:
            sock.sendall(b'\r\n')
        for sock in one, two:
            text = b''.join(iter(lambda: sock.recv(65536), b'')).decode()
            head, _, body = text.partition('\r\n\r\n')
            assert head.startswith('HTTP/1.1 200') and f'Content-Length: {len(body)}\r' in head
            assert 'snooper_ring_lost_total' in names_in(parse(body))


def test_2_8_slow_clients_hurt_nobody(lab, snooperd):
    """Clients that send next to nothing: scrapes, learning and snooperctl go on, and they are sent away."""
    before = scrape(lab)
    slow = [connect(lab) for _ in range(CONNECTIONS - 2)]
    for sock in slow:
        sock.sendall(b'GET /metrics HT')
    resolve(lab, 300, 2)
    snooperd.wait_for('m301.metrics.test')
    assert scrape(lab)['snooper_answers_learned_total'] == before['snooper_answers_learned_total'] + 2
    poller = select.poll()
    for sock in slow:
        poller.register(sock, select.POLLIN)

    def dribble():
        """A byte now and then does not buy time."""
        for sock in slow:
            try:
                sock.send(b'T')
            except ConnectionError:
                pass
        return len(poller.poll(100)) == len(slow)
    wait_until(dribble, deadline=3 * SECONDS, what='all of them sent away')
    for sock in slow:
        sock.close()
    assert scrape(lab)['snooper_metrics_timeouts_total'] == before['snooper_metrics_timeouts_total'] + len(slow)


def test_2_8_no_more_connections_than_allowed(lab, snooperd):
    """With every place taken the next ones wait for one, and no descriptors are used up; then they are served."""
    before = scrape(lab)
    held = [connect(lab) for _ in range(4 * CONNECTIONS)]
    for sock in held:
        sock.sendall(b'GET /healthz HTTP/1.0\r\n')

    def fds():
        return len(os.listdir(f'/proc/{snooperd.pid}/fd'))
    idle = before['process_open_fds'] - 1
    wait_until(lambda: fds() >= idle + CONNECTIONS, what='all places taken')
    assert fds() <= idle + CONNECTIONS + 2
    assert snooperd.ctl('status').returncode in (0, 5), 'only scrapes have to wait'
    for sock in held:
        sock.sendall(b'\r\n')
    for sock in held:
        assert sock.recv(4096).startswith(b'HTTP/1.0 200')
        sock.close()
    after = scrape(lab)
    assert after['snooper_metrics_waits_total'] > before['snooper_metrics_waits_total']
    wait_until(lambda: fds() <= idle + 1, what='all descriptors given back')


def test_2_8_a_scrape_takes_nothing_from_who_comes_next(lab, snooperd):
    """Whoever gets the descriptor that a scrape has given back is heard to the last byte, however slowly it speaks."""
    for _ in range(20):
        scrape(lab)
        with h2.Raw(snooperd.socket) as raw:
            for byte in h2.call(1, '/snooper.v1.Status/Get'):
                assert raw.send(bytes([byte]))
            assert any(stream == 1 and flags & h2.END_STREAM for _, flags, stream, _ in iter(raw.frame, None))


def test_2_8_an_address_that_is_taken_is_an_error(lab, snooperd):
    second = Snooperd(lab, {'export': {'metrics': AT}}, name='second')
    done = second.once()
    assert done.returncode == 1
    assert f'key=export.metrics address={AT} reason="Address already in use"' in done.stderr
    foreign = Snooperd(lab, {'export': {'metrics': '192.0.2.1:9953'}}, name='third').once()
    assert foreign.returncode == 1
    assert 'key=export.metrics address=192.0.2.1:9953 reason="Cannot assign requested address"' in foreign.stderr
    bad = Snooperd(lab, {'export': {'metrics': 'localhost:9953'}}, name='fourth').once('-n')
    assert bad.returncode == 2
    assert "error: export.metrics: 'localhost:9953' is not IP:PORT" in bad.stderr


@pytest.mark.parametrize('value', [None, 'off', ''])
def test_2_8_off(run, value):
    with Lab(run) as lab:
        snooperd = Snooperd(lab, {'export': {'metrics': value}}).start()
        assert 'metrics' not in snooperd.output()
        with pytest.raises(ConnectionRefusedError):
            connect(lab)


def test_2_8_ipv6_and_a_restart(run):
    """The port is free at once for the next snooperd; a reload with another address says what it needs."""
    with Lab(run) as lab:
        snooperd = Snooperd(lab, {'export': {'metrics': f'[::1]:{PORT}'}}).start()
        assert request(lab, address='::1')[0] == 200
        assert snooperd.stop() == 0
        snooperd.start()
        held = connect(lab, '::1')
        assert request(lab, address='::1')[0] == 200
        snooperd.conf['export']['metrics'] = 'off'
        snooperd.write_conf()
        assert snooperd.ctl('reload').returncode == 0
        assert 'event=reload-kept key=export.metrics needs=restart' in snooperd.output()
        assert request(lab, address='::1')[0] == 200
        assert snooperd.stop() == 0, 'with a connection that is open'
        held.close()

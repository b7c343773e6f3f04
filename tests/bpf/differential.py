#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Gives messages to the kernel and to another parser, and explains every difference or fails.

    differential.py DRIVER      20,000 generated messages and all of tests/data;
                                LONG=1: 200,000; SEED=n: other ones.
"""

import collections
import glob
import json
import os
import random
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

import answers  # noqa: E402
import differences  # noqa: E402
import opinion  # noqa: E402
import pcap  # noqa: E402

DATA = os.path.join(HERE, '..', 'data')
LONGEST = 65507


def of_data():
    """(where from, message), as found and once more with a header that lets the rest be read."""
    for path in sorted(glob.glob(os.path.join(DATA, '*', '*'))):
        place = os.path.relpath(path, DATA)
        if os.path.basename(path).startswith('LICENSE'):
            continue
        if path.endswith('.pcap'):
            found = list(pcap.messages(path))
        else:
            with open(path, 'rb') as f:
                found = [f.read()]
        for i, wire in enumerate(found):
            yield f'{place}#{i}', wire
            yield f'{place}#{i}+header', answers.past_the_header(wire)


def generated(count, seeds, rng):
    pool = [answers.answer(rng) for _ in range(500)] + [m for m in seeds if len(m) < 3000]
    for i in range(count):
        if i % 500 == 0:
            yield f'costly#{i}', answers.costly(rng)
        elif i % 100 == 0:
            yield f'pointers#{i}', answers.pointers(rng)
        elif i % 2:
            yield f'generated#{i}', answers.answer(rng)
        else:
            yield f'mutated#{i}', answers.mutate(rng, rng.choice(pool), pool)


def kernel(driver, messages):
    """The driver's line for each message."""
    with tempfile.TemporaryFile() as f:
        for _, wire in messages:
            f.write(struct.pack('<I', len(wire)) + wire)
        f.seek(0)
        run = subprocess.run([driver], stdin=f, stdout=subprocess.PIPE, check=False)
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    if run.returncode or len(lines) != len(messages):
        sys.exit(f'{driver}: exit {run.returncode}, {len(lines)} lines for {len(messages)} messages')
    return lines


def compare(messages, lines):
    """Tallies: of verdicts, and of differences by their explanation."""
    verdicts, explained, unexplained = collections.Counter(), collections.Counter(), []
    for (place, wire), line in zip(messages, lines):
        verdicts[line['verdict']] += 1
        second = opinion.Opinion(wire)
        other = second.as_kernel()
        found = {differences.note(text) or text for text in second.notes}
        if line['verdict'] != other['verdict'] or (line['verdict'] == 'ok' and any(line[k] != other[k] for k in other)):
            found.add(differences.explain(line, other, second) or 'the kernel differs')
        explained.update(found & differences.WHY.keys())
        if found - differences.WHY.keys():
            unexplained.append((place, wire, line, other, found - differences.WHY.keys()))
    return verdicts, explained, unexplained


def main():
    count = 200000 if os.environ.get('LONG') else 20000
    seed = int(os.environ.get('SEED', '1'))
    rng = random.Random(seed)
    data = list(of_data())
    longer = [place for place, wire in data if len(wire) > LONGEST]
    messages = [(place, wire) for place, wire in data if len(wire) <= LONGEST]
    messages += generated(count, [wire for _, wire in messages], rng)
    lines = kernel(sys.argv[1], messages)
    verdicts, explained, unexplained = compare(messages, lines)

    packets = sum(line['via'] == 'packet' for line in lines)
    print(f'{len(messages)} messages (seed {seed}), {len(data) - len(longer)} of tests/data, {packets} as packets; '
          f'longer than a datagram: {len(longer)}')
    print('the kernel: ' + ', '.join(f'{k} {n}' for k, n in verdicts.most_common()))
    for why in differences.WHY:
        print(f'  {explained[why]:6d} {why}: {differences.WHY[why]}')
    for place, wire, line, other, found in unexplained[:10]:
        print(f'UNEXPLAINED {place}: {", ".join(sorted(found))}\n  message {wire.hex()}\n  kernel  {json.dumps(line)}\n  other   {json.dumps(other)}')
    print(f'{len(messages) - len(unexplained)} agreed or explained, {len(unexplained)} not')
    return 1 if unexplained else 0


if __name__ == '__main__':
    sys.exit(main())

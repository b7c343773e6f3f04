#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The compiled tables against Python's `re`: random selectors, beside each other, and random names.

    match_differential.py MATCH_ANSWERS     100,000 pairs of a selector and a name;
                                            LONG=1: 1,000,000; SEED=n: other ones

What a matchPattern means is said once more here, as a regular expression. Names are drawn from
the selectors, from selectors with a character changed, and at random. The shares are printed.
"""
import collections
import os
import random
import re
import subprocess
import sys

CHARS = '[-a-z0-9_]'
PAIRS = 1_000_000 if os.environ.get('LONG') else 100_000
LETTERS = 'aab1-_'
MORE_LETTERS = 'abcdefghijklmnopqrst0123456789-_'
ODD = '*', '\\.', '\\032', '\\195', '/'


def pattern_regex(text):
    """matchPattern (and matchName, which has no star) over the name with its final dot."""
    text = text.lower()
    if not text.endswith('.'):
        text += '.'
    if re.fullmatch(r'\*+\.', text):
        return rf'({CHARS}+\.)+|\.'
    deep = re.match(r'\*\*+\.', text)
    out = rf'({CHARS}+\.)+' if deep else ''
    for run in re.findall(r'\*+|[^*]', text[deep.end():] if deep else text):
        out += f'{CHARS}*' if run[0] == '*' else re.escape(run)
    return out


class Selector:
    def __init__(self, kind, text, sample):
        self.kind, self.text, self.sample = kind, text, sample
        rx = text if kind == 'regex' else pattern_regex(text)
        self.regex = re.compile(rx, re.IGNORECASE | re.ASCII | re.DOTALL)

    def matches(self, labels):
        """labels: of one character each where they are plain, an escape else."""
        if any(c in ODD for label in labels for c in label):
            return False
        name = '.'.join(''.join(label) for label in labels)
        return bool(self.regex.fullmatch(name if self.kind == 'regex' else name + '.'))


class Draw:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.letters = LETTERS

    def word(self, most=4):
        return ''.join(self.r.choice(self.letters) for _ in range(self.r.randint(1, most)))

    # --- patterns -------------------------------------------------------------

    def label_pattern(self):
        stars = self.r.choice((0, 0, 0, 1, 1, 1, 2, 3) if self.letters is LETTERS else (0, 0, 1))
        if not stars:
            return self.word()
        parts = [self.word(2) if self.r.random() < 0.7 else '' for _ in range(stars + 1)]
        star = self.r.choice(('*', '*', '*', '**'))
        return star.join(parts)

    def pattern(self):
        what = self.r.random()
        if what < 0.02:
            return self.r.choice(('*', '**', '*.', '.', '***'))
        labels = [self.label_pattern() for _ in range(self.r.choice((1, 2, 2, 3, 3, 4)))]
        if what < 0.15:
            labels.insert(0, self.r.choice(('**', '***')))
        elif what < 0.3:
            labels.insert(0, '*')
        return self.dress('.'.join(labels))

    def dress(self, text):
        """Case and the final dot make no difference."""
        if self.r.random() < 0.2:
            text = ''.join(self.r.choice((c.upper(), c)) for c in text)
        return text + '.' if self.r.random() < 0.3 else text

    def fill(self, pattern):
        """A name that the pattern matches."""
        text = pattern.rstrip('.')
        if not text.strip('*'):
            return '.'.join(self.word() for _ in range(self.r.randint(1, 3)))
        deep = re.match(r'\*\*+\.', text)
        if deep:
            more = '.'.join(self.word() for _ in range(self.r.randint(1, 3)))
            text = more + text[deep.end() - 1:]
        return re.sub(r'\*+', lambda m: self.word() if self.r.random() < 0.7 else '', text)

    # --- regular expressions: each part with a text that it matches ------------------

    def atom(self, depth):
        what = self.r.randint(0, 9 if depth else 7)
        c = self.r.choice(LETTERS)
        if what <= 2:
            return re.escape(c), c
        if what == 3:
            return r'\.', '.'
        if what == 4:
            return '.', self.r.choice(LETTERS + '.')
        if what == 5:
            return self.r.choice(((r'\d', '1'), (r'\w', 'a'), (r'\D', 'b'), (r'\W', '-')))
        if what == 6:
            return self.r.choice((('[ab]', 'b'), ('[^a]', '1'), ('[a-f0-3]', 'c'), ('[^.]', 'a'),
                                  ('[-_.]', '.'), (r'[\w-]', '_'), (r'[^\d]', 'a')))
        if what == 7:
            return 'ab', 'ab'
        inside, sample = self.alternatives(depth - 1)
        return self.r.choice((f'({inside})', f'(?:{inside})')), sample

    def repeated(self, depth):
        """Also: whether it can go on without end, which is not nested, for the sake of `re`."""
        text, sample = self.atom(depth)
        what = self.r.randint(0, 9)
        if what > 5 or len(text) > 1 and text[0] not in '([\\':
            return text, sample
        if text[0] == '(' and re.search(r'[*+,]', text):
            what = 0
        n = self.r.randint(1, 3)
        times, count = (('?', n % 2), ('{2}', 2), ('{1,3}', n), ('*', n - 1), ('+', n),
                        ('{2,}', n + 1))[what]
        return text + times + self.r.choice(('', '', '?')), sample * count

    def sequence(self, depth):
        parts = [self.repeated(depth) for _ in range(self.r.randint(1, 4))]
        return ''.join(p[0] for p in parts), ''.join(p[1] for p in parts)

    def alternatives(self, depth):
        ways = [self.sequence(depth) for _ in range(self.r.choice((1, 1, 2, 3)))]
        return '|'.join(w[0] for w in ways), self.r.choice(ways)[1]

    def regex(self):
        text, sample = self.alternatives(2)
        return (f'^(?:{text})$' if self.r.random() < 0.2 else text), sample

    # --- both -----------------------------------------------------------------

    def selector(self):
        what = self.r.random()
        if what < (0.25 if self.letters is LETTERS else 0.01):
            return Selector('regex', *self.regex())
        if what < 0.4:
            text = '.'.join(self.word() for _ in range(self.r.randint(1, 4)))
            return Selector('name', self.dress(text), text)
        text = self.pattern()
        return Selector('pattern', text, None)

    def change(self, labels):
        """One character changed, gone or more."""
        label = self.r.choice(labels)
        at = self.r.randrange(len(label))
        new = self.r.choice((*LETTERS, *ODD) if self.r.random() < 0.5 else (*LETTERS, ''))
        label[at:at + self.r.randint(0, 1)] = [new] if new else []

    def name(self, selectors):
        """Labels, each a list of characters and escapes; or None if it came out as no name."""
        if self.r.random() < 0.1:
            text = '.'.join(self.word() for _ in range(self.r.randint(0, 4)))
        else:
            s = self.r.choice(selectors)
            text = self.fill(s.text) if s.sample is None else s.sample
        text = text.lower().rstrip('.')
        labels = [list(label) for label in text.split('.')] if text else []
        if labels and self.r.random() < 0.25:
            if not all(labels):
                return None
            self.change(labels)
        if not all(labels) or any(len(label) > 63 for label in labels):
            return None
        return labels if sum(len(label) + 1 for label in labels) < 255 else None


class Answers:
    def __init__(self, path):
        self.p = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def tell(self, lines):
        self.p.stdin.write(''.join(f'{line}\n' for line in lines))
        self.p.stdin.flush()

    def compile(self, selectors):
        self.tell(['reset', *(f'{s.kind} {s.text}' for s in selectors), 'compile'])
        return self.p.stdout.readline().split()

    def walk(self, names):
        self.tell(f'walk {n}' for n in names)
        return [self.p.stdout.readline().rstrip('\n') for _ in names]

    def close(self):
        self.p.stdin.close()
        return self.p.wait()


def written(labels):
    return '.'.join(''.join(label) for label in labels) or '.'


def batch(draw, answers, count, number):
    large = number % 50 == 0
    # Many beside each other are of many letters, or, seldom, of so few that they must be kept apart.
    draw.letters = MORE_LETTERS if large and number % 200 else LETTERS
    n = draw.r.choice((1, 2, 5, 20)) if not large else 400 if number % 200 else 60
    selectors = [draw.selector() for _ in range(n)]
    said = answers.compile(selectors)
    if said[0] == 'refused':
        # For their number, or a regular expression for its size alone.
        refused = {int(i) for i in said[1:]}
        assert refused, [(s.kind, s.text) for s in selectors]
        assert large or all(selectors[i].kind == 'regex' for i in refused), (said, selectors)
        count['refused'] += len(refused)
        selectors = [s for i, s in enumerate(selectors) if i not in refused]
        said = answers.compile(selectors)
        assert said[0] == 'ok', said
    count['selectors'] += len(selectors)
    count['banks ' + said[1]] += 1
    names = [n for n in (draw.name(selectors) for _ in range(10 if large else 40)) if n is not None]
    for labels, line in zip(names, answers.walk([written(n) for n in names])):
        got = {int(i) for i in line.split()}
        assert len(got) == len(line.split()), line
        for i, s in enumerate(selectors):
            want = s.matches(labels)
            assert (i in got) == want, f'{s.kind} {s.text!r} {written(labels)!r}: re says {want}'
            count['pairs'] += 1
            count[f'{s.kind} pairs'] += 1
            count[f'{s.kind} matched'] += want
        count['names'] += 1
        count['names matched'] += bool(got)
        count['names matched by several'] += len(got) > 1


def main():
    seed = int(os.environ.get('SEED', '1'))
    draw, answers, count = Draw(seed), Answers(sys.argv[1]), collections.Counter()
    batches = 0
    print(f'match_differential.py: seed {seed}', flush=True)
    while count['pairs'] < PAIRS:
        batches += 1
        batch(draw, answers, count, batches)
    assert answers.close() == 0
    shares = {kind: count[f'{kind} matched'] / count[f'{kind} pairs']
              for kind in ('name', 'pattern', 'regex')}
    print(f"{count['pairs']} pairs agree in {batches} batches ("
          + ', '.join(f'{n} of {k}' for k, n in sorted(count.items()) if k.startswith('banks'))
          + f"); {count['refused']} of {count['selectors']} selectors did not fit")
    print('matched: ' + ', '.join(f'{share:.1%} of {kind} pairs' for kind, share in shares.items())
          + f", {count['names matched'] / count['names']:.0%} of {count['names']} names, "
          f"{count['names matched by several'] / count['names']:.0%} by several")
    assert count['refused'] < count['selectors'] / 100
    assert min(shares.values()) > 0.03 and count['names matched'] > count['names'] / 3


main()

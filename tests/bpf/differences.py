# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Every difference between parsers that is known and meant; differences.md says why each is."""

import re

# By key: what differs. steps: the kernel and opinion.py; the others: opinion.py and dnspython.
WHY = {
    'steps': 'a message of very many labels is refused for its cost',
    'owner-repeated': 'an owner that is one pointer to the current name is not spelled out again: no jump too many',
    'into-the-header': 'dnspython follows a pointer into the header',
    'first-fault': 'two faults in a name: dnspython names the other one',
    'binding-values': 'dnspython refuses values of service parameters that the walker does not read',
    'binding-laxer': 'dnspython takes a key twice, and hints without an address',
}

# Notes of opinion.py, by pattern.
NOTES = (
    (r'name: pointer, dnspython: (ok|another|cut|label_type|name_long|jumps)', 'into-the-header'),
    (r'name: name_long, dnspython: (cut|pointer|label_type|jumps)', 'first-fault'),
    (r'name: jumps, dnspython: (cut|pointer|label_type|name_long)', 'first-fault'),
    (r'owner repeated', 'owner-repeated'),
    (r'binding: ok, dnspython: refused', 'binding-values'),
    (r'binding: svcb, dnspython: ok', 'binding-laxer'),
)

LABELS_FOR_STEPS = 4096  # fewer never cost 16,384 steps


def note(text):
    """Key of a note, or None: not explained."""
    for pattern, key in NOTES:
        if re.fullmatch(pattern, text):
            return key
    return None


def explain(kernel, other, opinion):
    """Key for a difference between the kernel's line and opinion.py's, or None."""
    if kernel['verdict'] == 'steps' and opinion.labels > LABELS_FOR_STEPS:
        return 'steps'
    return None

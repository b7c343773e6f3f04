# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Run a program that may not mark its sockets: without_mark.py PROGRAM ARGUMENT...

As in a container that lacks CAP_NET_ADMIN, setsockopt(SO_MARK) is EPERM; the rest is as it was.
"""
import ctypes
import os
import platform
import socket
import struct
import sys

NR_SETSOCKOPT = {'x86_64': 54, 'aarch64': 208}[platform.machine()]
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
LOAD, IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # linux/filter.h
ALLOW, EPERM = 0x7fff0000, 0x00050001  # linux/seccomp.h
NR, LEVEL, NAME = 0, 24, 32  # of struct seccomp_data: nr, args[1], args[2]

program = [(LOAD, 0, 0, NR), (IF_EQUAL, 0, 5, NR_SETSOCKOPT),
           (LOAD, 0, 0, LEVEL), (IF_EQUAL, 0, 3, socket.SOL_SOCKET),
           (LOAD, 0, 0, NAME), (IF_EQUAL, 0, 1, socket.SO_MARK),
           (RETURN, 0, 0, EPERM), (RETURN, 0, 0, ALLOW)]
code = ctypes.create_string_buffer(b''.join(struct.pack('=HBBI', *each) for each in program))
filter_ = ctypes.create_string_buffer(struct.pack('@HP', len(program), ctypes.addressof(code)))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(filter_), 0, 0):
    raise OSError(ctypes.get_errno(), 'seccomp')
os.execvp(sys.argv[1], sys.argv[1:])

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * confine.h - a snooperd that has started gives up what it no longer needs.
 *
 * io: logs what it did, in one line. What stays:
 *   CAP_NET_ADMIN   attaching to cgroups on a reload; SO_MARK of the looks at the proxy
 *   CAP_SYS_PTRACE  the sockets of a proxy that is new or back, by pidfd_getfd(2)
 *   CAP_BPF         the map that a new generation of policy is written to
 * and the system calls of the list in confine.c. For good: no new privileges.
 */
#ifndef SNP_CONFINE_H
#define SNP_CONFINE_H

/* Value "off" leaves the system calls free, for a debugger or a sanitizer. */
#define CONFINE_SECCOMP_ENV "SNOOPERD_SECCOMP"

/*
 * Privileges are a thread's own, and handed down: to be called once, by the only thread, when everything
 * is open. 0, or -errno when capabilities could not be given up.
 */
int confine_privileges(void);
/* Of all threads, and none is made after it. A kernel without seccomp filters is warned about. */
void confine_calls(void);

#endif

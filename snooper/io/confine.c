/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/io/confine.h"

#include <asm/termbits.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "snooper/base/log.h"

#define KEPT	   (1ull << CAP_NET_ADMIN | 1ull << CAP_SYS_PTRACE | 1ull << CAP_BPF)
#define KEPT_NAMES "net_admin,sys_ptrace,bpf"

/* Without CAP_SETPCAP the set cannot be made smaller; a service manager has done it then. */
static void drop_bounding(void)
{
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (!(KEPT >> cap & 1) && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
}

static bool is_narrowed(void)
{
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (!(KEPT >> cap & 1) && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			return false;
	return true;
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capget, &head, data))
		return -errno;
	for (int i = 0; i < 2; i++) {
		data[i].permitted &= (uint32_t)(KEPT >> (32 * i));
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	return syscall(SYS_capset, &head, data) ? -errno : 0;
}

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#endif

/* Higher numbers came later than Linux 6.1: a libc that tries one goes on with what it had. */
#define LAST_KNOWN_CALL 450
#define X32_BIT		0x40000000u

#define REFUSE (SECCOMP_RET_ERRNO | EPERM)

enum check {
	ANY = 0,
	ONE_OF,	 /* the argument is one of the values */
	LACKS,	 /* the argument has none of the first value's bits */
	OURSELF, /* the argument is our process */
};

struct call {
	int nr;
	enum check check;
	unsigned int arg;
	uint32_t values[3];
	unsigned int n;
};

#define CALL(name)                                                                                 \
	{                                                                                          \
		.nr = __NR_##name                                                                  \
	}

/* clang-format off */
static const struct call calls[] = {
	/* what is open: the loop, maps, sockets (the kernel remembers which calls always pass) */
	CALL(epoll_pwait), CALL(bpf), CALL(read), CALL(write), CALL(recvfrom), CALL(sendto),
	CALL(recvmsg), CALL(sendmsg), CALL(readv), CALL(writev), CALL(close), CALL(epoll_ctl),
	CALL(accept4), CALL(connect), CALL(bind), CALL(listen), CALL(shutdown), CALL(getsockname),
	CALL(getpeername), CALL(getsockopt), CALL(setsockopt), CALL(recvmmsg), CALL(sendmmsg),
	CALL(socketpair), CALL(pidfd_open), CALL(pidfd_getfd),
	{__NR_socket, ONE_OF, 0, {AF_UNIX, AF_INET, AF_INET6}, 3},
	{__NR_ioctl, ONE_OF, 1, {FIONREAD, FIONBIO, TCGETS}, 3},
	/* files: configuration, certificates, cgroups, pins, what state.directory holds */
	CALL(openat), CALL(newfstatat), CALL(fstat), CALL(statx), CALL(statfs), CALL(fstatfs),
	CALL(lseek), CALL(pread64), CALL(pwrite64), CALL(getdents64), CALL(readlinkat),
	CALL(faccessat), CALL(faccessat2), CALL(fcntl), CALL(flock), CALL(dup), CALL(dup3),
	CALL(unlinkat), CALL(mkdirat), CALL(renameat), CALL(renameat2), CALL(fsync),
	CALL(fdatasync), CALL(ftruncate), CALL(fallocate), CALL(fchmod), CALL(fchmodat),
	CALL(umask), CALL(getcwd),
	/* memory, never executable */
	{__NR_mmap, LACKS, 2, {PROT_EXEC}, 1},
	{__NR_mprotect, LACKS, 2, {PROT_EXEC}, 1},
	CALL(munmap), CALL(mremap), CALL(madvise), CALL(brk),
	/* time, signals, ourself */
	CALL(clock_gettime), CALL(clock_nanosleep), CALL(nanosleep), CALL(gettimeofday),
	CALL(ppoll), CALL(pselect6), CALL(epoll_create1), CALL(eventfd2), CALL(pipe2),
	CALL(timerfd_create), CALL(timerfd_settime), CALL(rt_sigaction), CALL(rt_sigprocmask),
	CALL(rt_sigreturn), CALL(sigaltstack), CALL(restart_syscall), CALL(getrandom),
	CALL(futex), CALL(getpid), CALL(gettid), CALL(getuid), CALL(geteuid), CALL(getgid),
	CALL(getegid), CALL(uname), CALL(sysinfo), CALL(getrusage), CALL(sched_getaffinity),
	CALL(sched_yield), CALL(exit), CALL(exit_group),
	{__NR_prlimit64, ONE_OF, 0, {0}, 1}, /* our own */
	{__NR_tgkill, OURSELF, 0, {0}, 1}, /* abort(3) */
#ifdef __x86_64__
	CALL(epoll_wait), CALL(poll), CALL(select), CALL(open), CALL(stat), CALL(lstat),
	CALL(access), CALL(readlink), CALL(unlink), CALL(mkdir), CALL(rmdir), CALL(rename),
	CALL(chmod), CALL(dup2), CALL(time), CALL(accept), CALL(getdents),
#endif
};
/* clang-format on */
#define N_CALLS (sizeof(calls) / sizeof(calls[0]))

#ifdef ARCH
#define PER_CALL 8 /* instructions, at most */

struct filter {
	struct sock_filter code[8 + PER_CALL * N_CALLS];
	unsigned short n;
};

static void stmt(struct filter *f, uint16_t code, uint32_t k)
{
	f->code[f->n++] = (struct sock_filter)BPF_STMT(code, k);
}

static void jump(struct filter *f, uint16_t code, uint32_t k, uint8_t if_true, uint8_t if_false)
{
	f->code[f->n++] = (struct sock_filter)BPF_JUMP(code, k, if_true, if_false);
}

/* With the call's number loaded: allow or refuse this one, or fall through to the next. */
static void add_call(struct filter *f, const struct call *c)
{
	uint32_t arg_low = (uint32_t)(offsetof(struct seccomp_data, args) + 8 * c->arg);
	uint8_t n = (uint8_t)c->n;

	if (c->check == ANY) {
		jump(f, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)c->nr, 0, 1);
		stmt(f, BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
		return;
	}
	jump(f, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)c->nr, 0, (uint8_t)(n + 3));
	stmt(f, BPF_LD | BPF_W | BPF_ABS, arg_low);
	for (uint8_t i = 0; i < n; i++) {
		uint32_t value = c->check == OURSELF ? (uint32_t)getpid() : c->values[i];

		if (c->check == LACKS)
			jump(f, BPF_JMP | BPF_JSET | BPF_K, value, 0, 1);
		else
			jump(f, BPF_JMP | BPF_JEQ | BPF_K, value, (uint8_t)(n - i), 0);
	}
	stmt(f, BPF_RET | BPF_K, REFUSE);
	stmt(f, BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
}

/*
 * What is not listed fails with EPERM, and the kernel logs it: a call that we
 * forgot costs one feature and shows, where a killed daemon would cost all of
 * them, again after each restart. Another architecture's numbers can only come
 * from code that is not ours: those kill.
 */
static int filter_calls(void)
{
	struct filter f = {.n = 0};
	struct sock_fprog prog = {.filter = f.code};

	stmt(&f, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
	jump(&f, BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
	stmt(&f, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	stmt(&f, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < N_CALLS; i++)
		add_call(&f, &calls[i]);
	jump(&f, BPF_JMP | BPF_JSET | BPF_K, X32_BIT, 0, 1);
	stmt(&f, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	jump(&f, BPF_JMP | BPF_JGT | BPF_K, LAST_KNOWN_CALL, 0, 1);
	stmt(&f, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
	stmt(&f, BPF_RET | BPF_K, REFUSE);
	prog.len = f.n;
	return syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER,
		       SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG, &prog)
		       ? -errno
		       : 0;
}
#else
static int filter_calls(void)
{
	return -EOPNOTSUPP;
}
#endif

/* Without system calls that are refused, for a debugger or a sanitizer. */
static bool is_open(void)
{
	const char *wish = getenv(CONFINE_SECCOMP_ENV);

	return wish && !strcmp(wish, "off");
}

int confine_privileges(void)
{
	int r;

	drop_bounding();
	r = drop_capabilities();
	if (r < 0) {
		log_err("event=confine-failed what=capabilities errno=%d", -r);
		return r;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_DUMPABLE, is_open() ? 1 : 0, 0, 0, 0)) {
		r = -errno;
		log_err("event=confine-failed what=prctl errno=%d", -r);
		return r;
	}
	return 0;
}

void confine_calls(void)
{
	bool open = is_open(), narrowed = is_narrowed(); /* prctl(2) is refused from then on */
	int seccomp = open ? 0 : filter_calls();

	if (seccomp < 0)
		log_warn("event=confine-partial what=seccomp errno=%d", -seccomp);
	log_info("event=confined capabilities=%s bounding_set=%s no_new_privs=yes dumpable=%s "
		 "seccomp=%s calls=%zu",
		 KEPT_NAMES, narrowed ? "narrowed" : "as_found", open ? "yes" : "no",
		 open || seccomp < 0 ? "off" : "on", N_CALLS);
}

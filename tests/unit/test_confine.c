/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What a confined process can still do, and what not: each row in a child that confines itself first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "snooper/base/log.h"
#include "snooper/io/confine.h"

#define KEPT (1ull << CAP_NET_ADMIN | 1ull << CAP_SYS_PTRACE | 1ull << CAP_BPF)

/* The wait status of a child that confines itself and then exits with what act() returned. */
static int confined(int (*act)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		log_set_level(LOG_LEVEL_ERR);
		if (confine_privileges())
			_exit(200);
		confine_calls();
		_exit(act());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

#define assert_errno(act, wanted)                                                                  \
	do {                                                                                       \
		int status_ = confined(act);                                                       \
                                                                                                   \
		assert_true(WIFEXITED(status_));                                                   \
		assert_int_equal(WEXITSTATUS(status_), wanted);                                    \
	} while (0)

static int failure(long r)
{
	return r < 0 ? errno : 0;
}

static int packet_socket(void)
{
	return failure(socket(AF_PACKET, SOCK_RAW, 0));
}

static int netlink_socket(void)
{
	return failure(socket(AF_NETLINK, SOCK_RAW, 0));
}

static int inet6_socket(void)
{
	return failure(socket(AF_INET6, SOCK_DGRAM, 0));
}

static int run_program(void)
{
	return failure(execl("/bin/true", "true", NULL));
}

static int new_process(void)
{
	return failure(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
}

static int trace_parent(void)
{
	return failure(ptrace(PTRACE_SEIZE, getppid(), 0, 0));
}

static int signal_parent(void)
{
	return failure(kill(getppid(), 0));
}

static int signal_thread_of_parent(void)
{
	return failure(syscall(SYS_tgkill, getppid(), getppid(), 0));
}

static int own_signal(void)
{
	return failure(syscall(SYS_tgkill, getpid(), getpid(), 0));
}

static int plain_memory(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? errno : failure(mprotect(p, 4096, PROT_READ));
}

static int executable_memory(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? errno : 0;
}

static int memory_made_executable(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? 201 : failure(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}

static int pending_bytes(void)
{
	int n, p[2] = {socket(AF_INET, SOCK_DGRAM, 0)};

	return failure(ioctl(p[0], FIONREAD, &n));
}

static int other_ioctl(void)
{
	char c = '\n';

	return failure(ioctl(0, TIOCSTI, &c));
}

static int read_file(void)
{
	char c;
	int fd = open("/proc/self/status", O_RDONLY);

	return fd < 0 ? errno : failure(read(fd, &c, 1));
}

static int other_user(void)
{
	return failure(syscall(SYS_setresuid, 1, 1, 1));
}

static int call_of_a_later_kernel(void)
{
	return failure(syscall(5000));
}

static void what_the_daemon_does_is_let_through(void **state)
{
	assert_errno(inet6_socket, 0);
	assert_errno(plain_memory, 0);
	assert_errno(pending_bytes, 0);
	assert_errno(read_file, 0);
	assert_errno(own_signal, 0);
}

static void what_it_never_does_is_refused(void **state)
{
	assert_errno(packet_socket, EPERM);
	assert_errno(netlink_socket, EPERM);
	assert_errno(run_program, EPERM);
	assert_errno(new_process, EPERM);
	assert_errno(trace_parent, EPERM);
	assert_errno(signal_parent, EPERM);
	assert_errno(signal_thread_of_parent, EPERM);
	assert_errno(executable_memory, EPERM);
	assert_errno(memory_made_executable, EPERM);
	assert_errno(other_ioctl, EPERM);
	assert_errno(other_user, EPERM);
}

static void a_call_of_a_later_kernel_is_unknown(void **state)
{
	assert_errno(call_of_a_later_kernel, ENOSYS);
}

#ifdef __x86_64__
static int x32_getpid(void)
{
	return failure(syscall(0x40000000 | SYS_getpid));
}

static int i386_getpid(void)
{
	long r;

	__asm__ volatile("int $0x80" : "=a"(r) : "a"(20L) : "memory");
	return r < 0 ? (int)-r : 0;
}

static void another_architecture_kills(void **state)
{
	int status = confined(x32_getpid);

	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
	status = confined(i386_getpid);
	assert_true(WIFSIGNALED(status));
	/* A kernel without 32-bit calls has none to refuse. */
	if (WTERMSIG(status) != SIGSEGV)
		assert_int_equal(WTERMSIG(status), SIGSYS);
}
#endif

static int own_state(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data))
		return errno;
	for (int i = 0; i < 2; i++) {
		uint32_t others = ~(uint32_t)(KEPT >> (32 * i));

		if (data[i].permitted & others || data[i].effective != data[i].permitted ||
		    data[i].inheritable)
			return 202;
	}
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 203;
	return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) ? 204 : 0;
}

/* The checks themselves need prctl(2), which the filter refuses. */
static void capabilities_and_privileges_are_given_up(void **state)
{
	setenv(CONFINE_SECCOMP_ENV, "off", 1);
	/* 204: with the filter off, a debugger may look. */
	assert_errno(own_state, 204);
	unsetenv(CONFINE_SECCOMP_ENV);
}

static int own_abort(void)
{
	abort();
}

static void a_failed_assertion_still_ends_by_its_signal(void **state)
{
	int status = confined(own_abort);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_daemon_does_is_let_through),
		cmocka_unit_test(what_it_never_does_is_refused),
		cmocka_unit_test(a_call_of_a_later_kernel_is_unknown),
#ifdef __x86_64__
		cmocka_unit_test(another_architecture_kills),
#endif
		cmocka_unit_test(capabilities_and_privileges_are_given_up),
		cmocka_unit_test(a_failed_assertion_still_ends_by_its_signal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Memory that ends at every single allocation in turn: -ENOMEM, and nothing lost.
 *
 * The allocator below stands in for libc's, for libyaml as well as for us.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "snooper/io/conf_host.h"
#include "snooper/io/conf_yaml.h"

#ifdef __SANITIZE_ADDRESS__

/* ASan brings an allocator of its own, and its own look at leaks. */
int main(void)
{
	puts("left to the builds without AddressSanitizer");
	return 0;
}

#else

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void __libc_free(void *p);

static bool counting;
static long left = -1; /* allocations until memory ends; below 0: it does not */
static long held;      /* allocations not yet freed */

/* May this one succeed? */
static bool grant(void)
{
	if (!counting || left < 0)
		return true;
	if (left == 0)
		return false;
	left--;
	return true;
}

static void *handed_out(void *p)
{
	if (counting && p)
		held++;
	return p;
}

void *malloc(size_t size)
{
	return grant() ? handed_out(__libc_malloc(size)) : NULL;
}

void *calloc(size_t n, size_t size)
{
	return grant() ? handed_out(__libc_calloc(n, size)) : NULL;
}

void *realloc(void *p, size_t size)
{
	void *q;

	if (!grant()) {
		errno = ENOMEM;
		return NULL;
	}
	q = __libc_realloc(p, size);
	return p ? q : handed_out(q);
}

void *reallocarray(void *p, size_t n, size_t size)
{
	return realloc(p, n * size);
}

void free(void *p)
{
	if (counting && p)
		held--;
	__libc_free(p);
}

static const char good[] =
	"observe: {cgroups: [/sys], resolvers: [10.0.0.1, '::1'], never_learn: [10.0.0.0/8]}\n"
	"endpoints: [{name: e, labels: {org: empire}, cgroup: /cg/e*}, {name: f, cgroup: /f}]\n"
	"proxy: {addresses: [127.0.0.1:53], cgroup: /sys, probe: {name: x.example}}\n"
	"ha: {node: n, peers: [unix:/peer, unix:/peer], tls: insecure}\n"
	"export: {listen: '0.0.0.0:3', tls: {ca: /etc/hosts, certificate: /etc/hosts,\n"
	"  key: /etc/hosts, admins: [x, y]}}\n"
	"log: {level: debug}\n";

static const char bad[] = "observe: {cgroups: [sys], prot: 53, port: 0}\n"
			  "endpoints: [{name: e, labels: {org: [x]}, cgroup: e}, 5]\n"
			  "policy: {mode: &a enforce, mode: *a, min_ttl: 5}\n";

struct outcome {
	int read, filled;
	size_t n_errors;
};

/* One reading in which the n-th allocation fails, and all after it. */
static struct outcome read_with(const char *yaml, long n)
{
	static const struct conf_host_files files = {"/proc/mounts", "/etc/resolv.conf"};
	struct outcome o = {0, 0, 0};
	struct conf_diag d = {0};
	struct snp_conf *c = NULL;

	held = 0;
	left = n;
	counting = true;
	o.read = conf_read_text("f", yaml, strlen(yaml), &c, &d);
	if (o.read == 0)
		o.filled = conf_fill_from_files(c, &files, &d);
	o.n_errors = d.n_errors;
	conf_diag_fini(&d);
	snp_conf_free(c);
	counting = false;
	return o;
}

static void sweep(const char *yaml, int read)
{
	struct outcome all = read_with(yaml, -1);
	long n = 0;

	assert_int_equal(all.read, read);
	assert_int_equal(held, 0);
	for (;; n++) {
		struct outcome o = read_with(yaml, n);

		assert_int_equal(held, 0);
		if (left > 0)
			break; /* there was enough */
		if (o.read == all.read && o.filled == all.filled)
			continue; /* it ended with the last one, or where libc copes */
		assert_true(o.read == -ENOMEM || o.filled == -ENOMEM);
		if (o.read == -ENOMEM) /* nothing was made up for want of memory */
			assert_true(o.n_errors <= all.n_errors);
	}
	print_message("%ld allocations\n", n);
	assert_true(n > 50);
}

static void a_good_file_is_read_whole_or_not_at_all(void **state)
{
	sweep(good, 0);
}

static void a_bad_file_is_bad_or_memory_is_short(void **state)
{
	sweep(bad, -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_file_is_read_whole_or_not_at_all),
		cmocka_unit_test(a_bad_file_is_bad_or_memory_is_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif

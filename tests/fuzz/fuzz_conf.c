/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * fuzz_conf.c - any bytes as snooper.yaml: an answer, the promises of the headers kept, nothing leaked.
 *
 *	clang -g -O1 -fsanitize=fuzzer,address,undefined -iquote . -D_GNU_SOURCE \
 *		tests/fuzz/fuzz_conf.c snooper/io/conf_*.c snooper/core/conf.c \
 *		snooper/core/name.c snooper/core/text.c -lyaml -o fuzz_conf
 *	./fuzz_conf -max_len=8192 tests/fuzz/corpus/conf
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/io/conf_yaml.h"
#include "tests/fuzz/fuzz_diag.h"

/* What later code relies on without looking. */
static void check_conf(const struct snp_conf *c)
{
	require(c->observe.port != 0);
	require(c->policy.min_ttl_ns <= c->policy.max_ttl_ns);
	require(c->limits.ring_bytes >= 4096 &&
		!(c->limits.ring_bytes & (c->limits.ring_bytes - 1)));
	require(c->proxy.n_addresses <= 8 && c->proxy.n_fallback <= 16);
	require(c->observe.n_resolvers <= 40);
	for (size_t i = 0; i < c->observe.n_cgroups; i++)
		require(c->observe.cgroups[i][0] == '/');
	for (size_t i = 0; i < c->proxy.n_fallback; i++)
		require(c->proxy.fallback[i].port != 0);
	for (size_t i = 0; i < c->n_endpoints; i++)
		require(c->endpoints[i].name && c->endpoints[i].cgroup);
	require(strlen(c->export.socket) < 108);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf_diag diag = {0};
	struct snp_conf *c = NULL;
	int r;

	r = conf_read_text("snooper.yaml", (const char *)data, size, &c, &diag);
	require_diag(r, c != NULL, &diag);
	if (c)
		check_conf(c);
	conf_diag_fini(&diag);
	snp_conf_free(c);
	return 0;
}

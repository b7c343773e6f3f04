/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* bench_cache.c - what a million facts take in the daemon: bytes, and time for each thing done with them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "snooper/core/fqdn_watch.h"

#define FACTS  1000000
#define A_TURN 256 /* as daemon_expire() */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static size_t resident(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	size_t all, in = 0;

	if (!f || fscanf(f, "%zu %zu", &all, &in) != 2)
		abort();
	fclose(f);
	return in * (size_t)sysconf(_SC_PAGESIZE);
}

static uint64_t mix(uint64_t x)
{
	x *= 0x9e3779b97f4a7c15ull;
	return x ^ x >> 29;
}

static void say(const char *what, unsigned int per_name, uint64_t took_ns, uint64_t worst_ns)
{
	printf("{\"bench\":\"cache\",\"figure\":\"%s\",\"facts_per_name\":%u,\"ns_each\":%llu,"
	       "\"worst_us\":%llu}\n",
	       what, per_name, (unsigned long long)(took_ns / FACTS),
	       (unsigned long long)(worst_ns / 1000));
}

/* One fact; the name has about 24 bytes, as names have. */
static void put(struct fqdn_cache *c, uint32_t i, unsigned int per_name, uint64_t expiry_ns)
{
	struct snp_name_key key = {.id = mix(i / per_name + 1)};
	struct fqdn_fact fact = {.expiry_ns = expiry_ns, .ttl_s = 300};
	uint8_t wire[24] = {10};

	memcpy(wire + 1, &key.id, sizeof(key.id));
	memcpy(fact.addr.b + 8, &i, sizeof(i));
	if (fqdn_cache_name(c, &key, wire, sizeof(wire), false, 0) ||
	    fqdn_cache_put(c, &key, &fact) < 0)
		abort();
}

static void put_all(struct fqdn_cache *c, const char *what, unsigned int per_name, uint64_t from_ns)
{
	uint64_t began = now_ns(), last = began, worst = 0;

	for (uint32_t i = 0; i < FACTS; i++) {
		uint64_t at;

		put(c, i, per_name, from_ns + mix(i) % FACTS);
		at = now_ns();
		if (at - last > worst)
			worst = at - last;
		last = at;
	}
	say(what, per_name, last - began, worst);
}

static void
as_cached(void *ctx, const struct snp_fact_key *key, uint64_t *expiry_ns, uint64_t *granted_ns)
{
}

static void run(unsigned int per_name)
{
	size_t before = resident();
	struct fqdn_cache *c = fqdn_cache_new(FACTS, FACTS);
	struct fqdn_watch *w = c ? fqdn_watch_new(c) : NULL;
	struct fqdn_name n;
	uint64_t began, worst = 0;
	enum fqdn_watched what;

	if (!w)
		abort();
	put_all(c, "put_new", per_name, FACTS);
	printf("{\"bench\":\"cache\",\"figure\":\"resident_bytes_a_fact\",\"facts_per_name\":%u,"
	       "\"bytes\":%zu,\"mib_for_all\":%zu}\n",
	       per_name, (resident() - before) / FACTS, (resident() - before) >> 20);
	put_all(c, "put_renewed", per_name, 2 * FACTS);
	began = now_ns();
	while ((what = fqdn_watch_next(w, &n)) != FQDN_WATCH_IDLE)
		;
	say("watch_read", per_name, now_ns() - began, 0);
	began = now_ns();
	for (uint64_t at = 2 * FACTS; fqdn_cache_names(c);) {
		uint64_t start = now_ns(), took;

		if (fqdn_cache_expire(c, at, A_TURN, as_cached, NULL) >= at)
			at += 1000;
		took = now_ns() - start;
		if (took > worst)
			worst = took;
	}
	say("expire", per_name, now_ns() - began, worst);
	fqdn_watch_free(w);
	fqdn_cache_free(c);
}

int main(int argc, char **argv)
{
	unsigned int per_name = argc > 1 ? (unsigned int)atoi(argv[1]) : 0;

	run(per_name ? per_name : 1);
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <sched.h>
#include <stdio.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "tests/bpf/rig.h"
#include "tests/bpf/test.skel.h"
#include "tests/walk_rows.h"

bool rig_addr(const char *text, struct snp_addr *a)
{
	memset(a, 0, sizeof(*a));
	if (inet_pton(AF_INET6, text, a->b) == 1)
		return true;
	a->w[2] = htonl(0xffff);
	return inet_pton(AF_INET, text, &a->w[3]) == 1;
}

static void never4(struct snp_kconf *c, int i, const char *net, unsigned bits)
{
	struct snp_addr a;

	if (!rig_addr(net, &a))
		return;
	c->never4[i].addr = a.w[3];
	c->never4[i].mask = bits ? htonl(~0u << (32 - bits)) : 0;
	for (unsigned first = 0; first < 256; first++)
		if ((((first << 24) ^ ntohl(a.w[3])) & ntohl(c->never4[i].mask) & 0xff000000u) == 0)
			c->first4[first >> 6] |= 1ull << (first & 63);
}

static void never6(struct snp_kconf *c, int i, const char *net, unsigned bits)
{
	struct snp_addr a, m = {0};

	if (!rig_addr(net, &a))
		return;
	for (unsigned b = 0; b < bits; b++)
		m.b[b / 8] |= 0x80 >> b % 8;
	memcpy(c->never6[i].addr, a.q, sizeof(a.q));
	memcpy(c->never6[i].mask, m.q, sizeof(m.q));
	for (unsigned first = 0; first < 256; first++)
		if (((first ^ a.b[0]) & m.b[0]) == 0)
			c->first6[first >> 6] |= 1ull << (first & 63);
}

static void default_conf(struct snp_kconf *c)
{
	memset(c, 0, sizeof(*c));
	c->key[0] = 0x0706050403020100; /* walk_answer()'s */
	c->key[1] = 0x0f0e0d0c0b0a0908;
	c->netns_cookie = 4711;
	c->query_timeout_ms = 10000;
	c->max_ttl_s = 86400;
	c->addresses_per_name = c->names_per_address = c->per_endpoint = 1u << 30;
	c->ring_wake_bytes = 1u << 30;
	c->svcb_hints = 1;
	for (int i = 0; i < SNP_NEVER_MAX; i++) {
		c->never4[i].addr = 1;
		c->never6[i].addr[0] = 1;
	}
	never4(c, 0, "0.0.0.0", 8);
	never4(c, 1, "127.0.0.0", 8);
	never4(c, 2, "169.254.0.0", 16);
	never4(c, 3, "224.0.0.0", 4);
	never4(c, 4, "255.255.255.255", 32);
	never6(c, 0, "::", 128);
	never6(c, 1, "::1", 128);
	never6(c, 2, "fe80::", 10);
	never6(c, 3, "ff00::", 8);
	never6(c, 4, "64:ff9b::", 96);
	c->n_servers = 2;
	rig_addr(RIG_SERVER4, &c->servers[0].at.addr);
	rig_addr(RIG_SERVER6, &c->servers[1].at.addr);
	c->servers[0].at.port = c->servers[1].at.port = 53;
	c->ports[0] = 1ull << 53;
}

static int pin_cpu(struct rig *r)
{
	cpu_set_t set;

	r->cpu = sched_getcpu();
	if (r->cpu < 0)
		return -errno;
	CPU_ZERO(&set);
	CPU_SET(r->cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

static int load(struct rig *r, __u32 rows)
{
	struct bpf_map *big[] = {r->skel->maps.snp_names, r->skel->maps.snp_learned,
				 r->skel->maps.snp_tally};
	int e;

	for (size_t i = 0; i < sizeof(big) / sizeof(big[0]); i++) {
		e = bpf_map__set_max_entries(big[i], rows);
		if (e)
			return e;
	}
	e = bpf_map__set_max_entries(r->skel->maps.snp_scratch, 4 * r->cpus);
	if (!e)
		e = bpf_map__set_max_entries(r->skel->maps.snp_ring, 1 << 24);
	return e ? e : test_bpf__load(r->skel);
}

int rig_open(struct rig *r, __u32 rows)
{
	int e;

	memset(r, 0, sizeof(*r));
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	r->cpus = libbpf_num_possible_cpus();
	if (r->cpus < 1)
		return -EINVAL;
	e = pin_cpu(r);
	if (e)
		return e;
	r->skel = test_bpf__open();
	if (!r->skel)
		return -errno;
	e = load(r, rows);
	if (e)
		goto fail;
	r->slot_size = bpf_map__value_size(r->skel->maps.snp_scratch);
	r->slot = calloc(1, r->slot_size);
	r->percpu = calloc(r->cpus, sizeof(*r->percpu));
	if (!r->slot || !r->percpu) {
		e = -ENOMEM;
		goto fail;
	}
	/* The slot's last member. */
	r->walk = (struct dns_walk *)(r->slot + r->slot_size - sizeof(struct dns_walk));
	default_conf(&r->conf);
	r->control.plant = 1;
	r->control.state = SNP_Q_ASKED;
	e = rig_configure(r);
	if (!e)
		e = rig_control(r);
	if (!e)
		return 0;
fail:
	rig_close(r);
	return e;
}

void rig_close(struct rig *r)
{
	test_bpf__destroy(r->skel);
	free(r->slot);
	free(r->percpu);
	memset(r, 0, sizeof(*r));
}

int rig_configure(struct rig *r)
{
	struct snp_ctl ctl = {.attached = 1};
	__u32 zero = 0;

	if (bpf_map_update_elem(bpf_map__fd(r->skel->maps.snp_conf), &zero, &r->conf, BPF_ANY) ||
	    bpf_map_update_elem(bpf_map__fd(r->skel->maps.snp_ctl), &zero, &ctl, BPF_ANY))
		return -errno;
	return 0;
}

int rig_control(struct rig *r)
{
	__u32 zero = 0;
	int fd = bpf_map__fd(r->skel->maps.snp_t_control);

	return bpf_map_update_elem(fd, &zero, &r->control, BPF_ANY) ? -errno : 0;
}

static void put16(__u8 *p, unsigned x)
{
	p[0] = x >> 8;
	p[1] = x;
}

static size_t udp(__u8 *p, unsigned from, unsigned to, const void *msg, size_t len)
{
	put16(p, from);
	put16(p + 2, to);
	put16(p + 4, len + 8);
	put16(p + 6, 0);
	memcpy(p + 8, msg, len);
	return len + 8;
}

static size_t ipv4(__u8 *frame, const char *from, const char *to, size_t payload)
{
	__u8 *ip = frame + 14;

	memset(frame, 0, 34);
	put16(frame + 12, 0x0800);
	ip[0] = 0x45;
	put16(ip + 2, payload + 20);
	ip[8] = 64;
	ip[9] = 17;
	inet_pton(AF_INET, from, ip + 12);
	inet_pton(AF_INET, to, ip + 16);
	return 34 + payload;
}

size_t rig_answer4(__u8 *frame, const void *msg, size_t len)
{
	return ipv4(frame, RIG_SERVER4, RIG_CLIENT4, udp(frame + 34, 53, RIG_PORT, msg, len));
}

size_t rig_query4(__u8 *frame, const void *msg, size_t len)
{
	return ipv4(frame, RIG_CLIENT4, RIG_SERVER4, udp(frame + 34, RIG_PORT, 53, msg, len));
}

size_t rig_answer6(__u8 *frame, const void *msg, size_t len)
{
	size_t payload = udp(frame + 54, 53, RIG_PORT, msg, len);
	__u8 *ip = frame + 14;

	memset(frame, 0, 54);
	put16(frame + 12, 0x86dd);
	ip[0] = 0x60;
	put16(ip + 4, payload);
	ip[6] = 17;
	ip[7] = 64;
	inet_pton(AF_INET6, RIG_SERVER6, ip + 8);
	inet_pton(AF_INET6, RIG_CLIENT6, ip + 24);
	return 54 + payload;
}

int rig_run_program(const struct bpf_program *prog, const void *frame, size_t len, __u32 segments)
{
	struct __sk_buff skb = {.gso_segs = segments, .gso_size = segments ? 100 : 0};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = len, .repeat = 1,
		    .ctx_in = &skb, .ctx_size_in = sizeof(skb));

	if (bpf_prog_test_run_opts(bpf_program__fd(prog), &opts))
		return -errno;
	return opts.retval == 1 ? 0 : -EPROTO; /* a packet is never held back */
}

static int test_run(struct rig *r, const void *frame, size_t len)
{
	return rig_run_program(r->skel->progs.snp_t_ingress, frame, len, 0);
}

size_t rig_frame_max(struct rig *r)
{
	static __u8 frame[RIG_FRAME];
	size_t fits = 14 + 20, not = RIG_FRAME;

	memset(frame, 0, sizeof(frame));
	while (not -fits > 1) {
		size_t middle = (fits + not ) / 2;

		if (test_run(r, frame, middle))
			not = middle;
		else
			fits = middle;
	}
	return fits;
}

int rig_run(struct rig *r, const void *frame, size_t len, struct snp_t_verdict *v)
{
	__u32 zero = 0;
	int e = test_run(r, frame, len);

	if (e)
		return e;
	if (bpf_map_lookup_elem(bpf_map__fd(r->skel->maps.snp_t_verdict), &zero, v))
		return -errno;
	return (int)v->cpu == r->cpu ? 0 : -EXDEV;
}

int rig_walk(struct rig *r)
{
	__u32 first = 4 * r->cpu;

	if (bpf_map_lookup_elem(bpf_map__fd(r->skel->maps.snp_scratch), &first, r->slot))
		return -errno;
	return 0;
}

__u64 rig_stat(struct rig *r, __u32 stat)
{
	__u64 sum = 0;

	if (bpf_map_lookup_elem(bpf_map__fd(r->skel->maps.snp_stats), &stat, r->percpu))
		return 0;
	for (int i = 0; i < r->cpus; i++)
		sum += r->percpu[i];
	return sum;
}

void rig_mark(struct rig *r)
{
	for (__u32 i = 0; i < SNP_STAT_END; i++)
		r->before[i] = rig_stat(r, i);
}

__u64 rig_added(struct rig *r, __u32 stat)
{
	return rig_stat(r, stat) - r->before[stat];
}

int rig_refused_only(struct rig *r, __u32 err, char text[static 256])
{
	for (__u32 i = 0; i < SNP_STAT_OFF_CHAIN; i++) {
		__u64 want = err == i + 1, is = rig_added(r, i);

		if (is != want) {
			snprintf(text, 256, "%s was counted %llu times, not %llu",
				 walk_verdict(i + 1), (unsigned long long)is,
				 (unsigned long long)want);
			return -1;
		}
	}
	return 0;
}

static size_t count_rows(int fd, size_t key_size)
{
	__u8 key[64], next[64];
	size_t n = 0;

	for (void *at = NULL; !bpf_map_get_next_key(fd, at, next); at = key, n++)
		memcpy(key, next, key_size);
	return n;
}

size_t rig_names(struct rig *r)
{
	return count_rows(bpf_map__fd(r->skel->maps.snp_names), sizeof(struct snp_name_key));
}

size_t rig_facts(struct rig *r)
{
	return count_rows(bpf_map__fd(r->skel->maps.snp_learned), sizeof(struct snp_fact_key));
}

bool rig_has_fact(struct rig *r, const char *address)
{
	struct snp_fact_key key = {.name.id = r->walk->hash[0], .name.scope = SNP_SCOPE_NONE};
	struct snp_fact fact;

	if (!rig_addr(address, &key.addr))
		return false;
	return !bpf_map_lookup_elem(bpf_map__fd(r->skel->maps.snp_learned), &key, &fact);
}

static int empty(struct bpf_map *map)
{
	__u32 n, at = 0, rows = bpf_map__max_entries(map);
	void *keys = calloc(rows, bpf_map__key_size(map));
	void *values = calloc(rows, bpf_map__value_size(map));
	int e = keys && values ? 0 : -ENOMEM;

	n = rows;
	if (!e &&
	    bpf_map_lookup_and_delete_batch(bpf_map__fd(map), NULL, &at, keys, values, &n, NULL) &&
	    errno != ENOENT)
		e = -errno;
	free(keys);
	free(values);
	return e;
}

int rig_forget(struct rig *r)
{
	int e = empty(r->skel->maps.snp_names);

	if (!e)
		e = empty(r->skel->maps.snp_learned);
	return e ? e : empty(r->skel->maps.snp_tally);
}

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* maps.c - typed reads of the maps, the configuration, the ring. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/base/cleanup.h"
#include "snooper/io/maps_priv.h"

bool maps_adopted(const struct maps *m)
{
	return m->adopted;
}

bool maps_limits_differ(const struct maps *m)
{
	return m->limits_differ;
}

const char *maps_directory(const struct maps *m)
{
	return m->dir;
}

static enum maps_place place_of(const char *name)
{
	static const struct {
		const char *prefix;
		enum maps_place place;
	} places[] = {
		{"snp_connect", MAPS_ASKING},  {"snp_sendmsg", MAPS_ASKING},
		{"snp_recvmsg", MAPS_SHOWING}, {"snp_getpeer", MAPS_SHOWING},
		{"snp_bound", MAPS_PROXY},     {"snp_released", MAPS_PROXY},
		{"snp_cg_", MAPS_TRACING},     {"snp_sockets", MAPS_READING},
		{"snp_opened", MAPS_READING},
	};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (!strncmp(name, places[i].prefix, strlen(places[i].prefix)))
			return places[i].place;
	return MAPS_PACKETS;
}

size_t maps_programs(struct maps *m, struct maps_program *out, size_t room)
{
	struct bpf_program *prog;
	size_t n = 0;

	bpf_object__for_each_program(prog, m->skel->obj)
	{
		const char *name = bpf_program__name(prog);

		if (n == room)
			break;
		out[n++] =
			(struct maps_program){.prog = prog, .name = name, .place = place_of(name)};
	}
	return n;
}

int maps_configure(struct maps *m, struct snp_kconf *conf)
{
	struct snp_ctl ctl;
	__u32 zero = 0, other;

	if (bpf_map_lookup_elem(MAP_FD(m, snp_ctl), &zero, &ctl))
		return -errno;
	other = ctl.attached ? !ctl.active : 0;
	memcpy(conf->key, m->key, sizeof(conf->key));
	if (bpf_map_update_elem(MAP_FD(m, snp_conf), &other, conf, BPF_ANY))
		return -errno;
	ctl.active = other;
	ctl.attached = 1;
	return bpf_map_update_elem(MAP_FD(m, snp_ctl), &zero, &ctl, BPF_ANY) ? -errno : 0;
}

static int on_record(void *ctx, void *data, size_t size)
{
	struct maps *m = ctx;
	const struct snp_event *e = data;
	const struct snp_event_verdict *v = data;

	if (size >= sizeof(*v) && v->version == SNP_EVENT_VERDICT)
		m->verdict(m->event_ctx, v);
	else if (size >= SNP_EVENT_HEADER && e->version == SNP_EVENT_VERSION &&
		 e->nfacts <= SNP_EVENT_FACTS && size >= SNP_EVENT_BYTES(e->nfacts))
		m->event(m->event_ctx, e);
	if (size >= sizeof(struct snp_event_cut) && e->version == SNP_EVENT_CUT && m->cut)
		m->cut(m->event_ctx, data);
	m->ring_left -= 1 + (e->version == SNP_EVENT_VERSION ? e->nfacts : 0);
	/* A negative number ends the reading, behind this record. */
	return m->ring_left > 0 ? 0 : -EAGAIN;
}

int maps_ring_start(struct maps *m, maps_event_fn event, maps_verdict_event_fn verdict, void *ctx)
{
	m->event = event;
	m->verdict = verdict;
	m->event_ctx = ctx;
	m->ring = ring_buffer__new(MAP_FD(m, snp_ring), on_record, m, NULL);
	return m->ring ? 0 : -errno;
}

void maps_ring_cuts(struct maps *m, maps_cut_fn cut)
{
	m->cut = cut;
}

int maps_ring_fd(const struct maps *m)
{
	return ring_buffer__epoll_fd(m->ring);
}

int maps_ring_consume(struct maps *m, int most)
{
	m->ring_left = most;
	return ring_buffer__consume(m->ring);
}

int maps_name(struct maps *m, const struct snp_name_key *key, struct snp_name_row *row)
{
	return bpf_map_lookup_elem(MAP_FD(m, snp_names), key, row) ? -errno : 0;
}

static int facts_fd(struct maps *m, enum maps_table table)
{
	return table == MAPS_LEARNED ? MAP_FD(m, snp_learned) : MAP_FD(m, snp_granted);
}

int maps_fact(struct maps *m, enum maps_table table, const struct snp_fact_key *key,
	      struct snp_fact *fact)
{
	return bpf_map_lookup_elem(facts_fd(m, table), key, fact) ? -errno : 0;
}

int maps_grant(struct maps *m, const struct snp_fact_key *key, const struct snp_fact *fact)
{
	m->granted = m->granted_since = true;
	if (!bpf_map_update_elem(MAP_FD(m, snp_granted), key, fact, BPF_ANY))
		return 0;
	return errno == E2BIG ? -ENOSPC : -errno;
}

int maps_batch(int fd, struct maps_pos *pos, void *keys, void *values, __u32 *n)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	uint32_t next[8] = {0};
	int r = bpf_map_lookup_batch(fd, pos->started ? pos->token : NULL, next, keys, values, n,
				     &opts);

	if (r && errno != ENOENT)
		return -errno;
	pos->rows = (pos->started ? pos->rows : 0) + *n;
	pos->started = !r;
	memcpy(pos->token, next, sizeof(next));
	return r ? 0 : 1;
}

/* At the end *seen is how many there were. */
static int walk(int fd, struct maps_pos *pos, void *keys, void *values, __u32 *n, uint32_t *seen)
{
	int r = maps_batch(fd, pos, keys, values, n);

	if (!r)
		*seen = pos->rows;
	return r;
}

/* A table's whole bucket must fit in a batch; the keyed hash keeps buckets small. */
#define WALK_LEAST 64

int maps_walk_names(struct maps *m, struct maps_pos *pos, uint32_t budget, maps_name_fn visit,
		    void *ctx)
{
	__u32 n = budget < WALK_LEAST ? WALK_LEAST : budget;
	SNP_CLEANUP(snp_freep)
	struct snp_name_key *keys = calloc(n, sizeof(*keys));
	SNP_CLEANUP(snp_freep)
	struct snp_name_row *rows = calloc(n, sizeof(*rows));
	int r;

	if (!keys || !rows)
		return -ENOMEM;
	r = walk(MAP_FD(m, snp_names), pos, keys, rows, &n, &m->seen.names);
	for (__u32 i = 0; r >= 0 && i < n; i++)
		visit(ctx, &keys[i], &rows[i]);
	return r;
}

int maps_walk_facts(struct maps *m, enum maps_table table, struct maps_pos *pos, uint32_t budget,
		    maps_fact_fn visit, void *ctx)
{
	__u32 n = budget < WALK_LEAST ? WALK_LEAST : budget;
	SNP_CLEANUP(snp_freep)
	struct snp_fact_key *keys = calloc(n, sizeof(*keys));
	SNP_CLEANUP(snp_freep)
	struct snp_fact *facts = calloc(n, sizeof(*facts));
	int fd = facts_fd(m, table), r;

	if (!keys || !facts)
		return -ENOMEM;
	if (table == MAPS_GRANTED && !pos->started) {
		if (!m->granted)
			return 0;
		m->granted_since = false;
	}
	r = walk(fd, pos, keys, facts, &n,
		 table == MAPS_LEARNED ? &m->seen.learned : &m->seen.granted);
	for (__u32 i = 0; r >= 0 && i < n; i++)
		visit(ctx, &keys[i], &facts[i]);
	if (table == MAPS_GRANTED && !r)
		m->granted = m->granted_since || m->seen.granted;
	return r;
}

void maps_fill(const struct maps *m, struct snp_metrics_map out[MAPS_FILLS])
{
	const struct {
		const char *name;
		const struct bpf_map *map;
		uint32_t rows;
	} tables[MAPS_FILLS] = {
		{"names", m->skel->maps.snp_names, m->seen.names},
		{"learned", m->skel->maps.snp_learned, m->seen.learned},
		{"granted", m->skel->maps.snp_granted, m->seen.granted},
	};

	for (size_t i = 0; i < MAPS_FILLS; i++)
		out[i] = (struct snp_metrics_map){
			.name = tables[i].name,
			.rows = tables[i].rows,
			.max_rows = bpf_map__max_entries(tables[i].map),
		};
}

int maps_stats(struct maps *m, uint64_t stats[SNP_STAT_MAX])
{
	SNP_CLEANUP(snp_freep)
	__u64 *per_cpu = calloc(m->cpus, sizeof(*per_cpu));

	if (!per_cpu)
		return -ENOMEM;
	for (__u32 i = 0; i < SNP_STAT_MAX; i++) {
		stats[i] = 0;
		if (bpf_map_lookup_elem(MAP_FD(m, snp_stats), &i, per_cpu))
			return -errno;
		for (int cpu = 0; cpu < m->cpus; cpu++)
			stats[i] += per_cpu[cpu];
	}
	return 0;
}

static int by_answers(const void *a, const void *b)
{
	const struct snp_status_server *x = a, *y = b;

	return (x->answers < y->answers) - (x->answers > y->answers);
}

size_t maps_untrusted(struct maps *m, struct snp_status_server *out, size_t room)
{
	struct snp_status_server all[UNTRUSTED_ROWS];
	struct snp_addr key, *last = NULL;
	int fd = MAP_FD(m, snp_untrusted);
	size_t n = 0;

	while (n < UNTRUSTED_ROWS && !bpf_map_get_next_key(fd, last, &key)) {
		__u64 answers;

		if (!bpf_map_lookup_elem(fd, &key, &answers))
			all[n++] = (struct snp_status_server){.addr = key, .answers = answers};
		last = &key;
	}
	qsort(all, n, sizeof(*all), by_answers);
	if (n > room)
		n = room;
	memcpy(out, all, n * sizeof(*out));
	return n;
}

int maps_proxy(struct maps *m, uint32_t index, struct snp_proxy_row *row)
{
	return bpf_map_lookup_elem(MAP_FD(m, snp_proxy), &index, row) ? -errno : 0;
}

int maps_seed_proxy(struct maps *m, int fd, const struct snp_proxy_mark *mark,
		    uint64_t netns_cookie)
{
	struct snp_proxy_seed seed;
	struct snp_proxy_mark old;
	int marks = MAP_FD(m, snp_proxy_mark);

	/* NOEXIST: the socket that its own bind has counted meanwhile is left alone. */
	if (bpf_map_update_elem(marks, &fd, mark, BPF_NOEXIST)) {
		if (errno != EEXIST || bpf_map_lookup_elem(marks, &fd, &old))
			return -errno;
		if (old.generation == mark->generation)
			return -EEXIST;
		/* Counted for other proxy.addresses, before a reload. */
		if (bpf_map_update_elem(marks, &fd, mark, BPF_EXIST))
			return -errno;
	}
	for (__u32 i = 0; i < SNP_PROXIES_MAX; i++) {
		if (!(mark->mask >> i & 1))
			continue;
		if (bpf_map_lookup_elem(MAP_FD(m, snp_proxy_seed), &i, &seed))
			return -errno;
		if (seed.generation != mark->generation)
			seed = (struct snp_proxy_seed){.generation = mark->generation};
		seed.sockets[mark->proto]++;
		seed.netns_cookie = netns_cookie;
		if (bpf_map_update_elem(MAP_FD(m, snp_proxy_seed), &i, &seed, BPF_ANY))
			return -errno;
	}
	return 0;
}

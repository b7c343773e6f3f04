/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * bench_parse.c - what an answer costs in the kernel, beside the floor (floor.bpf.c).
 *
 * By BPF_PROG_TEST_RUN, as far as a message fits: the question has to be planted
 * in each repetition, which reads the message's question once more.
 *	ns        planting and learning		plant_ns  planting alone
 *	learn_ns  ns less planting		ratio     of ns to floor_ns
 * As packets (1,000 addresses do not fit into a test run): the kernel's own
 * clock around snp_ingress, and around snp_egress (note_ns), caches as they come.
 *
 * "repeated": the rows are there, their expiry moves; "new": every name and fact
 * is written for the first time. Rounds go through all programs in turn, forth
 * and back; a figure is the median.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "tests/bench/floor.h"
#include "tests/bench/floor.skel.h"
#include "tests/bpf/net.h"
#include "tests/bpf/test.skel.h"
#include "tests/walk_rows.h"

#define ROWS	   131072
#define ROUNDS_MAX 64

enum { EMPTY, FLOOR, PLANT, LEARN, PROGRAMS };

static struct rig rig;
static struct net net;
static struct floor_bpf *low;
static struct ring_buffer *rings[2];
static struct floor_state state;
static __u8 message[WALK_MESSAGE_MAX], frame[RIG_FRAME];
static int rounds = 21;

static const struct bench_case {
	const char *name;
	unsigned cnames, addrs;
} cases[] = {
	{"1a", 0, 1},
	{"cname+4a", 1, 4},
	{"16a", 0, 16},
	{"1000a", 0, 1000},
};

static size_t put(size_t at, const void *bytes, size_t n)
{
	memcpy(message + at, bytes, n);
	return at + n;
}

/* www.example.com, over cnames CNAMEs (0 or 1) to addrs addresses. */
static size_t build(const struct bench_case *c)
{
	static const __u8 ask[] = "\3www\7example\3com\0\0\1\0\1";
	static const __u8 cname[] = "\300\14\0\5\0\1\0\0\1\54\0\22\4edge\7example\3net";
	__u8 head[12] = {0x12, 0x34, 0x81, 0x80, 0, 1}, rr[16] = "\300\14\0\1\0\1\0\0\1\54\0\4";
	unsigned records = c->cnames + c->addrs;
	size_t n;

	head[6] = records >> 8;
	head[7] = records;
	n = put(0, head, sizeof(head));
	n = put(n, ask, sizeof(ask) - 1);
	if (c->cnames) {
		rr[1] = n + 12;
		n = put(n, cname, sizeof(cname));
	}
	for (unsigned i = 0; i < c->addrs; i++) {
		rr[12] = 198;
		rr[13] = 18;
		rr[14] = i >> 8;
		rr[15] = i;
		n = put(n, rr, sizeof(rr));
	}
	return n;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *x, int n)
{
	qsort(x, n, sizeof(*x), compare);
	return n & 1 ? x[n / 2] : (x[n / 2 - 1] + x[n / 2]) / 2;
}

static int ignore(void *ctx, void *data, size_t len)
{
	return 0;
}

/* Room for the next round: rings read, and what was new forgotten. */
static int tidy(int fresh)
{
	int e = 0;

	for (int i = 0; i < 2; i++)
		if (ring_buffer__consume(rings[i]) < 0)
			e = -EIO;
	if (fresh && !e) {
		__u32 n = ROWS, at = 0;
		int fd = bpf_map__fd(low->maps.floor_facts);
		static struct snp_fact_key keys[ROWS];
		static struct snp_fact facts[ROWS];

		bpf_map_lookup_and_delete_batch(fd, NULL, &at, keys, facts, &n, NULL);
		e = rig_forget(&rig);
	}
	return e;
}

static int set_floor(unsigned addrs, int fresh)
{
	__u32 zero = 0;

	state.answers = addrs;
	state.fresh = fresh;
	state.event.nfacts = 1;
	return bpf_map_update_elem(bpf_map__fd(low->maps.floor_state), &zero, &state, BPF_ANY);
}

static int time_run(int which, size_t len, int repeat, double *ns)
{
	const struct bpf_program *progs[] = {low->progs.floor_empty, low->progs.floor_ingress,
					     rig.skel->progs.snp_t_plant,
					     rig.skel->progs.snp_t_ingress};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = len,
		    .repeat = repeat);

	if (bpf_prog_test_run_opts(bpf_program__fd(progs[which]), &opts))
		return -errno;
	*ns = opts.duration;
	return 0;
}

/* Every run must have learned, or the figure is of something else. */
static int was_learned(__u64 runs)
{
	__u64 learned = rig_added(&rig, SNP_STAT_LEARNED);

	if (learned == runs)
		return 0;
	fprintf(stderr, "bench_parse: %llu of %llu answers were learned from\n",
		(unsigned long long)learned, (unsigned long long)runs);
	return -EPROTO;
}

static void print_runs(const struct bench_case *c, int fresh, double ns[PROGRAMS])
{
	double learn = ns[LEARN] - ns[PLANT] + ns[EMPTY];

	printf("{\"bench\":\"parse\",\"case\":\"%s\",\"answers\":\"%s\",\"via\":\"run\",\"ns\":%."
	       "0f,"
	       "\"plant_ns\":%.0f,\"learn_ns\":%.0f,\"floor_ns\":%.0f,\"empty_ns\":%.0f,"
	       "\"ratio\":%.2f,\"learn_ratio\":%.2f,\"rounds\":%d}\n",
	       c->name, fresh ? "new" : "repeated", ns[LEARN], ns[PLANT], learn, ns[FLOOR],
	       ns[EMPTY], ns[LEARN] / ns[FLOOR], learn / ns[FLOOR], rounds);
	fflush(stdout);
}

static int by_runs(const struct bench_case *c, size_t len, int fresh)
{
	static double ns[PROGRAMS][ROUNDS_MAX];
	int repeat = fresh ? 40000 / (c->addrs + c->cnames + 1) : 20000, e = 0;
	double mid[PROGRAMS];

	if (repeat > 4000 && fresh)
		repeat = 4000;
	rig.conf.netns_cookie = 0;     /* no storage of the socket to be made in every run */
	rig.conf.key[0] += 1ull << 32; /* names of an earlier case are not these */
	rig.control.fresh = fresh;
	e = rig_configure(&rig);
	if (!e)
		e = rig_control(&rig);
	if (!e)
		e = set_floor(c->addrs, fresh);
	for (int round = 0; !e && round < rounds; round++) {
		for (int i = 0; !e && i < PROGRAMS; i++) {
			int which = round & 1 ? PROGRAMS - 1 - i : i;

			rig_mark(&rig);
			e = time_run(which, len, repeat, &ns[which][round]);
			if (!e && which == LEARN)
				e = was_learned(repeat);
			if (!e)
				e = tidy(fresh);
		}
	}
	if (e)
		return e;
	for (int i = 0; i < PROGRAMS; i++)
		mid[i] = median(ns[i], rounds);
	print_runs(c, fresh, mid);
	return 0;
}

/* Nanoseconds and runs of a program so far. */
static int spent(const struct bpf_program *prog, struct bpf_prog_info *info)
{
	__u32 size = sizeof(*info);

	memset(info, 0, size);
	return bpf_obj_get_info_by_fd(bpf_program__fd(prog), info, &size) ? -errno : 0;
}

static int exchanges(int n, size_t len, int fresh)
{
	__u8 query[512];
	size_t query_len = net_query_for(message, len, query);
	int e = 0;

	for (int i = 0; !e && i < n; i++) {
		if (fresh) {
			rig.conf.key[0]++;
			e = rig_configure(&rig);
		}
		if (!e)
			e = net_exchange(&net, net.client, net.server, query, query_len, message,
					 len);
	}
	return e;
}

/* Mean time of a program over n packets. */
static int time_packets(const struct bpf_program *prog, const struct bpf_program *also, int n,
			size_t len, int fresh, double *ns, double *also_ns)
{
	struct bpf_prog_info a, b, c, d;
	int e = spent(prog, &a);

	if (!e)
		e = spent(also, &c);
	if (!e)
		e = exchanges(n, len, fresh);
	if (!e)
		e = spent(prog, &b);
	if (!e)
		e = spent(also, &d);
	if (e)
		return e;
	/* The other programs of the object share no clock with these two. */
	*ns = (double)(b.run_time_ns - a.run_time_ns) / n;
	*also_ns = (double)(d.run_time_ns - c.run_time_ns) / n;
	return b.run_cnt - a.run_cnt >= (__u64)n ? 0 : -EPROTO;
}

/* One round with ours attached, or with the floor. */
static int packet_round(int floor, int n, size_t len, int fresh, double *ns, double *note_ns)
{
	struct bpf_link *link = NULL;
	double unused;
	int e;

	if (!floor) {
		rig_mark(&rig);
		e = time_packets(rig.skel->progs.snp_ingress, rig.skel->progs.snp_egress, n, len,
				 fresh, ns, note_ns);
		return e ? e : was_learned(n);
	}
	link = bpf_program__attach_cgroup(low->progs.floor_ingress, net.cgroup_fd);
	if (!link)
		return -errno;
	e = time_packets(low->progs.floor_ingress, low->progs.floor_empty, n, len, fresh, ns,
			 &unused);
	bpf_link__destroy(link);
	return e;
}

static int by_packets(const struct bench_case *c, size_t len, int fresh)
{
	static double ns[2][ROUNDS_MAX], note[ROUNDS_MAX];
	int n = c->addrs > 100 ? 20 : 300, e;
	double ours, floor;

	rig.conf.key[0] += 1ull << 32;
	e = rig_configure(&rig);
	if (!e)
		e = set_floor(c->addrs, fresh);
	if (!e && !fresh) /* the rows, and the caches */
		e = exchanges(n, len, 0);
	for (int round = 0; !e && round < rounds; round++)
		for (int i = 0; !e && i < 2; i++) {
			int which = (round + i) & 1;

			e = packet_round(which, n, len, fresh, &ns[which][round], &note[round]);
			if (!e)
				e = tidy(fresh);
		}
	if (e)
		return e;
	ours = median(ns[0], rounds);
	floor = median(ns[1], rounds);
	printf("{\"bench\":\"parse\",\"case\":\"%s\",\"answers\":\"%s\",\"via\":\"packet\",\"ns\":%"
	       ".0f,"
	       "\"note_ns\":%.0f,\"floor_ns\":%.0f,\"ratio\":%.2f,\"rounds\":%d}\n",
	       c->name, fresh ? "new" : "repeated", ours, median(note, rounds), floor, ours / floor,
	       rounds);
	fflush(stdout);
	return 0;
}

/* The kernel's clock costs test runs 80 ns each: it runs for the packets only. */
static int with_clock(const struct bench_case *c, size_t len, int fresh)
{
	int stats = bpf_enable_stats(BPF_STATS_RUN_TIME), e;

	if (stats < 0)
		return -errno;
	e = by_packets(c, len, fresh);
	close(stats);
	return e;
}

static int every_case(void)
{
	size_t most = rig_frame_max(&rig);
	int e = 0;

	for (size_t i = 0; !e && i < sizeof(cases) / sizeof(cases[0]); i++)
		for (int fresh = 0; !e && fresh < 2; fresh++) {
			size_t len = build(&cases[i]), size = rig_answer4(frame, message, len);

			if (size <= most)
				e = by_runs(&cases[i], size, fresh);
			if (!e)
				e = with_clock(&cases[i], len, fresh);
		}
	return e;
}

static int open_floor(void)
{
	low = floor_bpf__open_and_load();
	if (!low)
		return -errno;
	rings[0] = ring_buffer__new(bpf_map__fd(rig.skel->maps.snp_ring), ignore, NULL, NULL);
	rings[1] = ring_buffer__new(bpf_map__fd(low->maps.floor_ring), ignore, NULL, NULL);
	return rings[0] && rings[1] ? 0 : -errno;
}

int main(int argc, char **argv)
{
	int e;

	if (argc > 1 && !strcmp(argv[1], "--quick"))
		rounds = 5;
	e = rig_open(&rig, ROWS);
	if (!e)
		e = net_open(&net, &rig);
	if (!e)
		e = open_floor();
	if (!e)
		e = every_case();
	if (e)
		fprintf(stderr, "bench_parse: %s\n", strerror(-e));
	ring_buffer__free(rings[0]);
	ring_buffer__free(rings[1]);
	net_close(&net);
	floor_bpf__destroy(low);
	rig_close(&rig);
	return !!e;
}

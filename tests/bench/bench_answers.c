/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * bench_answers.c - what an answer to an endpoint costs, by number of selectors: by BPF_PROG_TEST_RUN.
 *
 * One new address under a new name each time: question planted, found, read, matched, written,
 * granted. Of `no_policy` it is learned only. The names are of the first ten selectors, the same
 * for all sizes, and each matches. Rounds go through the policies in turn, forth and back.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/snp_endpoint.h"
#include "tests/bench/figure.h"
#include "tests/bench/generation.h"
#include "tests/bench/names.h"
#include "tests/bench/names.skel.h"
#include "tests/bpf/rig.h"
#include "tests/bpf/test.skel.h"

#define ROWS	16384
#define SIZES	3
#define ANSWERS 16  /* names that are answered */
#define REPEATS 200 /* each */

static const size_t sizes[SIZES] = {10, 1000, 10000};

/* The one program that says whose a test run's packet is. */
static struct names_bpf *open_names(void)
{
	struct names_bpf *skel = names_bpf__open();
	struct bpf_program *p;

	require(skel, "open");
	bpf_object__for_each_program(p, skel->obj)
		bpf_program__set_autoload(p, p == skel->progs.names_whose);
	require(!names_bpf__load(skel), "load");
	return skel;
}

/* This process's cgroup is an endpoint's. */
static void join(struct rig *rig)
{
	struct names_bpf *skel = open_names();
	struct snp_member m = {GENERATION_ENDPOINT, GENERATION_ENDPOINT};
	struct snp_endctl ctl = {.globs = 1};
	static __u8 frame[64];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame));
	__u32 zero = 0;

	require(!bpf_prog_test_run_opts(bpf_program__fd(skel->progs.names_whose), &opts),
		"test run");
	require(skel->bss->names_cgroup, "a test run is of no cgroup");
	require(!bpf_map_update_elem(bpf_map__fd(rig->skel->maps.snp_members),
				     &skel->bss->names_cgroup, &m, BPF_ANY) &&
			!bpf_map_update_elem(bpf_map__fd(rig->skel->maps.snp_endctl), &zero, &ctl,
					     BPF_ANY),
		"endpoint");
	names_bpf__destroy(skel);
}

struct answer {
	__u8 frame[512];
	size_t len;
};

static void make_answer(struct answer *a, const uint8_t *wire, size_t len, __u8 host)
{
	__u8 message[512] = {0x12, 0x34, 0x81, 0x80, 0, 1, 0, 1}, *p = message + 12;
	static const __u8 question[] = {0, 1, 0, 1};
	const __u8 record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 198, 18, 0, host};

	memcpy(p, wire, len);
	memcpy(p + len, question, sizeof(question));
	memcpy(p + len + sizeof(question), record, sizeof(record));
	a->len = rig_answer4(a->frame, message, 12 + len + sizeof(question) + sizeof(record));
}

static double answer_all(struct rig *rig, const struct answer *answers, bool policed)
{
	double sum = 0;

	rig_mark(rig);
	for (size_t i = 0; i < ANSWERS; i++) {
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = answers[i].frame,
			    .data_size_in = (__u32)answers[i].len, .repeat = REPEATS);

		require(!bpf_prog_test_run_opts(bpf_program__fd(rig->skel->progs.snp_t_ingress),
						&opts),
			"answer");
		sum += opts.duration;
	}
	errno = 0;
	require(rig_added(rig, SNP_STAT_LEARNED) == ANSWERS * REPEATS, "not all were learned");
	require(rig_added(rig, SNP_STAT_MATCHED) == (policed ? ANSWERS * REPEATS : 0),
		"not all were matched");
	require(!rig_forget(rig), "forget");
	return sum / ANSWERS;
}

/* Generation `which` in force; 0: none. */
static void in_force(struct rig *rig, const struct generation *g, size_t which)
{
	int fd = bpf_map__fd(rig->skel->maps.snp_policy);
	__u32 zero = 0;

	if (which)
		generation_publish(&g[which - 1], fd);
	else
		require(!bpf_map_delete_elem(fd, &zero) || errno == ENOENT, "withdraw");
}

/* By how much an answer costs more than with ten selectors, round by round. */
static struct figure to_ten(const struct figure *f, const struct figure *ten)
{
	struct figure ratio = {.rounds = 0};

	for (int i = 0; i < f->rounds; i++)
		figure_add(&ratio, f->at[i] / ten->at[i]);
	return ratio;
}

static void say_answers(const struct figure ns[SIZES + 1])
{
	double without = figure_median(&ns[0]);

	for (size_t i = 0; i < SIZES; i++) {
		struct figure ratio = to_ten(&ns[i + 1], &ns[1]);
		double is = figure_median(&ns[i + 1]), times = figure_median(&ratio);

		printf("{\"bench\":\"names\",\"figure\":\"ns_an_answer\",\"selectors\":%zu,"
		       "\"ns\":%.0f,\"error\":%.0f,\"no_policy\":%.0f,\"of_it_policy\":%.0f",
		       sizes[i], is, figure_error(&ns[i + 1]), without, is - without);
		if (i)
			printf(",\"to_ten\":%.2f,\"to_ten_error\":%.2f,\"limit\":1.2,\"met\":%s",
			       times, figure_error(&ratio), times <= 1.2 ? "true" : "false");
		printf(",\"rounds\":%d}\n", ns[i + 1].rounds);
	}
}

static void every_answer(struct rig *rig, int rounds)
{
	static struct answer answers[ANSWERS];
	static struct names names;
	static struct figure ns[SIZES + 1];
	struct generation g[SIZES];
	struct set s;

	for (uint32_t i = 0; i < SIZES; i++) {
		s = make_set(sizes[i], false);
		generation_make(&g[i], &s, i + 1);
		if (!i)
			make_names(&names, &s, s.n);
		free_set(&s);
	}
	for (size_t i = 0; i < ANSWERS; i++) /* the even ones match */
		make_answer(&answers[i], names.wire[2 * i], names.len[2 * i], (__u8)(i + 1));
	rig->control.fresh = 1;
	rig->conf.netns_cookie = 0; /* no storage of the socket to be made in every run */
	require(!rig_configure(rig) && !rig_control(rig), "configure");
	for (int round = 0; round < rounds; round++)
		for (size_t i = 0; i <= SIZES; i++) {
			size_t which = round & 1 ? SIZES - i : i;

			in_force(rig, g, which);
			figure_add(&ns[which], answer_all(rig, answers, which != 0));
		}
	say_answers(ns);
	for (size_t i = 0; i < SIZES; i++)
		generation_fini(&g[i]);
}

int main(int argc, char **argv)
{
	bool quick = argc > 1 && !strcmp(argv[1], "--quick");
	struct rig rig;

	require(!rig_open(&rig, ROWS), "rig");
	join(&rig);
	every_answer(&rig, quick ? 5 : 21);
	rig_close(&rig);
	return 0;
}

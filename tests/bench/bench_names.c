/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * bench_names.c - what names cost in the kernel, by number of selectors, beside an LPM trie.
 *
 *   bench_names [--quick]	the figures, by BPF_PROG_TEST_RUN
 *   bench_names --selectors N	selectors as used here, one a line
 *
 * ns_a_name: names.bpf.c, less what bringing the name costs. `realistic` as in bench_match.c: the trie holds
 * those that it can hold; `plain` are names, *.name and **.name only, and it holds all. Before the clock runs,
 * every name's outcome is compared with that of user space.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/snp_policy_look.h"
#include "tests/bench/figure.h"
#include "tests/bench/generation.h"
#include "tests/bench/names.h"
#include "tests/bench/names.skel.h"
#include "tests/bench/trie.h"

#define SIZES 3

enum { NONE, OURS, TRIE, PROGRAMS };

static const size_t sizes[SIZES] = {10, 1000, 10000};
static const char *const shapes[] = {"realistic", "plain"};
static struct names names;
static int rounds = 21, passes = 8;

/* What the kernel says that a map takes. */
static unsigned long long map_bytes(int fd)
{
	unsigned long long bytes = 0;
	char path[64], line[128];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "r");
	require(f, path);
	while (fgets(line, sizeof(line), f))
		sscanf(line, "memlock: %llu", &bytes);
	fclose(f);
	return bytes;
}

/* --- the programs --- */

static struct names_bpf *load_names(void)
{
	struct names_bpf *skel = names_bpf__open();
	struct bpf_program *p;
	int cpus = libbpf_num_possible_cpus();

	require(skel, "open");
	bpf_object__for_each_program(p, skel->obj)
		bpf_program__set_autoload(p, !strncmp(bpf_program__name(p), "names_", 6));
	require(!bpf_map__set_max_entries(skel->maps.snp_scratch, 4 * cpus), "scratch");
	require(!names_bpf__load(skel), "load");
	return skel;
}

static double test_run(const struct bpf_program *prog, int repeat)
{
	static __u8 frame[64];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame),
		    .repeat = repeat);

	require(!bpf_prog_test_run_opts(bpf_program__fd(prog), &opts) && opts.retval == 1,
		"test run");
	return opts.duration;
}

static void bring(struct names_bpf *skel)
{
	for (size_t i = 0; i < NAMES; i++) {
		struct names_row *r = &skel->bss->names_rows[i];

		memset(r, 0, sizeof(*r));
		r->len = (__u32)names.len[i];
		memcpy(r->wire, names.wire[i], names.len[i]);
	}
	skel->bss->names_at = 0;
}

/* Every name once, and each outcome is what it should be. How many matched. */
static size_t check_ours(struct names_bpf *skel, const struct generation *g)
{
	uint32_t index[SNP_MATCH_BANKS];
	size_t matched = 0;

	bring(skel);
	test_run(skel->progs.names_ours, NAMES);
	for (size_t i = 0; i < NAMES; i++) {
		bool any = false;

		require(!match_name(&g->automata, names.wire[i], names.len[i], index), "name");
		for (size_t b = 0; b < SNP_MATCH_BANKS; b++) {
			__u32 want = index[b] ? snp_out_at(g->tables, b, index[b])->identity : 0;

			errno = 0;
			require(skel->bss->names_rows[i].found[b] == want, "match");
			any |= want != 0;
		}
		matched += any;
	}
	return matched;
}

static size_t check_trie(struct names_bpf *skel, const struct trie *t)
{
	size_t matched = 0;

	bring(skel);
	test_run(skel->progs.names_by_trie, NAMES);
	for (size_t i = 0; i < NAMES; i++) {
		__u32 want = trie_longest(t, names.wire[i], names.len[i]);

		errno = 0;
		require(skel->bss->names_rows[i].found[0] == want, "trie's match");
		matched += want != 0;
	}
	return matched;
}

/* --- ns a name --- */

/* One size of a shape, all of which are in the kernel side by side. */
struct side {
	struct set set;
	struct names_bpf *skel;
	struct generation g;
	struct trie t;
	size_t matched[PROGRAMS];
	struct figure ns[PROGRAMS], to_ten, trie_to_ten;
};

/* The first n of a shape. */
static struct set set_of(const char *shape, size_t n)
{
	struct set s = make_set(*shape == 'p' ? 2 * n + 10 : n, false);
	struct trie_key key;
	size_t kept = 0;

	for (size_t i = 0; i < s.n && kept < n; i++)
		if (*shape != 'p' || trie_key_of(&s.s[i], &key))
			s.s[kept++] = s.s[i];
	require(kept == n, "selectors");
	s.n = n;
	return s;
}

static void side_open(struct side *side, const char *shape, size_t n)
{
	struct generation *g = &side->g;
	uint64_t began;
	int fd;

	side->set = set_of(shape, n);
	side->skel = load_names();
	fd = bpf_map__fd(side->skel->maps.names_trie);
	generation_make(g, &side->set, 1);
	began = now_ns();
	generation_publish(g, bpf_map__fd(side->skel->maps.snp_policy));
	began = now_ns() - began;
	trie_fill(&side->t, fd, &side->set);
	printf("{\"bench\":\"names\",\"figure\":\"load\",\"selectors\":%zu,\"shape\":\"%s\","
	       "\"compile_ms\":%.1f,\"into_kernel_ms\":%.1f,\"replace_ms\":%.1f,"
	       "\"table_bytes\":%zu,\"automata_bytes\":%zu,\"map_bytes\":%llu,"
	       "\"trie_holds\":%zu,\"trie_ms\":%.1f,\"trie_map_bytes\":%llu}\n",
	       n, shape, g->compile_ns / 1e6, g->fill_ns / 1e6, began / 1e6, g->table_bytes,
	       g->automata_bytes, map_bytes(g->map_fd), side->t.n, side->t.load_ns / 1e6,
	       map_bytes(fd));
}

static void side_close(struct side *side)
{
	free(side->t.keys);
	generation_fini(&side->g);
	names_bpf__destroy(side->skel);
	free_set(&side->set);
}

/* The names of the first ten selectors, or of all. */
static void side_names(struct side *side, bool all)
{
	make_names(&names, &side->set, all ? side->set.n : sizes[0]);
	side->matched[OURS] = check_ours(side->skel, &side->g);
	side->matched[TRIE] = check_trie(side->skel, &side->t);
	memset(side->ns, 0, sizeof(side->ns));
	side->to_ten = side->trie_to_ten = (struct figure){.rounds = 0};
}

/* Forth, or back: each size and each program once. */
static void one_round(struct side sides[SIZES], bool back)
{
	double took[SIZES][PROGRAMS];

	for (int i = 0; i < SIZES * PROGRAMS; i++) {
		int at = back ? SIZES * PROGRAMS - 1 - i : i;
		struct names_bpf *skel = sides[at / PROGRAMS].skel;
		const struct bpf_program *progs[PROGRAMS] = {
			skel->progs.names_none, skel->progs.names_ours, skel->progs.names_by_trie};

		test_run(progs[at % PROGRAMS], NAMES); /* the caches are its own again */
		took[at / PROGRAMS][at % PROGRAMS] = test_run(progs[at % PROGRAMS], NAMES * passes);
	}
	for (int i = 0; i < SIZES; i++) {
		figure_add(&sides[i].ns[NONE], took[i][NONE]);
		for (int p = OURS; p < PROGRAMS; p++)
			figure_add(&sides[i].ns[p], took[i][p] - took[i][NONE]);
		figure_add(&sides[i].to_ten,
			   (took[i][OURS] - took[i][NONE]) / (took[0][OURS] - took[0][NONE]));
		figure_add(&sides[i].trie_to_ten,
			   (took[i][TRIE] - took[i][NONE]) / (took[0][TRIE] - took[0][NONE]));
	}
}

static void say_names(const struct side *side, const char *shape, bool all)
{
	double to_ten = figure_median(&side->to_ten);

	printf("{\"bench\":\"names\",\"figure\":\"ns_a_name\",\"selectors\":%zu,\"shape\":\"%s\","
	       "\"names\":\"%s\",\"ours\":%.1f,\"error\":%.1f,\"matched\":%.2f,\"trie\":%.1f,"
	       "\"trie_error\":%.1f,\"trie_matched\":%.2f,\"brought_in\":%.1f",
	       side->set.n, shape, all ? "of_all" : "of_ten", figure_median(&side->ns[OURS]),
	       figure_error(&side->ns[OURS]), (double)side->matched[OURS] / NAMES,
	       figure_median(&side->ns[TRIE]), figure_error(&side->ns[TRIE]),
	       (double)side->matched[TRIE] / NAMES, figure_median(&side->ns[NONE]));
	if (side->set.n > sizes[0] && !all)
		printf(",\"to_ten\":%.2f,\"to_ten_error\":%.2f,\"limit\":1.2,\"met\":%s,"
		       "\"trie_to_ten\":%.2f",
		       to_ten, figure_error(&side->to_ten), to_ten <= 1.2 ? "true" : "false",
		       figure_median(&side->trie_to_ten));
	printf(",\"rounds\":%d}\n", rounds);
	fflush(stdout);
}

static void every_name(const char *shape)
{
	static struct side sides[SIZES];

	for (int i = 0; i < SIZES; i++)
		side_open(&sides[i], shape, sizes[i]);
	for (int all = 0; all < 2; all++) {
		for (int i = 0; i < SIZES; i++)
			side_names(&sides[i], all);
		for (int round = 0; round < rounds; round++)
			one_round(sides, round & 1);
		for (int i = all; i < SIZES; i++) /* of ten, all are these ten's */
			say_names(&sides[i], shape, all);
	}
	for (int i = 0; i < SIZES; i++)
		side_close(&sides[i]);
}

static int print_selectors(size_t n)
{
	struct set s = make_set(n, false);

	for (size_t i = 0; i < n; i++)
		puts(s.s[i].text);
	free_set(&s);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "--selectors"))
		return print_selectors(strtoul(argv[2], NULL, 10));
	if (argc > 1 && !strcmp(argv[1], "--quick")) {
		rounds = 5;
		passes = 2;
	}
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		every_name(shapes[i]);
	return 0;
}

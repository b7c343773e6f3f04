/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * verifier_cost.c - load every program into this kernel, and print what its verifier did.
 *
 * One JSON line a program. Exit 1, and the kernel's words, when one is refused.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include <bpf/libbpf.h>

#include "snooper.skel.h"

#define LOG_STATS 4 /* only the summary: BPF_LOG_STATS of the kernel */
#define LOG_ROOM  (1 << 16)
#define PROGRAMS  32

int main(void)
{
	struct snooper_bpf *skel = snooper_bpf__open();
	static char logs[PROGRAMS][LOG_ROOM];
	struct bpf_program *prog;
	struct utsname kernel;
	int n = 0, r;

	if (!skel || uname(&kernel))
		return 1;
	bpf_object__for_each_program(prog, skel->obj)
	{
		if (n == PROGRAMS)
			return 1;
		bpf_program__set_log_level(prog, LOG_STATS);
		bpf_program__set_log_buf(prog, logs[n++], LOG_ROOM);
	}
	bpf_map__set_max_entries(skel->maps.snp_scratch,
				 bpf_map__max_entries(skel->maps.snp_scratch) *
					 libbpf_num_possible_cpus());
	r = snooper_bpf__load(skel);
	n = 0;
	bpf_object__for_each_program(prog, skel->obj)
	{
		const char *said = strstr(logs[n], "processed ");

		printf("{\"figure\":\"verifier\",\"kernel\":\"%s\",\"program\":\"%s\","
		       "\"instructions\":%ld}\n",
		       kernel.release, bpf_program__name(prog), said ? atol(said + 10) : -1L);
		n++;
	}
	snooper_bpf__destroy(skel);
	return r ? 1 : 0;
}

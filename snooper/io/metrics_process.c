/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/io/metrics_process.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "snooper/base/cleanup.h"
#include "snooper/base/clock.h"

static void read_memory(struct snp_metrics_process *p)
{
	uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE), virtual_pages, resident_pages;
	SNP_CLEANUP(snp_fclosep)
	FILE *f = fopen("/proc/self/statm", "re");

	if (!f || fscanf(f, "%" SCNu64 " %" SCNu64, &virtual_pages, &resident_pages) != 2)
		return;
	p->virtual_bytes = virtual_pages * page_bytes;
	p->resident_bytes = resident_pages * page_bytes;
}

static uint64_t timeval_ns(const struct timeval *tv)
{
	return (uint64_t)tv->tv_sec * SNP_NS_PER_S + (uint64_t)tv->tv_usec * 1000;
}

static void read_cpu(struct snp_metrics_process *p)
{
	struct rusage usage;

	if (!getrusage(RUSAGE_SELF, &usage))
		p->cpu_ns = timeval_ns(&usage.ru_utime) + timeval_ns(&usage.ru_stime);
}

static void read_fds(struct snp_metrics_process *p)
{
	DIR *dir = opendir("/proc/self/fd");
	struct rlimit limit;

	if (!getrlimit(RLIMIT_NOFILE, &limit))
		p->max_fds = limit.rlim_cur;
	if (!dir)
		return;
	for (const struct dirent *e; (e = readdir(dir));)
		p->open_fds += *e->d_name != '.';
	p->open_fds--; /* the one we look through */
	closedir(dir);
}

/* In ticks after the boot: field 22, behind a name that may hold anything. */
static uint64_t start_ticks(void)
{
	SNP_CLEANUP(snp_fclosep)
	FILE *f = fopen("/proc/self/stat", "re");
	char line[1024];
	const char *p;
	uint64_t ticks = 0;

	if (!f || !fgets(line, sizeof(line), f))
		return 0;
	p = strrchr(line, ')');
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	return p && sscanf(p, "%" SCNu64, &ticks) == 1 ? ticks : 0;
}

/* Once: every other reading of the wall clock would give another start. */
static uint64_t start_unix_ns(void)
{
	static uint64_t start_ns;
	struct timespec wall;

	if (start_ns)
		return start_ns;
	clock_gettime(CLOCK_REALTIME, &wall);
	start_ns = (uint64_t)wall.tv_sec * SNP_NS_PER_S + (uint64_t)wall.tv_nsec - clock_boot_ns() +
		   start_ticks() * (SNP_NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
	start_ns -= start_ns % (10 * SNP_NS_PER_MS); /* no finer than a tick */
	return start_ns;
}

void metrics_process_read(struct snp_metrics_process *p)
{
	*p = (struct snp_metrics_process){.start_unix_ns = start_unix_ns()};
	read_memory(p);
	read_cpu(p);
	read_fds(p);
}

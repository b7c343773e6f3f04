/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* daemon_untrusted.c - who answers here without being trusted: read, and taken away when silent for long. */
#include <inttypes.h>

#include "snooper/base/clock.h"
#include "snooper/base/log.h"
#include "snooper/daemon.h"

void daemon_untrusted_start(struct daemon *d)
{
	uint64_t stats[SNP_STAT_MAX] = {0};
	size_t n = maps_untrusted(d->maps, d->untrusted_rows, UNTRUSTED_ROWS);

	maps_stats(d->maps, stats);
	untrusted_begin(&d->untrusted, d->untrusted_rows, n, stats[SNP_STAT_UNTRUSTED_SERVER]);
}

size_t daemon_untrusted_look(struct daemon *d, const uint64_t *stats, uint64_t now_ns)
{
	struct untrusted *u = &d->untrusted;
	struct snp_status_server over[UNTRUSTED_ROWS];
	uint64_t unlisted = u->unlisted, taken;
	size_t n = maps_untrusted(d->maps, d->untrusted_rows, UNTRUSTED_ROWS), n_over;

	n_over = untrusted_look(u, d->untrusted_rows, n, stats[SNP_STAT_UNTRUSTED_SERVER], now_ns,
				over);
	if (u->unlisted && !unlisted)
		log_warn("event=untrusted-full servers=%zu hint=\"more servers answer here without "
			 "being in observe.resolvers than are listed\"",
			 n);
	if (!n_over)
		return n;
	for (size_t i = 0; i < n_over; i++)
		if (maps_collect_untrusted(d->maps, &over[i], &taken) > 0)
			untrusted_gone(u, taken);
	return maps_untrusted(d->maps, d->untrusted_rows, UNTRUSTED_ROWS);
}

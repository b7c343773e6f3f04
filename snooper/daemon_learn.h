/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* daemon_learn.h - from the maps to the cache: news as they come, scans for what was missed. */
#ifndef SNP_DAEMON_LEARN_H
#define SNP_DAEMON_LEARN_H

#include "snooper/daemon.h"

void daemon_news(void *ctx, const struct snp_event *e);
/* How many records and facts the ring holds at most: what is in it now is behind us after so many. */
size_t daemon_news_most(const struct daemon *d);
/*
 * Take a slice of *left records and facts. False: what came before is known, too, as far as
 * there was no room for it in the ring: the maps are read for that.
 */
bool daemon_news_is_old(struct daemon *d, size_t *left);
void daemon_scan_start(struct daemon *d);
void daemon_scan_for_lost(struct daemon *d); /* d->scan.for_lost until all of it was read */
bool daemon_scan_step(struct daemon *d);     /* false: the scan is done */
uint64_t daemon_expire(struct daemon *d);    /* when to call again, UINT64_MAX: not before news */

#endif

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * daemon_lines.h - what policy decides, and by what, for callers of the gRPC face: readings of export.h.
 */
#ifndef SNP_DAEMON_LINES_H
#define SNP_DAEMON_LINES_H

#include "bpf/snp_verdict.h"
#include "snooper/core/policy.h"
#include "snooper/rpc/export.h"

struct daemon;
struct snp_status;

/* daemon_why.c: the names are gone through in slices, then a line an endpoint. */
extern const struct export_lines daemon_why;

/* daemon_policy_show.c: summary, endpoints, selectors. */
extern const struct export_lines daemon_policy_show;

/*
 * daemon_verdicts.c: the last VERDICTS_KEPT refusals, for all who watch. One that is farther
 * behind has lost its place.
 */
#define VERDICTS_KEPT 4096
struct verdict_log;			   /* opaque; daemon_verdicts.c */
struct verdict_log *verdict_log_new(void); /* NULL: out of memory */
void verdict_log_free(struct verdict_log *log);
bool verdict_log_is_watched(const struct verdict_log *log); /* then look at the ring often */
extern const struct export_lines daemon_verdicts;
void daemon_verdict(void *ctx, const struct snp_event_verdict *e);

/* daemon_policy_status.c: of status what is about policy. */
void daemon_policy_status(struct daemon *d, struct snp_status *st, uint64_t now_ns);

/* "file:line", for free(); NULL: no place, or no memory. */
char *daemon_place_text(const struct policy_place *at);
extern const char *const daemon_mode_names[]; /* by enum snp_policy_mode_k */

#endif

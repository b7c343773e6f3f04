/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* daemon_metrics.h - the pipeline's numbers, over HTTP where export.metrics says so. */
#ifndef SNP_DAEMON_METRICS_H
#define SNP_DAEMON_METRICS_H

#include "snooper/daemon.h"

/* Serve, unless it is off. 0, or -errno, and the reason is logged. */
int daemon_metrics_start(struct daemon *d);

#endif

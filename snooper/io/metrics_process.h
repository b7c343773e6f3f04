/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * metrics_process.h - what the kernel says of this process, for metrics.
 *
 * io. Reads a few files of /proc/self; a value that cannot be had is 0.
 */
#ifndef SNP_METRICS_PROCESS_H
#define SNP_METRICS_PROCESS_H

#include "snooper/core/metrics.h"

void metrics_process_read(struct snp_metrics_process *p);

#endif

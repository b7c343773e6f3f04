/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * worker.h - one thread, for what takes longer than a turn of the loop may.
 *
 * io. A job is run() on that thread and then done() on the loop's; the next one begins when done()
 * has returned. So a job may read whatever only done() of a job changes. It
 * belongs to who asked for it until then; run() must not touch the loop.
 *
 * The thread takes no signal. It is started after privileges were given up, and before the list of
 * system calls is closed (confine.h): it has what its maker has.
 */
#ifndef SNP_WORKER_H
#define SNP_WORKER_H

#include <sys/queue.h>

struct event_base;
struct worker; /* opaque; worker.c */

struct worker_job {
	STAILQ_ENTRY(worker_job) next; /* worker.c's */
	void (*run)(struct worker_job *job);
	void (*done)(struct worker_job *job); /* may ask for others, and free this one */
	void (*drop)(struct worker_job *job); /* in its place, when the worker ends before */
};

/* The thread is there when it returns. 0 and *out, or -errno. */
int worker_new(struct event_base *base, struct worker **out);

/*
 * Waits for the job that is being run, and drops it and all that wait. -ETIMEDOUT: it is being run
 * still, as it may be for ever where it reads a file; then nothing is freed, and what it reads must stay. The
 * next job is not begun. NULL is fine.
 */
int worker_free(struct worker *w, unsigned int wait_ms);

/* Behind all that were asked for before. */
void worker_ask(struct worker *w, struct worker_job *job);

#endif

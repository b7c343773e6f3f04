/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/io/worker.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "snooper/base/cleanup.h"

struct worker {
	pthread_t thread;
	bool has_thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* under the lock */
	struct worker_job *job; /* to be run */
	bool is_up, stop;
	/* the loop's */
	struct worker_job *under_way; /* NULL: none */
	STAILQ_HEAD(, worker_job) waiting;
	struct event *finished;
	int fd; /* one is done */
};

static void *work(void *arg)
{
	struct worker *w = arg;
	const uint64_t one = 1;

	pthread_mutex_lock(&w->lock);
	w->is_up = true;
	pthread_cond_broadcast(&w->changed);
	for (;;) {
		struct worker_job *job;

		while (!w->job && !w->stop)
			pthread_cond_wait(&w->changed, &w->lock);
		job = snp_take(&w->job);
		pthread_mutex_unlock(&w->lock);
		if (!job)
			return NULL;
		job->run(job);
		/* An eventfd takes it: nobody adds more than one at a time. */
		(void)!write(w->fd, &one, sizeof(one));
		pthread_mutex_lock(&w->lock);
	}
}

static void begin(struct worker *w, struct worker_job *job)
{
	w->under_way = job;
	pthread_mutex_lock(&w->lock);
	w->job = job;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

static void begin_next(struct worker *w)
{
	struct worker_job *job = STAILQ_FIRST(&w->waiting);

	if (w->under_way || !job)
		return;
	STAILQ_REMOVE_HEAD(&w->waiting, next);
	begin(w, job);
}

static void on_finished(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	struct worker_job *job = w->under_way;
	uint64_t n;

	if (read(w->fd, &n, sizeof(n)) != sizeof(n) || !job)
		return;
	/* What done() asks for waits until it has returned. */
	job->done(job);
	w->under_way = NULL;
	begin_next(w);
}

static int start_thread(struct worker *w)
{
	sigset_t all, was;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &was);
	r = -pthread_create(&w->thread, NULL, work, w);
	pthread_sigmask(SIG_SETMASK, &was, NULL);
	if (r)
		return r;
	w->has_thread = true;
	pthread_mutex_lock(&w->lock);
	while (!w->is_up)
		pthread_cond_wait(&w->changed, &w->lock);
	pthread_mutex_unlock(&w->lock);
	return 0;
}

int worker_new(struct event_base *base, struct worker **out)
{
	struct worker *w = calloc(1, sizeof(*w));
	int r = -ENOMEM;

	if (!w)
		return r;
	STAILQ_INIT(&w->waiting);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
	w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->fd < 0)
		r = -errno;
	else
		w->finished = event_new(base, w->fd, EV_READ | EV_PERSIST, on_finished, w);
	if (w->finished && !event_add(w->finished, NULL))
		r = start_thread(w);
	if (r)
		worker_free(w, 0);
	else
		*out = w;
	return r;
}

static void drop_jobs(struct worker *w)
{
	struct worker_job *job;

	if (w->under_way)
		w->under_way->drop(w->under_way);
	while ((job = STAILQ_FIRST(&w->waiting))) {
		STAILQ_REMOVE_HEAD(&w->waiting, next);
		job->drop(job);
	}
}

static int end_thread(struct worker *w, unsigned int wait_ms)
{
	struct timespec until;

	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += wait_ms / 1000;
	until.tv_nsec += wait_ms % 1000 * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	return -pthread_clockjoin_np(w->thread, NULL, CLOCK_MONOTONIC, &until);
}

int worker_free(struct worker *w, unsigned int wait_ms)
{
	int r = w && w->has_thread ? end_thread(w, wait_ms) : 0;

	if (!w || r)
		return r;
	drop_jobs(w);
	if (w->finished)
		event_free(w->finished);
	if (w->fd >= 0)
		close(w->fd);
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->lock);
	free(w);
	return 0;
}

void worker_ask(struct worker *w, struct worker_job *job)
{
	STAILQ_INSERT_TAIL(&w->waiting, job, next);
	begin_next(w);
}

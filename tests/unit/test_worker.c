/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Jobs on a thread of their own: one after the other, and the loop's side of each before the next begins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "snooper/io/worker.h"

#define JOBS	200
#define WAIT_MS 60000

struct log {
	struct event_base *base;
	struct worker *w;
	pthread_t loop;
	char text[8 * JOBS];
	size_t n;
	bool ran_on_the_loop, done_elsewhere;
};

struct some_job {
	struct worker_job job;
	struct log *log;
	char name;
	struct some_job *then;
	int gate[2]; /* run() waits here for a byte, if there is one */
	bool is_last;
};

/* By both threads, and by no lock: what is done() comes between what is run(). */
static void note(struct log *l, char what, char name)
{
	l->text[l->n++] = what;
	l->text[l->n++] = name;
}

static void run(struct worker_job *job)
{
	struct some_job *j = (struct some_job *)job;
	char byte;

	j->log->ran_on_the_loop |= pthread_equal(pthread_self(), j->log->loop);
	if (j->gate[0])
		assert_int_equal(read(j->gate[0], &byte, 1), 1);
	note(j->log, 'r', j->name);
}

static void done(struct worker_job *job)
{
	struct some_job *j = (struct some_job *)job;

	j->log->done_elsewhere |= !pthread_equal(pthread_self(), j->log->loop);
	if (j->then)
		worker_ask(j->log->w, &j->then->job);
	note(j->log, 'd', j->name);
	if (j->is_last)
		event_base_loopbreak(j->log->base);
}

static void drop(struct worker_job *job)
{
	struct some_job *j = (struct some_job *)job;

	note(j->log, 'x', j->name);
}

static struct some_job job_of(struct log *l, char name)
{
	return (struct some_job){
		.job = {.run = run, .done = done, .drop = drop}, .log = l, .name = name};
}

static void log_init(struct log *l)
{
	*l = (struct log){.base = event_base_new(), .loop = pthread_self()};
	assert_non_null(l->base);
	assert_int_equal(worker_new(l->base, &l->w), 0);
}

static void log_fini(struct log *l)
{
	assert_int_equal(worker_free(l->w, WAIT_MS), 0);
	event_base_free(l->base);
	assert_false(l->ran_on_the_loop);
	assert_false(l->done_elsewhere);
}

static void jobs_are_done_one_after_the_other(void **state)
{
	struct log l;
	struct some_job a, b, c;

	log_init(&l);
	a = job_of(&l, 'a');
	b = job_of(&l, 'b');
	c = job_of(&l, 'c');
	a.then = &c; /* behind b, which was asked for before */
	c.is_last = true;
	worker_ask(l.w, &a.job);
	worker_ask(l.w, &b.job);
	event_base_dispatch(l.base);
	assert_string_equal(l.text, "rada"
				    "rbdb"
				    "rcdc");
	log_fini(&l);
}

static void many_jobs_lose_none(void **state)
{
	static struct some_job jobs[JOBS];
	struct log l;

	log_init(&l);
	for (size_t i = 0; i < JOBS; i++) {
		jobs[i] = job_of(&l, (char)('0' + i % 10));
		jobs[i].is_last = i == JOBS - 1;
		worker_ask(l.w, &jobs[i].job);
	}
	event_base_dispatch(l.base);
	assert_int_equal(l.n, 4 * JOBS);
	for (size_t i = 0; i < JOBS; i++) {
		const char expected[] = {'r', (char)('0' + i % 10), 'd', (char)('0' + i % 10)};

		assert_memory_equal(l.text + 4 * i, expected, 4);
	}
	log_fini(&l);
}

/* The one under way is waited for; who waits is never begun; nobody is done, and all are dropped. */
static void an_end_waits_for_the_job_that_is_run(void **state)
{
	struct log l;
	struct some_job a, b;

	log_init(&l);
	a = job_of(&l, 'a');
	b = job_of(&l, 'b');
	assert_int_equal(pipe(a.gate), 0);
	worker_ask(l.w, &a.job);
	worker_ask(l.w, &b.job);
	event_base_loop(l.base, EVLOOP_NONBLOCK);
	assert_int_equal(l.n, 0);
	assert_int_equal(write(a.gate[1], "x", 1), 1);
	log_fini(&l);
	assert_string_equal(l.text, "ra"
				    "xaxb");
	close(a.gate[0]);
	close(a.gate[1]);
}

/* One that is not over may go on for as long as it likes, with all that it has; no other is begun. */
static void an_end_gives_up_a_job_that_goes_on(void **state)
{
	struct log l;
	struct some_job a, b;

	log_init(&l);
	a = job_of(&l, 'a');
	b = job_of(&l, 'b');
	assert_int_equal(pipe(a.gate), 0);
	worker_ask(l.w, &a.job);
	worker_ask(l.w, &b.job);
	assert_int_equal(worker_free(l.w, 1), -ETIMEDOUT);
	assert_int_equal(l.n, 0);
	assert_int_equal(write(a.gate[1], "x", 1), 1);
	log_fini(&l);
	assert_string_equal(l.text, "ra"
				    "xaxb");
	close(a.gate[0]);
	close(a.gate[1]);
}

static volatile sig_atomic_t on_loop;
static pthread_t loop;

static void on_signal(int sig)
{
	on_loop = pthread_equal(pthread_self(), loop);
}

static void send_signal(struct worker_job *job)
{
	kill(getpid(), SIGUSR1);
	run(job);
}

/* Sent to the process while the worker runs: it is not the one that is interrupted. */
static void signals_are_the_loops(void **state)
{
	struct log l;
	struct some_job a;

	log_init(&l);
	loop = l.loop;
	signal(SIGUSR1, on_signal);
	a = job_of(&l, 'a');
	a.job.run = send_signal;
	a.is_last = true;
	worker_ask(l.w, &a.job);
	event_base_dispatch(l.base);
	assert_true(on_loop);
	log_fini(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jobs_are_done_one_after_the_other),
		cmocka_unit_test(many_jobs_lose_none),
		cmocka_unit_test(an_end_waits_for_the_job_that_is_run),
		cmocka_unit_test(an_end_gives_up_a_job_that_goes_on),
		cmocka_unit_test(signals_are_the_loops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

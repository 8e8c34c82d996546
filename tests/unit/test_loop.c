/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <cosmolet/loop.h>

#include <string.h>
#include <sys/socket.h>

static struct loop *loop;
static char story[64];

static void tell(char c)
{
	size_t n = strlen(story);

	ck_assert_uint_lt(n, sizeof(story) - 1);
	story[n] = c;
}

static void setup(void)
{
	loop = loop_new();
	memset(story, 0, sizeof(story));
}

static void teardown(void)
{
	loop_free(loop);
}

/* Two sources, each ready, each stopping and freeing the other: only one may run. */
struct twin {
	struct loop_io io;
	struct twin *other;
};

static void twin_ready(struct loop_io *io, uint32_t ready)
{
	struct twin *twin = container_of(io, struct twin, io);

	ck_assert_uint_eq(ready & EPOLLIN, EPOLLIN);
	tell('r');
	loop_io_stop(&twin->other->io);
	free(twin->other);
	loop_io_stop(io);
	free(twin);
}

START_TEST(a_callback_may_free_another_ready_source)
{
	struct twin *a = xcalloc(1, sizeof(*a)), *b = xcalloc(1, sizeof(*b));
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	a->other = b;
	b->other = a;
	ck_assert_int_eq(loop_io_start(loop, &a->io, fds[0], EPOLLIN, twin_ready), 0);
	ck_assert_int_eq(loop_io_start(loop, &b->io, fds[1], EPOLLIN, twin_ready), 0);
	ck_assert_int_eq(write(fds[0], "x", 1), 1);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	loop_turn(loop, 0);
	ck_assert_str_eq(story, "r");
	close(fds[0]);
	close(fds[1]);
}
END_TEST

struct named_timer {
	struct loop_timer timer;
	char name;
};

static void timer_fired(struct loop_timer *timer)
{
	tell(container_of(timer, struct named_timer, timer)->name);
}

START_TEST(timers_fire_in_order_when_the_clock_turns)
{
	struct named_timer timers[5] = {0};
	static const int at_s[] = {50, 10, 40, 20, 30};

	for (int i = 0; i < 5; i++) {
		timers[i].name = (char)('0' + at_s[i] / 10);
		loop_timer_after(loop, &timers[i].timer, mono_s(at_s[i]), timer_fired);
	}
	loop_turn(loop, 0);
	ck_assert_str_eq(story, "");
	loop_timer_stop(&timers[3].timer); /* 20 s */
	loop_timer_stop(&timers[3].timer);
	loop_timer_after(loop, &timers[1].timer, mono_s(45), timer_fired); /* moved from 10 s */
	mono_turn(mono_s(42));
	loop_turn(loop, 0);
	ck_assert_str_eq(story, "34");
	mono_turn(mono_s(10));
	loop_turn(loop, 0);
	ck_assert_str_eq(story, "3415");
}
END_TEST

START_TEST(many_timers_keep_their_order)
{
	static struct loop_timer timers[2000];
	struct mono last = {0};
	unsigned seed = 7;

	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < N_ELEMENTS(timers); i++) {
			seed = seed * 1103515245 + 12345;
			if (seed >> 16 & 1)
				loop_timer_stop(&timers[i]);
			else
				loop_timer_at(loop, &timers[i],
					mono_add(mono_s(1000000), mono_ms(seed >> 16)),
					timer_fired);
		}
	}
	/* Stopping the earliest of those left, one by one, must come out sorted. */
	for (;;) {
		struct loop_timer *first = NULL;

		for (size_t i = 0; i < N_ELEMENTS(timers); i++) {
			if (timers[i].loop && timers[i].index == 0)
				first = &timers[i];
		}
		if (!first)
			break;
		ck_assert(!mono_before(first->at, last));
		last = first->at;
		loop_timer_stop(first);
	}
	for (size_t i = 0; i < N_ELEMENTS(timers); i++)
		ck_assert_ptr_null(timers[i].loop);
}
END_TEST

struct named_job {
	struct loop_job job;
	char name;
	struct named_job *next;
};

static void job_runs(struct loop_job *job)
{
	struct named_job *named = container_of(job, struct named_job, job);

	tell(named->name);
	if (named->next)
		loop_job_queue(loop, &named->next->job, job_runs);
}

START_TEST(jobs_run_once_and_later_ones_next_turn)
{
	struct named_job b = {.name = 'b'}, a = {.name = 'a', .next = &b};

	loop_job_queue(loop, &a.job, job_runs);
	loop_job_queue(loop, &a.job, job_runs);
	loop_turn(loop, -1);
	ck_assert_str_eq(story, "a");
	loop_turn(loop, -1); /* must not sleep: b is queued */
	ck_assert_str_eq(story, "ab");
	loop_job_queue(loop, &b.job, job_runs);
	loop_job_stop(&b.job);
	loop_turn(loop, 0);
	ck_assert_str_eq(story, "ab");
}
END_TEST

static void on_signal(void *data, int signo)
{
	ck_assert_ptr_eq(data, story);
	ck_assert_int_eq(signo, SIGUSR1);
	loop_stop(loop, 3);
}

START_TEST(signals_come_from_the_loop)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	ck_assert_int_eq(sigprocmask(SIG_BLOCK, &set, NULL), 0);
	ck_assert_int_eq(loop_signals(loop, &set, on_signal, story), 0);
	ck_assert_int_eq(raise(SIGUSR1), 0);
	ck_assert_int_eq(loop_run(loop), 3);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("loop");
	TCase *tcase = tcase_create("loop");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_callback_may_free_another_ready_source);
	tcase_add_test(tcase, timers_fire_in_order_when_the_clock_turns);
	tcase_add_test(tcase, many_timers_keep_their_order);
	tcase_add_test(tcase, jobs_run_once_and_later_ones_next_turn);
	tcase_add_test(tcase, signals_come_from_the_loop);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}

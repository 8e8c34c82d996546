/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop: one thread, one level-triggered epoll.
 *
 * Sources are structs embedded in their owner; the callback finds the owner with container_of().
 * A callback may start and stop any source, its own included, and free what embeds it, as long as
 * it stopped it before. Stopping is idempotent and works on a zeroed source.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/queue.h>

#include <cosmolet/clock.h>
#include <cosmolet/mem.h>

struct loop;
struct loop_io;
struct loop_timer;
struct loop_job;

/* ready: the EPOLL* bits that hold now. EPOLLHUP and EPOLLERR come unasked. */
typedef void loop_io_fn(struct loop_io *io, uint32_t ready);
typedef void loop_timer_fn(struct loop_timer *timer);
typedef void loop_job_fn(struct loop_job *job);
typedef void loop_signal_fn(void *data, int signo);

struct loop_io {
	struct loop *loop; /* NULL while stopped */
	loop_io_fn *fn;
	int fd;
	uint32_t events;
	uint32_t ready;
	TAILQ_ENTRY(loop_io) staged;
};

struct loop_timer {
	struct loop *loop; /* NULL while not set */
	loop_timer_fn *fn;
	struct mono at;
	size_t index; /* its place in the loop's heap */
};

struct loop_job {
	struct loop *loop; /* NULL while not queued */
	loop_job_fn *fn;
	TAILQ_ENTRY(loop_job) queued;
};

/* Never NULL; ends the process when the kernel gives no epoll. The caller owns it. */
struct loop *loop_new(void);
/* All sources must have been stopped. Returns NULL. */
struct loop *loop_free(struct loop *loop);

/* Turns until loop_stop(); returns its code. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop, int code);
/* One turn, waiting at most timeout_ms (-1: as long as it takes): io, then timers, then jobs. */
void loop_turn(struct loop *loop, int timeout_ms);

/* Calls turned(data, busy) at the end of each turn: for how long it handled events. */
void loop_observe(struct loop *loop, void (*turned)(void *data, struct mono busy), void *data);

/* The time at which this turn began to handle events. */
struct mono loop_now(const struct loop *loop);

/* Watches fd (not owned) for the EPOLL* bits. 0, or the negative errno of epoll_ctl(). */
must_check int loop_io_start(
	struct loop *loop, struct loop_io *io, int fd, uint32_t events, loop_io_fn *fn);
void loop_io_want(struct loop_io *io, uint32_t events);
/* Must come before the fd is closed. */
void loop_io_stop(struct loop_io *io);

/* Fires once at that time, or after that long. Setting a set timer moves it. */
void loop_timer_at(struct loop *loop, struct loop_timer *timer, struct mono at, loop_timer_fn *fn);
void loop_timer_after(
	struct loop *loop, struct loop_timer *timer, struct mono delay, loop_timer_fn *fn);
void loop_timer_stop(struct loop_timer *timer);

/*
 * Runs fn once, after the io and timers of this turn; queueing a queued job changes nothing. This
 * is what makes one reconcile out of a burst. A job queued by a job waits for the next turn, which
 * then does not sleep.
 */
void loop_job_queue(struct loop *loop, struct loop_job *job, loop_job_fn *fn);
void loop_job_stop(struct loop_job *job);

/*
 * Hands the signals of the set to fn, from the loop and not from a handler. They must have been
 * blocked before any library started a thread. 0 or a negative errno; once per loop.
 */
must_check int loop_signals(struct loop *loop, const sigset_t *set, loop_signal_fn *fn, void *data);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop. Its one hard idea: callbacks may stop and free any source, so the loop never
 * walks a list that a callback can change.
 *
 * What epoll reports is first staged: each ready source is appended to a list. Then sources are
 * taken from the head of that list one by one; stopping a source unlinks it, so one that was
 * stopped (and maybe freed) by another's callback is simply not there any more. Jobs work the same
 * way. Timers sit in a heap; the root is taken out before it is called.
 */
#include <cosmolet/loop.h>

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/signalfd.h>

#define EVENTS_PER_TURN 64

TAILQ_HEAD(io_list, loop_io);
TAILQ_HEAD(job_list, loop_job);

struct loop {
	int epoll_fd;
	bool stopped;
	int code;
	struct mono now;
	void (*turned)(void *data, struct mono busy);
	void *turned_data;
	struct io_list staged;
	struct job_list jobs;
	struct loop_job jobs_end; /* behind the jobs of the turn that runs */
	struct loop_timer **heap; /* heap[i] is due no later than heap[2i+1] and heap[2i+2] */
	size_t n_timers;
	size_t timer_room;
	struct loop_io signal_io;
	loop_signal_fn *signal_fn;
	void *signal_data;
};

struct loop *loop_new(void)
{
	struct loop *loop = xcalloc(1, sizeof(*loop));

	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0) {
		perror("epoll_create1");
		abort();
	}
	TAILQ_INIT(&loop->staged);
	TAILQ_INIT(&loop->jobs);
	loop->now = mono_now();
	return loop;
}

struct loop *loop_free(struct loop *loop)
{
	if (!loop)
		return NULL;
	if (loop->signal_io.loop) {
		loop_io_stop(&loop->signal_io);
		close(loop->signal_io.fd);
	}
	assert(TAILQ_EMPTY(&loop->staged));
	assert(TAILQ_EMPTY(&loop->jobs));
	assert(loop->n_timers == 0);
	close(loop->epoll_fd);
	free(loop->heap);
	free(loop);
	return NULL;
}

struct mono loop_now(const struct loop *loop)
{
	return loop->now;
}

void loop_observe(struct loop *loop, void (*turned)(void *data, struct mono busy), void *data)
{
	loop->turned = turned;
	loop->turned_data = data;
}

/* io */

int loop_io_start(struct loop *loop, struct loop_io *io, int fd, uint32_t events, loop_io_fn *fn)
{
	struct epoll_event event = {.events = events, .data.ptr = io};

	assert(!io->loop);
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		return -errno;
	*io = (struct loop_io){.loop = loop, .fn = fn, .fd = fd, .events = events};
	return 0;
}

void loop_io_want(struct loop_io *io, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = io};

	if (!io->loop || io->events == events)
		return;
	io->events = events;
	if (epoll_ctl(io->loop->epoll_fd, EPOLL_CTL_MOD, io->fd, &event) < 0)
		assert(errno == EBADF || errno == ENOENT); /* closed behind our back by a library */
}

void loop_io_stop(struct loop_io *io)
{
	if (!io->loop)
		return;
	if (epoll_ctl(io->loop->epoll_fd, EPOLL_CTL_DEL, io->fd, NULL) < 0)
		assert(errno == EBADF || errno == ENOENT);
	if (io->ready)
		TAILQ_REMOVE(&io->loop->staged, io, staged);
	io->ready = 0;
	io->loop = NULL;
}

static void stage_io(struct loop *loop, int timeout_ms)
{
	struct epoll_event events[EVENTS_PER_TURN];
	int n = epoll_wait(loop->epoll_fd, events, EVENTS_PER_TURN, timeout_ms);

	assert(n >= 0 || errno == EINTR);
	for (int i = 0; i < n; i++) {
		struct loop_io *io = events[i].data.ptr;

		io->ready = events[i].events;
		TAILQ_INSERT_TAIL(&loop->staged, io, staged);
	}
}

static void run_io(struct loop *loop)
{
	struct loop_io *io;

	while ((io = TAILQ_FIRST(&loop->staged))) {
		uint32_t ready = io->ready;

		TAILQ_REMOVE(&loop->staged, io, staged);
		io->ready = 0;
		/* An earlier callback may have lost interest in these since they were staged. */
		ready &= io->events | EPOLLERR | EPOLLHUP;
		if (ready)
			io->fn(io, ready);
	}
}

/* timers */

static void heap_put(struct loop *loop, size_t index, struct loop_timer *timer)
{
	loop->heap[index] = timer;
	timer->index = index;
}

static void heap_up(struct loop *loop, struct loop_timer *timer, size_t index)
{
	while (index > 0) {
		size_t parent = (index - 1) / 2;

		if (!mono_before(timer->at, loop->heap[parent]->at))
			break;
		heap_put(loop, index, loop->heap[parent]);
		index = parent;
	}
	heap_put(loop, index, timer);
}

static void heap_down(struct loop *loop, struct loop_timer *timer, size_t index)
{
	for (;;) {
		size_t child = 2 * index + 1;

		if (child >= loop->n_timers)
			break;
		if (child + 1 < loop->n_timers &&
			mono_before(loop->heap[child + 1]->at, loop->heap[child]->at))
			child++;
		if (!mono_before(loop->heap[child]->at, timer->at))
			break;
		heap_put(loop, index, loop->heap[child]);
		index = child;
	}
	heap_put(loop, index, timer);
}

void loop_timer_at(struct loop *loop, struct loop_timer *timer, struct mono at, loop_timer_fn *fn)
{
	loop_timer_stop(timer);
	if (loop->n_timers == loop->timer_room) {
		loop->timer_room = loop->timer_room ? loop->timer_room * 2 : 16;
		loop->heap = xrealloc(loop->heap, loop->timer_room * sizeof(struct loop_timer *));
	}
	*timer = (struct loop_timer){.loop = loop, .fn = fn, .at = at};
	loop->n_timers++;
	heap_up(loop, timer, loop->n_timers - 1);
}

void loop_timer_after(
	struct loop *loop, struct loop_timer *timer, struct mono delay, loop_timer_fn *fn)
{
	loop_timer_at(loop, timer, mono_add(mono_now(), delay), fn);
}

void loop_timer_stop(struct loop_timer *timer)
{
	struct loop *loop = timer->loop;
	struct loop_timer *last;
	size_t hole = timer->index;

	if (!loop)
		return;
	timer->loop = NULL;
	last = loop->heap[--loop->n_timers];
	if (last == timer)
		return;
	heap_down(loop, last, hole);
	heap_up(loop, last, last->index);
}

/* Timers set by these callbacks wait for the next turn, so that none can starve the io. */
static void run_timers(struct loop *loop)
{
	struct mono until = mono_now();

	while (loop->n_timers && !mono_before(until, loop->heap[0]->at)) {
		struct loop_timer *timer = loop->heap[0];

		loop_timer_stop(timer);
		timer->fn(timer);
	}
}

static int wait_ms(const struct loop *loop, int timeout_ms)
{
	int64_t ns;

	if (!TAILQ_EMPTY(&loop->jobs))
		return 0;
	if (!loop->n_timers)
		return timeout_ms;
	ns = mono_sub(loop->heap[0]->at, mono_now()).ns;
	ns = MIN(MAX(ns, 0), (int64_t)INT32_MAX * 1000000 - 999999);
	ns = (ns + 999999) / 1000000; /* up: a wait that ends too early would be a busy loop */
	return timeout_ms < 0 ? (int)ns : MIN(timeout_ms, (int)ns);
}

/* jobs */

void loop_job_queue(struct loop *loop, struct loop_job *job, loop_job_fn *fn)
{
	if (job->loop)
		return;
	job->loop = loop;
	job->fn = fn;
	TAILQ_INSERT_TAIL(&loop->jobs, job, queued);
}

void loop_job_stop(struct loop_job *job)
{
	if (!job->loop)
		return;
	TAILQ_REMOVE(&job->loop->jobs, job, queued);
	job->loop = NULL;
}

static void run_jobs(struct loop *loop)
{
	struct loop_job *job;

	loop_job_queue(loop, &loop->jobs_end, NULL);
	while ((job = TAILQ_FIRST(&loop->jobs)) != &loop->jobs_end) {
		loop_job_stop(job);
		job->fn(job);
	}
	loop_job_stop(&loop->jobs_end);
}

/* signals */

static void on_signal(struct loop_io *io, uint32_t ready)
{
	struct loop *loop = container_of(io, struct loop, signal_io);
	struct signalfd_siginfo info;

	(void)ready;
	while (read(io->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		loop->signal_fn(loop->signal_data, (int)info.ssi_signo);
}

int loop_signals(struct loop *loop, const sigset_t *set, loop_signal_fn *fn, void *data)
{
	auto_close int fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
	int r;

	if (fd < 0)
		return -errno;
	r = loop_io_start(loop, &loop->signal_io, fd, EPOLLIN, on_signal);
	if (r < 0)
		return r;
	fd = -1; /* the source's now */
	loop->signal_fn = fn;
	loop->signal_data = data;
	return 0;
}

/* turning */

void loop_turn(struct loop *loop, int timeout_ms)
{
	stage_io(loop, wait_ms(loop, timeout_ms));
	loop->now = mono_now();
	run_io(loop);
	run_timers(loop);
	run_jobs(loop);
	if (loop->turned)
		loop->turned(loop->turned_data, mono_sub(mono_now(), loop->now));
}

int loop_run(struct loop *loop)
{
	loop->stopped = false;
	while (!loop->stopped)
		loop_turn(loop, -1);
	return loop->code;
}

void loop_stop(struct loop *loop, int code)
{
	loop->stopped = true;
	loop->code = code;
}

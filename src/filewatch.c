/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells when a file may have been replaced. The file itself is not watched: editors and the kubelet
 * put another one in its place, and a watch would stay with the old one.
 */
#include "filewatch.h"

#include <string.h>
#include <sys/inotify.h>

#define SETTLE mono_ms(250) /* what is still being written is not read half */
#define AGAIN  mono_s(60)   /* another directory in the place of the one before tells nothing */
#define MASK   (IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_ONLYDIR)

struct filewatch {
	struct loop *loop;
	char *directory;
	int fd;
	int wd;
	struct loop_io io;
	struct loop_timer timer;
	struct loop_timer again;
	void (*changed)(void *data);
	void *data;
};

static void on_settled(struct loop_timer *timer)
{
	struct filewatch *w = container_of(timer, struct filewatch, timer);

	w->changed(w->data);
}

/* The timer is not moved: where something happens all the time it would never fire. */
static void settle(struct filewatch *w)
{
	if (!w->timer.loop)
		loop_timer_after(w->loop, &w->timer, SETTLE, on_settled);
}

/* What happened does not matter, only that something did. */
static void on_io(struct loop_io *io, uint32_t ready)
{
	struct filewatch *w = container_of(io, struct filewatch, io);
	char events[4096];

	(void)ready;
	while (read(w->fd, events, sizeof(events)) > 0)
		;
	settle(w);
}

/* The path may lead elsewhere by now, or again to where it led to nothing. */
static void on_again(struct loop_timer *timer)
{
	struct filewatch *w = container_of(timer, struct filewatch, again);
	int wd = inotify_add_watch(w->fd, w->directory, MASK), before = w->wd;

	loop_timer_after(w->loop, timer, AGAIN, on_again);
	if (wd < 0 || wd == before)
		return;
	w->wd = wd;
	(void)inotify_rm_watch(w->fd, before); /* it ended with its directory, if that is gone */
	settle(w);
}

struct filewatch *filewatch_new(
	struct loop *loop, const char *path, void (*changed)(void *data), void *data)
{
	const char *slash = strrchr(path, '/');
	auto_free char *directory =
		slash ? xstrndup(path, (size_t)(slash - path + 1)) : xstrdup(".");
	auto_close int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	struct filewatch *w = NULL;
	int wd;

	wd = fd < 0 ? -1 : inotify_add_watch(fd, directory, MASK);
	if (wd < 0)
		return NULL;
	w = xcalloc(1, sizeof(*w));
	*w = (struct filewatch){.loop = loop, .fd = fd, .wd = wd, .changed = changed, .data = data};
	if (loop_io_start(loop, &w->io, fd, EPOLLIN, on_io) < 0) {
		free(w);
		return NULL;
	}
	w->directory = TAKE(directory);
	loop_timer_after(loop, &w->again, AGAIN, on_again);
	fd = -1;
	return w;
}

struct filewatch *filewatch_free(struct filewatch *w)
{
	if (!w)
		return NULL;
	loop_timer_stop(&w->timer);
	loop_timer_stop(&w->again);
	loop_io_stop(&w->io);
	close(w->fd);
	free(w->directory);
	free(w);
	return NULL;
}

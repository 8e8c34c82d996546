/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A datagram for each piece of news. One that does not fit into the manager's queue is told again
 * at the next turn, since waiting for a manager that hangs would stop us, too.
 */
#include "notify.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cosmolet/mem.h>

#define FIRST mono_s(2) /* when most of what a start waits for has come */
#define PAUSE mono_s(15)

struct notify {
	struct loop *loop;
	struct sockaddr_un manager;
	socklen_t manager_size;
	int fd;
	bool watched; /* it ends us when it hears nothing */
	struct mono pause;
	struct loop_timer timer;
	notify_status_fn *status;
	void *data;
	char *told; /* the last status; NULL: not even that we are there */
};

static int send_text(const struct notify *notify, const char *text)
{
	ssize_t n = sendto(notify->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT,
		(const struct sockaddr *)&notify->manager, notify->manager_size);

	return n < 0 ? -errno : 0;
}

static void tell(struct notify *notify)
{
	auto_free char *status = notify->status(notify->data);
	auto_free char *text = NULL;
	bool is_new = !notify->told || strcmp(notify->told, status) != 0;

	for (char *at = status; (at = strchr(at, '\n'));)
		*at = ' '; /* there, a line is an assignment */
	text = xasprintf("%s%s%s%s", notify->told ? "" : "READY=1\n",
		notify->watched ? "WATCHDOG=1\n" : "", is_new ? "STATUS=" : "",
		is_new ? status : "");
	if (*text && send_text(notify, text) == 0)
		str_set(&notify->told, status);
}

static void on_timer(struct loop_timer *timer)
{
	struct notify *notify = container_of(timer, struct notify, timer);

	tell(notify);
	loop_timer_after(notify->loop, timer, notify->pause, on_timer);
}

/* "@" stands for the NUL of an abstract address. */
static bool take_address(struct notify *notify, const char *path)
{
	size_t n = path ? strlen(path) : 0;

	if (n < 2 || n >= sizeof(notify->manager.sun_path) || !strchr("/@", *path))
		return false;
	notify->manager.sun_family = AF_UNIX;
	memcpy(notify->manager.sun_path, path, n);
	if (*path == '@')
		notify->manager.sun_path[0] = '\0';
	notify->manager_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	return true;
}

/* Twice in the time after which the manager gives us up. */
static void take_watchdog(struct notify *notify)
{
	const char *limit = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	long long us = limit ? strtoll(limit, NULL, 10) : 0;

	if (us <= 0 || (pid && strtoll(pid, NULL, 10) != getpid()))
		return;
	notify->watched = true;
	notify->pause = (struct mono){MIN(us * 500, PAUSE.ns)};
}

struct notify *notify_new(struct loop *loop, notify_status_fn *status, void *data)
{
	struct notify *notify = xcalloc(1, sizeof(*notify));

	*notify = (struct notify){
		.loop = loop, .fd = -1, .pause = PAUSE, .status = status, .data = data};
	if (take_address(notify, getenv("NOTIFY_SOCKET")))
		notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (notify->fd < 0)
		return notify_free(notify);
	take_watchdog(notify);
	tell(notify);
	loop_timer_after(
		loop, &notify->timer, (struct mono){MIN(FIRST.ns, notify->pause.ns)}, on_timer);
	return notify;
}

struct notify *notify_free(struct notify *notify)
{
	if (!notify)
		return NULL;
	loop_timer_stop(&notify->timer);
	if (notify->fd >= 0)
		close(notify->fd);
	free(notify->told);
	free(notify);
	return NULL;
}

void notify_stopping(struct notify *notify, struct mono limit)
{
	auto_free char *text = NULL;

	if (!notify)
		return;
	text = xasprintf("STOPPING=1\nEXTEND_TIMEOUT_USEC=%lld", (long long)limit.ns / 1000);
	(void)send_text(notify, text); /* not heard, the manager's own limit holds */
}

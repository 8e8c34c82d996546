/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions to FRR's daemons over their own vty sockets.
 *
 * What is sent is the command and a NUL; what comes back is text, three NULs and a status octet
 * (FRR 7.5 to 10.7; 0: fine). Nothing here is needed for announcing: a daemon that does not answer
 * costs only the knowledge.
 */
#include "vty.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <cosmolet/socket.h>

#define TAIL 4 /* three NULs and the status */

struct vty {
	struct loop *loop;
	int fd; /* -1: it could not be asked */
	struct loop_io io;
	struct loop_timer timer;
	char *text;
	size_t size;
	size_t max;
	vty_answer_fn *answer;
	void *data;
};

char *vty_path(const char *zserv, const char *daemon)
{
	const char *slash = strrchr(zserv, '/');
	int directory = slash ? (int)(slash - zserv + 1) : 0;

	return xasprintf("%.*s%s.vty", directory, zserv, daemon);
}

static void hang_up(struct vty *v)
{
	loop_timer_stop(&v->timer);
	loop_io_stop(&v->io);
	if (v->fd >= 0)
		close(v->fd);
	v->fd = -1;
}

static void end(struct vty *v, const char *answer)
{
	hang_up(v);
	v->answer(v->data, answer);
}

static void on_timer(struct loop_timer *timer)
{
	end(container_of(timer, struct vty, timer), NULL);
}

/* Whether text, NULs and status are there. */
static bool is_whole(const struct vty *v)
{
	return v->size >= TAIL && memcmp(v->text + v->size - TAIL, "\0\0\0", 3) == 0;
}

static void on_io(struct loop_io *io, uint32_t ready)
{
	struct vty *v = container_of(io, struct vty, io);
	ssize_t n = recv(v->fd, v->text + v->size, v->max + TAIL - v->size, 0);

	(void)ready;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	v->size += n > 0 ? (size_t)n : 0;
	if (is_whole(v))
		end(v, v->text[v->size - 1] == 0 ? v->text : NULL);
	else if (n <= 0 || v->size == v->max + TAIL)
		end(v, NULL);
}

/* The command is shorter than any socket's buffer. */
static bool send_command(struct vty *v, const char *command)
{
	size_t size = strlen(command) + 1;

	return send(v->fd, command, size, MSG_NOSIGNAL) == (ssize_t)size;
}

struct vty *vty_ask(struct loop *loop, const char *path, const char *command, size_t max,
	struct mono limit, vty_answer_fn *answer, void *data)
{
	struct vty *v = xcalloc(1, sizeof(*v));

	v->loop = loop;
	v->max = max;
	v->text = xmalloc(max + TAIL);
	v->answer = answer;
	v->data = data;
	v->fd = socket_connect(path);
	if (v->fd >= 0 && send_command(v, command) &&
		loop_io_start(loop, &v->io, v->fd, EPOLLIN, on_io) == 0)
		loop_timer_after(loop, &v->timer, limit, on_timer);
	else
		loop_timer_after(loop, &v->timer, mono_ms(0), on_timer);
	return v;
}

bool vty_is_too_long(const struct vty *v)
{
	return v->size == v->max + TAIL;
}

struct vty *vty_free(struct vty *v)
{
	if (!v)
		return NULL;
	hang_up(v);
	free(v->text);
	free(v);
	return NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection to zebra's socket.
 *
 * Both buffers are fixed. Input: one read per turn, then every whole message in it, so that a
 * flood from zebra does not starve the rest of the daemon. Output: the client encodes only as
 * much as fits, so a zebra that does not read costs us nothing but this buffer.
 */
#include "channel.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <cosmolet/socket.h>

_Static_assert(CHANNEL_IN_MAX >= WIRE_MESSAGE_MAX, "the longest message must fit");

void channel_init(struct channel *s, struct loop *loop)
{
	*s = (struct channel){.loop = loop, .fd = -1};
	s->in = xmalloc(CHANNEL_IN_MAX);
	s->out = xmalloc(CHANNEL_OUT_MAX);
}

void channel_deinit(struct channel *s)
{
	channel_close(s);
	free(TAKE(s->in));
	free(TAKE(s->out));
}

void channel_close(struct channel *s)
{
	if (!channel_is_open(s))
		return;
	loop_io_stop(&s->io);
	close(s->fd);
	s->fd = -1;
	s->in_size = s->out_begin = s->out_end = 0;
}

static void broken(struct channel *s, const char *why)
{
	channel_close(s);
	s->on_broken(s, why);
}

/* Hands out all whole messages. false: the channel was closed. */
static bool hand_out(struct channel *s)
{
	struct reader r = reader_over(s->in, s->in_size);
	struct wire_frame frame;
	int result;

	while ((result = wire_next(&r, &frame)) == 0) {
		s->n_in++;
		s->numbers_in[MIN(frame.command, CHANNEL_NUMBERS - 1)]++;
		s->on_frame(s, &frame);
		if (!channel_is_open(s))
			return false;
	}
	if (result < 0) {
		broken(s, "zebra's socket speaks something else than ZAPI version 6");
		return false;
	}
	s->in_size = rd_left(&r);
	memmove(s->in, r.pos, s->in_size);
	return true;
}

/* false: the channel was closed. */
static bool receive(struct channel *s)
{
	ssize_t n = recv(s->fd, s->in + s->in_size, CHANNEL_IN_MAX - s->in_size, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0) {
		broken(s, n == 0 ? "zebra closed the connection" : strerrordesc_np(errno));
		return false;
	}
	s->in_size += (size_t)n;
	return hand_out(s);
}

static void on_io(struct loop_io *io, uint32_t ready)
{
	struct channel *s = container_of(io, struct channel, io);

	if ((ready & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !receive(s))
		return;
	if (ready & EPOLLOUT) {
		int r = channel_flush(s);

		if (r < 0)
			broken(s, strerrordesc_np(-r));
		else
			s->on_drained(s);
	}
}

int channel_open(struct channel *s, int fd)
{
	int r;

	assert(!channel_is_open(s));
	r = loop_io_start(s->loop, &s->io, fd, EPOLLIN, on_io);
	if (r < 0)
		return r;
	s->fd = fd;
	return 0;
}

int channel_connect(struct channel *s, const char *path)
{
	int fd = socket_connect(path), r;

	if (fd < 0)
		return fd;
	r = channel_open(s, fd);
	if (r < 0)
		close(fd);
	return r;
}

bool channel_has_room(const struct channel *s, size_t n)
{
	return CHANNEL_OUT_MAX - channel_queued(s) >= n * WIRE_SEND_MAX;
}

struct writer channel_writer(struct channel *s)
{
	size_t queued = channel_queued(s);

	if (CHANNEL_OUT_MAX - s->out_end < WIRE_SEND_MAX) {
		memmove(s->out, s->out + s->out_begin, queued);
		s->out_begin = 0;
		s->out_end = queued;
	}
	return writer_over(s->out + s->out_end, CHANNEL_OUT_MAX - s->out_end);
}

/* An overflow is our own mistake: whoever writes asks for room before. */
void channel_wrote(struct channel *s, const struct writer *w)
{
	assert(!w->failed);
	if (wr_size(w) > 0) {
		s->n_out++;
		s->numbers_out[MIN(wire_command(w), CHANNEL_NUMBERS - 1)]++;
	}
	s->out_end += wr_size(w);
}

int channel_flush(struct channel *s)
{
	while (channel_queued(s) > 0) {
		ssize_t n = send(s->fd, s->out + s->out_begin, channel_queued(s), MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n < 0)
			break;
		s->out_begin += (size_t)n;
	}
	if (channel_queued(s) == 0)
		s->out_begin = s->out_end = 0;
	loop_io_want(&s->io, channel_queued(s) ? EPOLLIN | EPOLLOUT : EPOLLIN);
	return 0;
}

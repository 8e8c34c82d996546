/* SPDX-License-Identifier: Apache-2.0 */
/* The connection to zebra's socket: whole messages in, whole messages out, never waiting. */
#pragma once

#include <cosmolet/loop.h>

#include "wire.h"

/* What we have encoded and zebra has not taken; the rest stays a list of dirty routes. */
#define CHANNEL_OUT_MAX 65536
#define CHANNEL_IN_MAX  65536

struct channel;

/* May close the channel. */
typedef void channel_frame_fn(struct channel *channel, const struct wire_frame *frame);
/* The socket takes more again. */
typedef void channel_drained_fn(struct channel *channel);
/* The last call of a connection; the channel is closed already. why lives until it returns. */
typedef void channel_broken_fn(struct channel *channel, const char *why);

#define CHANNEL_NUMBERS 256 /* the last one: all from there on */

struct channel {
	struct loop *loop;
	struct loop_io io;
	int fd; /* -1: closed */
	uint8_t *in;
	size_t in_size;
	uint8_t *out;
	size_t out_begin;
	size_t out_end;
	uint64_t n_in;
	uint64_t n_out;
	/* Of this connection, by their number in it. */
	uint64_t numbers_in[CHANNEL_NUMBERS];
	uint64_t numbers_out[CHANNEL_NUMBERS];
	channel_frame_fn *on_frame;
	channel_drained_fn *on_drained;
	channel_broken_fn *on_broken;
};

/* The callbacks are set by the caller afterwards. */
void channel_init(struct channel *channel, struct loop *loop);
void channel_deinit(struct channel *channel);

/* 0, or a negative errno. */
must_check int channel_connect(struct channel *channel, const char *path);
/* Takes over a connected, non-blocking socket. */
must_check int channel_open(struct channel *channel, int fd);
void channel_close(struct channel *channel);

static inline bool channel_is_open(const struct channel *channel)
{
	return channel->fd >= 0;
}

static inline size_t channel_queued(const struct channel *channel)
{
	return channel->out_end - channel->out_begin;
}

/* Whether n more messages of ours fit. */
bool channel_has_room(const struct channel *channel, size_t n);
/* A writer for one message, behind those that are queued; channel_wrote() queues it. */
struct writer channel_writer(struct channel *channel);
void channel_wrote(struct channel *channel, const struct writer *w);
/* Sends what the socket takes now. 0, or a negative errno: the connection is lost. */
must_check int channel_flush(struct channel *channel);

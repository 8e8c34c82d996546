/* SPDX-License-Identifier: Apache-2.0 */
/* The conversation with zebra, over one connection after the other. */
#pragma once

#include <cosmolet/loop.h>
#include <cosmolet/zapi.h>

#include "channel.h"
#include "detect.h"
#include "table.h"

enum session_phase {
	SESSION_WAITING,   /* for the next attempt to connect */
	SESSION_DETECTING, /* zebra's release */
	SESSION_LEARNING,  /* which routes are there */
	SESSION_READY,
	SESSION_OVER, /* finished; there will be no other connection */
};

struct session;

/* What the session tells its owner. None of these may end the session. */
struct session_owner {
	void (*event)(struct session *session, enum zapi_event_type type, const char *text);
	/* The table has news. */
	void (*news)(struct session *session);
	/* The session is over, as session_finish() wanted it, or not. */
	void (*over)(struct session *session, bool ok);
};

struct session {
	struct loop *loop;
	const struct session_owner *owner;
	char *path;
	enum zapi_word word;
	uint16_t instance;
	uint32_t stale_s;
	char *vrf;    /* name or number; NULL: the default VRF */
	bool observe; /* only looks */

	enum session_phase phase;
	struct releases releases; /* none while not known */
	struct wire_kind kind;
	struct channel channel;
	struct detect detect;
	struct table table;

	struct loop_timer phase_timer; /* the next attempt, or the end of our patience */
	struct loop_timer settle_timer;
	struct loop_job pump_job;

	unsigned n_attempts; /* since it last was ready */
	uint64_t barrier_sent;
	uint64_t barrier_answered;
	struct mono
		waiting_since;   /* zebra's last answer, or when the first open question was put */
	uint64_t replay_barrier; /* answered: zebra has read all we want; 0: not yet sent */
	bool vrf_known;
	/* Messages of the connections before, by type; of the last type all others. */
	uint64_t typed_in[N_MESSAGES + 1];
	uint64_t typed_out[N_MESSAGES + 1];
	char *vrf_name;  /* of vrf, which may be a number; NULL: not known yet */
	bool subscribed; /* to the feed */
	uint64_t
		feed_barrier; /* answered: the feed that began anew is complete; 0: it is, or off */
	struct prefix router_id;
	bool barrier_due;
	bool restart_completed;
	bool stall_told;
	bool malformed_told;
	bool error_told;
	char down_text[160];

	bool finishing;
	bool withdrawing;
	uint64_t finish_barrier; /* 0: not yet sent */
	bool parted;             /* the last word is said, and its barrier is that one */

	uint64_t n_connects;
	uint64_t n_malformed;
	uint64_t n_unknown; /* connections to zebras of a release that is not known */
};

/* Connects from the loop. The owner's table of functions must outlive the session. */
void session_init(struct session *session, struct loop *loop, const struct zapi_options *options,
	const struct session_owner *owner);
/* Adds the messages of this connection by type, which begins when the release is known. */
void session_count(
	const struct session *s, uint64_t in[N_MESSAGES + 1], uint64_t out[N_MESSAGES + 1]);
void session_deinit(struct session *session);
/* Takes over a connected socket instead. */
void session_attach(struct session *session, int fd);

/* To be called after the table was changed from outside: what follows from it is done soon. */
void session_kick(struct session *session);
/* The same where many routes may change in a turn: zebra has work before the last one did. */
void session_push(struct session *session);
/* Sends what is left and ends; owner->over() tells when. */
void session_finish(struct session *session, bool withdraw);
/* Ends at once. */
void session_end(struct session *session, bool ok);

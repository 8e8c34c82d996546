/* SPDX-License-Identifier: Apache-2.0 */
/* Every address on its way: wanted, bound, in zebra, confirmed; and back out. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <cosmolet/log.h>
#include <cosmolet/loop.h>
#include <cosmolet/vec.h>
#include <cosmolet/zapi.h>

#include "config.h"
#include "journal.h"
#include "loopback.h"
#include "metrics.h"
#include "plan.h"
#include "steady.h"

struct announce;
struct owner;
struct vip;

/* What one service says of one address (or of itself, then vip is NULL). */
struct claim {
	LIST_ENTRY(claim) linked; /* among those of its vip */
	struct owner *owner;
	struct vip *vip;
	struct verdict verdict;
	char *text; /* the reason in words */
};

struct owner {
	char *namespace; /* both behind it */
	char *name;
	struct claim *claims;
	size_t n_claims;
};

enum vip_state {
	VIP_DOWN,        /* no service wants it */
	VIP_RISING,      /* healthy, but not for long enough yet */
	VIP_SUPPRESSED,  /* healthy, but it has flapped too often (RFC 2439) */
	VIP_UNBOUND,     /* wanted, but the loopback refuses; see note */
	VIP_PENDING,     /* wanted and bound; zebra has not confirmed */
	VIP_ANNOUNCED,   /* zebra has selected it: bgpd sees it */
	VIP_REJECTED,    /* zebra prefers another route, or cannot install ours; see note */
	VIP_WITHDRAWING, /* not wanted any more, zebra has not confirmed */
	N_VIP_STATES,
	/* What people are told of one that is announced, but not as one that is well. */
	VIP_DEGRADED = N_VIP_STATES, /* with the degraded tag: too few pods are ready */
	VIP_DRAINING,                /* with the drain tag */
	N_VIP_SHOWN,
};

struct vip {
	struct announce *announce;
	struct prefix address;
	bool wanted : 1;
	bool bound : 1;
	bool foreign : 1; /* bound by somebody else: used, and left alone */
	bool binding : 1; /* the loopback has not answered yet */
	bool asked : 1;   /* zebra was told to have it */
	bool left : 1;    /* a former life had announced it, and that is all that is known */
	bool kept : 1;    /* a former life had announced it */
	bool withdrawing : 1;
	enum zapi_route_state zebra : 8;
	enum vip_state told : 8; /* to the journal */
	uint32_t tag;            /* as zebra was told */
	uint32_t metric;
	LIST_HEAD(, claim) claims; /* of all services that have this address */
	char *note;                /* what zebra or the kernel objects to; NULL: nothing */
	double since;              /* wall clock: in that state */
	struct trace *trace;       /* of the event that caused what is under way; NULL: nothing */
	struct trace *cause;       /* of the one that is to be decided on; NULL: none */
	struct loop_timer timer;   /* the end of waiting for a withdrawal */
	struct loop_job job;       /* decide anew */
	struct steady *steady;     /* NULL: nothing stands between what is asked for and it */
};

const char *vip_state_text(enum vip_state state);
/* Below N_VIP_STATES. */
enum vip_state vip_state(const struct vip *vip);
/* The same, and of an announced address what its tag says. */
enum vip_state vip_shown(const struct vip *vip);
/* What keeps it from what its services ask for. */
enum hold vip_hold(const struct vip *vip);
/* The same in words, and until when; for free(). NULL: nothing does. */
char *vip_hold_text(const struct vip *vip);
/* What zebra or the kernel objects to, and in a dry run what it would; for free(). NULL: nothing.
 */
char *vip_note_text(const struct vip *vip);
/* Of the damping, now. */
double vip_penalty(const struct vip *vip);
/* The claim that decides: the first that is up, else the first. NULL: none. */
const struct claim *vip_claim(const struct vip *vip);

struct announce {
	struct loop *loop;
	const struct config *config;
	struct loopback *loopback;
	struct zapi *zapi;
	struct metrics *metrics;
	struct journal *journal;
	struct vec vips;   /* struct vip, by address */
	struct vec owners; /* struct owner, by namespace and name */
	struct vec left;   /* struct zapi_route: as a former life had them, until synced */
	size_t n_binding;
	struct log_limit bind_limit;
	struct log_limit foreign_limit;
	struct log_limit reject_limit;
	struct log_limit rival_limit;
	struct steadiness *steadiness; /* it outlives this */
	bool synced;
	bool first;      /* the first complete picture is being decided: nothing has a past */
	bool completing; /* zebra is to hear that this was all, once everything is bound */
	bool leaves;     /* what is left stays, until the first complete picture */
	bool finished;   /* zebra has heard the last of it */
	bool zebra_up;
	bool draining;
	struct trace cause; /* of what services say now; zeroed: no event, but this moment */
};

/* Borrows everything; the stability is initialised with it. */
void announce_init(struct announce *announce, struct loop *loop, const struct config *config,
	struct loopback *loopback, struct zapi *zapi, struct metrics *metrics,
	struct journal *journal, struct steadiness *steadiness);
/* Frees what is known, but for the stability; nothing is withdrawn by it. */
void announce_deinit(struct announce *announce);

/*
 * Replaces what a service says. n = 0: it is gone. Copies the verdicts, but those against addresses
 * that were never announced: they change nothing, and are most of them on a large cluster. Of an
 * address whose EndpointSlices are not known what was said last stays, but for the class.
 */
void announce_service(struct announce *announce, const char *namespace, const char *name,
	const struct verdict *verdicts, size_t n);

/*
 * The first complete picture is there. Only from now on is anything announced or withdrawn, and
 * what a former life left and nobody wants is removed.
 */
void announce_synced(struct announce *announce);

/*
 * There is no such picture, and what a former life left is not to be trusted for ever: from now on
 * it is wanted as it is in zebra, and can be drained; then withdrawn.
 */
void announce_left(struct announce *announce);
void announce_withdraw_left(struct announce *announce);
/* After all it stays: what was withdrawn of it is announced again, as it was. */
void announce_restore_left(struct announce *announce);

/* Another configuration, which must outlive this; every service is then to be told anew. */
void announce_configure(struct announce *announce, const struct config *config);

/* The loopback's news. error: why it cannot be bound, or NULL. */
void announce_bound(struct announce *announce, const struct prefix *address,
	enum loopback_state state, const char *error);

/* zebra's news. */
void announce_zebra(struct announce *announce, const struct zapi_event *event);

/* Who holds the prefix of a route that zebra rejected. */
void announce_rival(struct announce *announce, const struct prefix *prefix, const char *text);

/* The addresses for which it is of interest who else has them. *out is for free(). */
size_t announce_contested(const struct announce *announce, struct prefix **out);

/* From now on nothing is announced or withdrawn any more, since zapi_finish() must be the last. */
void announce_finish(struct announce *announce);

/* Gives every announced address the drain tag, or its own again. */
void announce_set_draining(struct announce *announce, bool draining);
/* Unbinds everything of ours; only after zebra has withdrawn it all. */
void announce_unbind_all(struct announce *announce);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands between an address's health and the network: rise and fall delays, damping of what
 * flaps (RFC 2439), and an anchor against losing too much at once. Pure: time is handed in.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <cosmolet/clock.h>

#include "config.h"

/* What the decision asks for. */
enum wish {
	WISH_UP,
	WISH_DOWN, /* there is nothing to wait for: the service is gone, the node drained, … */
	WISH_DOWN_ILL, /* too few pods are ready: that may pass */
	WISH_STAY,     /* nothing is known */
};

/* What keeps an address from what is asked for it. */
enum hold {
	HOLD_NONE,
	HOLD_RISE,       /* down: it has not been healthy for long enough */
	HOLD_FALL,       /* up: it has not been ill for long enough */
	HOLD_SUPPRESSED, /* down: it has flapped too often */
	HOLD_ANCHOR,     /* up: too many would go with it */
	N_HOLDS,
};

/* A short word for metrics, "rise". */
const char *hold_word(enum hold hold);

/* Of one address. Zeroed: it is down, and was never up. */
struct stability {
	bool up;         /* after the delays */
	bool suppressed; /* from too many falls until the penalty has decayed */
	enum hold hold;  /* now */
	double penalty;  /* as it was at .decayed */
	struct mono decayed;
	struct mono since; /* when .up and what is asked for began to differ; zeroed: they do not */
	struct mono until; /* when to step again, with no event before; zeroed: never */
};

/* Whether the class has any rule for it. */
bool stability_applies(const struct config_class *class);

/*
 * What is asked for now, and what is granted: whether the address is to be up. may_fall: the anchor
 * lets it. Until the time in .until nothing changes by itself.
 */
bool stability_step(struct stability *stability, const struct config_class *class, enum wish wish,
	bool may_fall, struct mono now);
/* What no penalty exceeds. */
double stability_ceiling(const struct config_class *class);
/* As it has decayed by now. */
double stability_penalty(
	const struct stability *stability, const struct config_class *class, struct mono now);
/* How long until a penalty has decayed to what lets an address go; zeroed: it has. */
struct mono stability_release(
	const struct stability *stability, const struct config_class *class, struct mono now);

/* How many addresses are up, would go now, and went lately, for being ill. */
struct anchor_tally {
	size_t up; /* those that would go included */
	size_t going;
	size_t gone;
};

/* Below so many, a share of all means nothing. */
#define ANCHOR_LEAST 3

/* Whether those that would go are to be held. percent: more than that; 0: never. */
bool anchor_holds(const struct anchor_tally *tally, int64_t percent);

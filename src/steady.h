/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each address's stability, where a rule of that applies: its past and its timers, and the anchor
 * over all of them. What follows from a past is stability.h's.
 */
#pragma once

#include <stdbool.h>

#include <cosmolet/loop.h>
#include <cosmolet/prefix.h>
#include <cosmolet/vec.h>

#include "config.h"
#include "metrics.h"
#include "stability.h"

struct steadiness {
	struct loop *loop;
	const struct config *config;
	struct metrics *metrics;
	void (*again)(void *data, const struct prefix *address); /* it is to be asked for anew */
	void *data;
	struct vec addresses; /* struct steady, by address */
	struct loop_job job;
	struct loop_timer timer; /* while the anchor holds */
	bool anchored;           /* it was told that the anchor holds something */
};

/* What an address needs to remember of itself. */
struct steady {
	struct prefix address;
	struct steadiness *all;
	struct stability stability;
	struct mono held;  /* since when the anchor holds it; zeroed: it does not */
	struct mono gone;  /* when it was last withdrawn for being ill; zeroed: never */
	bool passed;       /* the anchor lets it go */
	enum hold counted; /* what it was held by when last looked at */
	struct loop_timer timer;
};

/*
 * Borrows everything. Of an earlier life of the process, zeroed at first, it keeps what was known
 * of each address, whose steady_get() finds it, and of the anchor.
 */
void steadiness_init(struct steadiness *all, struct loop *loop, const struct config *config,
	struct metrics *metrics, void (*again)(void *data, const struct prefix *address),
	void *data);
/* The end of a life, and that of the process. */
void steadiness_stop(struct steadiness *all);
void steadiness_deinit(struct steadiness *all);

/* Whether an address of that class needs one. */
bool steadiness_applies(const struct steadiness *all, const struct config_class *class);

/* NULL: nothing is known of that address. */
struct steady *steady_find(const struct steadiness *all, const struct prefix *address);
/* up: as it is now, of one that is not known. */
struct steady *steady_get(struct steadiness *all, const struct prefix *address, bool up);
/* Forgets its past. Accepts NULL, returns NULL. */
struct steady *steady_free(struct steady *steady);

/* What is granted of what is asked for; it changes by itself only when again() says so. */
bool steady_ask(struct steady *steady, const struct config_class *class, enum wish wish);

/* All three accept NULL: no rule applies. */
enum hold steady_hold(const struct steady *steady);
double steady_penalty(const struct steady *steady, const struct config_class *class);
/* What holds it, and until when; for free(). NULL: nothing does. */
char *steady_text(const struct steady *steady, const struct config_class *class);

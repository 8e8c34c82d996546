/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fail static: while the API server is away, what is known stays, but an operator may say for how
 * long. This knows how old the knowledge is, and tells when it gets older than that, and when it is
 * fresh again.
 */
#pragma once

#include <stdbool.h>

#include <cosmolet/k8s.h>
#include <cosmolet/loop.h>

struct stale {
	struct loop *loop;
	const struct k8s *k8s;
	void (*notify)(void *data); /* over has changed */
	void *data;
	struct loop_timer timer;
	struct mono since; /* 0: the knowledge is fresh */
	bool synced;       /* the first lists have ended, or are files */
	bool over;         /* the limit */
};

/*
 * Borrows everything. Of an earlier life of the process, zeroed at first, it keeps since when the
 * knowledge was not fresh.
 */
void stale_init(struct stale *stale, struct loop *loop, const struct k8s *k8s, bool files,
	void (*notify)(void *data), void *data);
void stale_deinit(struct stale *stale);

/* The source has told everything. To be considered afterwards. */
void stale_synced(struct stale *stale);
/* To be called at the beginning, when a watch came or went, or the limit has changed. limit_s 0:
 * none. */
void stale_consider(struct stale *stale, int64_t limit_s);

/* For how long it has not been sure that what is known is still true. 0: it is. */
double stale_seconds(const struct stale *stale);

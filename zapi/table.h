/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The routes: what the owner wants, what zebra's feed shows, and what is still to be sent.
 *
 * Knows nothing of sockets. The client tells it what arrived and asks for the next order to send.
 */
#pragma once

#include <sys/queue.h>

#include <cosmolet/clock.h>
#include <cosmolet/vec.h>
#include <cosmolet/zapi.h>

#include "wire.h"
#include "word.h"

/* More than any table of static or connected routes; beyond it we refuse to guess whose is what. */
#define TABLE_FEED_MAX 250000

struct route;

TAILQ_HEAD(route_list, route);

enum table_count {
	COUNT_WANTED,
	COUNT_FRESH, /* under way, and not for long */
	COUNT_REDISTRIBUTED,
	COUNT_LEFTOVERS,
	COUNT_LEAVING,
	N_COUNTS,
};

struct table {
	enum zapi_word word;
	enum word_kind kind;
	uint32_t *tags;
	size_t n_tags;
	uint8_t distance;
	bool observe;   /* nothing is ever sent */
	bool by_metric; /* routes that differ in metric only may live side by side in zebra */
	bool learned;   /* the feed is known: orders may be given */
	bool fed;       /* the feed is on, and all of it known */
	bool complete;
	bool hurry;
	uint64_t answered; /* barriers */
	struct vec routes;
	struct route_list dirty;    /* to be sent */
	struct route_list awaiting; /* sent, in order of time, and zebra's word is out */
	struct route_list news;     /* changed, and the owner does not know yet */
	struct route_list unread;   /* changed before zebra has read what was sent last */
	size_t n_dirty;
	size_t n_feed;
	size_t counts[N_COUNTS];
	uint64_t n_failures;
	uint64_t failures[ZAPI_N_FAILURES]; /* of these, by reason */
	uint64_t n_heard;                   /* messages of zebra's about routes */
	uint64_t n_heard_ago;               /* at the last look */
	bool quiet;                         /* none between the last two looks */
};

void table_init(struct table *table, const struct zapi_options *options);
void table_deinit(struct table *table);

/* The owner's side; see zapi.h. */
void table_want(struct table *table, const struct zapi_route *route);
void table_unwant(struct table *table, const struct prefix *prefix);
void table_unwant_all(struct table *table);
void table_complete(struct table *table);
size_t table_leftovers(const struct table *table, struct prefix **out);
size_t table_feed(const struct table *table, struct zapi_feed_route **out);
/* From now on nothing waits for a storm to pass. */
void table_hurry(struct table *table);
/* The next route that changed; false: none. */
must_check bool table_pop_news(struct table *table, struct zapi_event *out);

/* zebra's side. false: the feed holds more than TABLE_FEED_MAX. */
must_check bool table_feed_add(struct table *table, const struct wire_route *seen, struct mono now);
void table_feed_del(struct table *table, const struct prefix *prefix, struct mono now);
void table_notify(struct table *table, const struct wire_notify *notify, struct mono now);
/* A route of our own type that is not ours: NULL, or another daemon uses the type. */
const struct prefix *table_stranger(const struct table *table);
/* Others of our type left zebra, maybe taking routes of ours along that the feed did not show. */
void table_doubt(struct table *table);

/* The feed is complete: everything wanted is to be sent (again), and left-overs judged. */
void table_learned(struct table *table, bool by_metric);
/*
 * The feed ends, for a burst of orders: owner notifications alone tell what becomes of them. Later
 * it begins anew, and is complete: what it has not shown again then is not there.
 */
void table_feed_end(struct table *table);
void table_feed_begin(struct table *table);
void table_feed_complete(struct table *table, struct mono now);
/* The connection is lost, and with it all that was known of zebra. */
void table_lost(struct table *table);

/* One step towards what is wanted: a delete, an add, or both in this order. */
struct order {
	bool remove;
	struct zapi_route removed; /* prefix and metric */
	uint8_t removed_distance;
	bool add;
	struct zapi_route added;
};

/*
 * The next order; false: none. It will have been read by zebra once the barrier of that number is
 * answered.
 */
must_check bool table_next_order(
	struct table *table, struct mono now, uint64_t barrier, struct order *out);

/* zebra has read everything up to that barrier. */
void table_answered(struct table *table, uint64_t barrier);

#define TABLE_SETTLE_MS 250

/*
 * Looks at what was sent at least TABLE_SETTLE_MS ago, up to that barrier: decides what zebra's
 * silence means and sends again what did not take. To be called every TABLE_SETTLE_MS while it
 * returns true.
 */
bool table_settle(struct table *table, struct mono now, uint64_t answered);

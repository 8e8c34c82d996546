/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client of zebra's ZAPI socket, for FRR 7.5 to 10.7.
 *
 * It holds the set of routes its owner wants, keeps zebra in step with it over every reconnect, and
 * tells what zebra confirmed. The owner says what it wants at any time, connected or not; the
 * client detects zebra's release on the wire before it sends anything that another release could
 * misread, and learns which routes of ours are there from a former life before it adds any.
 *
 * Passive: it turns what arrives into events, calls notify once, and waits to be asked.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cosmolet/loop.h>
#include <cosmolet/prefix.h>

struct zapi;

/* The word that the operator writes after "redistribute" in bgpd. */
enum zapi_word {
	ZAPI_STATIC,
	ZAPI_OPENFABRIC,
	ZAPI_BABEL,
	ZAPI_NHRP,
	ZAPI_ISIS,
	ZAPI_OSPF,         /* with an instance, IPv4 only */
	ZAPI_TABLE,        /* with an instance, IPv4 only */
	ZAPI_TABLE_DIRECT, /* with an instance, the kernel's table; FRR 10.0 and later */
	ZAPI_CONNECTED,    /* no routes are sent; zebra's own connected routes confirm */
};

/* "static", …; never NULL. */
const char *zapi_word_text(enum zapi_word word);
/* "static" or "table 100" → word and instance (0: none). false: neither known nor well-formed. */
must_check bool zapi_word_parse(const char *text, enum zapi_word *out, uint16_t *out_instance);
/* Whether the word exists for that family: "ospf N" and "table N" reach IPv4 only. */
bool zapi_word_has_family(enum zapi_word word, uint8_t family);

enum zapi_nexthop { ZAPI_BLACKHOLE, ZAPI_UNREACHABLE, ZAPI_LO };

struct zapi_options {
	const char *path; /* of zserv.api; copied */
	enum zapi_word word;
	uint16_t instance; /* 1 to 255 where the word has one, else 0 */
	enum zapi_nexthop nexthop;
	uint8_t distance; /* administrative distance, 1 to 254 */
	uint32_t stale_s; /* own types: seconds zebra keeps our routes after we are gone */
	/*
	 * static only: a route of the feed is ours if it carries one of these tags. The array is
	 * copied.
	 */
	const uint32_t *tags;
	size_t n_tags;
};

struct zapi_route {
	struct prefix prefix;
	uint32_t tag;    /* 0: none */
	uint32_t metric; /* 0 to 4294967295; bgpd makes it the MED */
};

enum zapi_route_state {
	ZAPI_PENDING,       /* wanted; zebra has not said anything yet, or is away */
	ZAPI_INSTALLED,     /* zebra's owner notification: it is in the kernel */
	ZAPI_REDISTRIBUTED, /* zebra's feed: selected, thus what bgpd sees */
	ZAPI_REJECTED,      /* another route won, or the kernel refused; see reason */
	ZAPI_WITHDRAWING,   /* not wanted any more; zebra has not confirmed */
	ZAPI_GONE,          /* the last event of a route; then it is unknown */
};

const char *zapi_route_state_text(enum zapi_route_state state);

enum zapi_event_type {
	ZAPI_EVENT_UP,      /* connected, release known, our left-overs learned, replay queued */
	ZAPI_EVENT_DOWN,    /* text: why. The client reconnects by itself, with backoff */
	ZAPI_EVENT_ROUTE,   /* route, state, text (the reason, for REJECTED) */
	ZAPI_EVENT_PROBLEM, /* text: something an operator should read; the client goes on */
};

struct zapi_event {
	enum zapi_event_type type;
	struct prefix prefix;        /* ROUTE */
	enum zapi_route_state state; /* ROUTE */
	char text[160];              /* empty: nothing to add */
};

/* What is known of zebra and of the connection; for status and metrics. */
struct zapi_status {
	bool connected;         /* UP and not yet DOWN */
	const char *release;    /* "8.2-9.0": the release line found; "" while unknown */
	const char *phase;      /* "waiting", "detecting", "learning", "ready": what it is at */
	size_t n_routes;        /* wanted */
	size_t n_redistributed; /* wanted and in the feed */
	size_t n_leftovers;     /* ours in the feed, but not wanted (yet) */
	size_t queue_bytes;     /* not yet taken by the socket */
	uint64_t connects;      /* connections that got as far as UP */
	uint64_t messages_in;
	uint64_t messages_out;
	uint64_t malformed;      /* messages dropped because they did not decode */
	uint64_t route_failures; /* transitions to REJECTED */
};

/*
 * Connects at once, from the loop. notify(data) runs from a deferred job whenever there are events
 * to pop. Never NULL. The options must be valid: word and instance as zapi_word_parse() gives them.
 */
struct zapi *zapi_new(struct loop *loop, const struct zapi_options *options,
	void (*notify)(void *data), void *data);
/*
 * Closes without further ado; see zapi_finish() for the polite way. Our routes stay in zebra: for
 * good with static, for stale_s with the own types. Accepts NULL, returns NULL.
 */
struct zapi *zapi_free(struct zapi *zapi);

/* The next event; false: none left. */
must_check bool zapi_pop_event(struct zapi *zapi, struct zapi_event *out);

/* Wants the route, or changes it. With CONNECTED it only waits for the confirmation. */
void zapi_route_set(struct zapi *zapi, const struct zapi_route *route);
/* Does not want it any more. Unknown prefixes are deleted if they are left-overs of ours. */
void zapi_route_clear(struct zapi *zapi, const struct prefix *prefix);

/*
 * Says that the wanted set is complete: from now on left-overs of ours that are not wanted are
 * deleted, at once and after each reconnect, and graceful restart is ended. Until then nothing is
 * taken away that a former life left.
 */
void zapi_complete(struct zapi *zapi);

/* Our left-overs that nobody has claimed so far, in order of prefix. *out is for free(). */
size_t zapi_leftovers(const struct zapi *zapi, struct prefix **out);

enum zapi_finish {
	ZAPI_FINISH_KEEP,     /* leave the routes: as if we were to come back */
	ZAPI_FINISH_WITHDRAW, /* delete all routes of ours, left-overs too, and end graceful restart
			       */
};

/*
 * Sends what is queued and waits for zebra to have read it (a barrier: closing at once would lose
 * it); with WITHDRAW also for the confirmations. Then calls done(data), once, at the latest after
 * limit; *ok is false if the limit or a lost connection cut it short. Only zapi_pop_event(),
 * zapi_status() and zapi_free() may follow.
 */
void zapi_finish(struct zapi *zapi, enum zapi_finish how, struct mono limit,
	void (*done)(void *data, bool ok), void *data);

/* Pointers in *out live until the next turn of the loop. */
void zapi_status(const struct zapi *zapi, struct zapi_status *out);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client of zebra's ZAPI socket, for FRR 7.5 to 10.7.
 *
 * It holds the set of routes its owner wants, keeps zebra in step with it over every reconnect, and
 * tells what zebra confirmed. The owner says what it wants at any time, connected or not; the
 * client detects zebra's release on the wire before it sends anything that another release could
 * misread, and learns which routes of ours are there from a former life before it adds any.
 *
 * Passive: it turns what arrives into events, calls notify once, and waits to be asked. One thread;
 * no call blocks or allocates by what zebra says without a limit. tests/example/announce_one.c is a
 * whole program.
 *
 * Where FRR's releases differ in what a function can promise, it is said there. Source of all such
 * facts: FRR's lib/zclient.h, zebra/zapi_msg.c and zebra/zebra_gr.c of the releases named, and real
 * zebras of FRR 7.5.1, 8.4.4, 10.3 and 10.7.1.
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
/*
 * "static" or "table 100" → word and instance (0: none). Instances go from 1 to 255: FRR 8.4 and
 * later keep 8 bits of a route's. false: neither known nor well-formed; outputs are untouched.
 */
must_check bool zapi_word_parse(const char *text, enum zapi_word *out, uint16_t *out_instance);
/* Whether bgpd has the word for that family: "ospf N" and "table N" reach IPv4 only. */
bool zapi_word_has_family(enum zapi_word word, uint8_t family);

/* What zebra puts into the kernel for a route of ours; all are announced with the node as next hop.
 */
enum zapi_nexthop {
	ZAPI_BLACKHOLE,   /* dropped, if nothing more specific (a local route, NAT) takes it */
	ZAPI_UNREACHABLE, /* refused with ICMP */
	ZAPI_LO,          /* dev lo; in the default VRF only */
};

struct zapi_options {
	const char *path; /* of zserv.api; copied */
	enum zapi_word word;
	uint16_t instance; /* 1 to 255 where the word has one, else 0 */
	/*
	 * The VRF of the routes: its name or zebra's number for it, as "show vrf" tells them. NULL
	 * or "": the default one. Copied. While zebra has no such VRF, the client says so (DOWN)
	 * and tries again.
	 */
	const char *vrf;
	enum zapi_nexthop nexthop;
	/*
	 * Administrative distance, 1 to 254. static: zebra tells our routes by it from those of
	 * others, which are left alone if theirs is another one (FRR, all releases).
	 */
	uint8_t distance;
	/*
	 * Own types: seconds that zebra keeps our routes after we are gone, by graceful restart.
	 * FRR 9.0 to 10.4 keep them until somebody deletes them (see zapi_status.sweeps_stale), and
	 * all releases keep those of TABLE_DIRECT.
	 */
	uint32_t stale_s;
	/*
	 * static only: a route of the feed is ours if it carries one of these tags. The array is
	 * copied.
	 */
	const uint32_t *tags;
	size_t n_tags;
	/* Only looks: nothing is ever sent to zebra but questions, whatever the owner wants. */
	bool observe;
};

struct zapi_route {
	struct prefix prefix;
	uint32_t tag;    /* 0: none */
	uint32_t metric; /* 0 to 4294967295; bgpd makes it the MED */
};

enum zapi_route_state {
	ZAPI_PENDING, /* wanted; zebra has not said anything yet, or is away */
	/*
	 * zebra's owner notification: selected, and in the kernel (own types only). In a burst of
	 * some hundred routes the feed is off, and REDISTRIBUTED follows for all at its end.
	 */
	ZAPI_INSTALLED,
	ZAPI_REDISTRIBUTED, /* zebra's feed: selected, thus what bgpd sees */
	ZAPI_REJECTED,      /* another route won, or the kernel refused; see reason */
	ZAPI_WITHDRAWING,   /* not wanted any more; zebra has not confirmed */
	ZAPI_GONE,          /* the last event of a route; then it is unknown */
};

/* "pending", …; never NULL. */
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
	/*
	 * ROUTE, REJECTED, static: the tag of the static route that holds the prefix, which is none
	 * of ours; 0: it has none, or it is not for such a route. Had a former life sent it, with
	 * that tag among zapi_options.tags it is ours.
	 */
	uint32_t holder_tag;
	char text[160]; /* empty: nothing to add */
};

enum zapi_answer { ZAPI_NO, ZAPI_YES, ZAPI_MAYBE };

/* Why a route of ours is rejected. */
enum zapi_failure {
	ZAPI_BETTER_ROUTE_WON,
	ZAPI_INSTALL_FAILED, /* the kernel did not take it */
	ZAPI_NOT_SELECTED,   /* zebra has it, as it was sent or not, and uses it not */
	ZAPI_NOT_SENT,       /* another holds the prefix: ours would disturb it, or lose */
	ZAPI_N_FAILURES,
};

/* A kind of message, "route_add", and how many there were. */
struct zapi_messages {
	const char *type;
	uint64_t in;
	uint64_t out;
};

#define ZAPI_N_MESSAGES 18
#define ZAPI_PROTOCOL   "6" /* the version of it, in all these releases */

/* What is known of zebra and of the connection; for status and metrics. */
struct zapi_status {
	bool connected;         /* UP and not yet DOWN */
	const char *phase;      /* "waiting", "detecting", "learning", "ready": what it is at */
	size_t n_routes;        /* wanted */
	size_t n_redistributed; /* wanted and in the feed */
	size_t n_leftovers;     /* ours in the feed, but not wanted (yet) */
	size_t n_feed;          /* all of the feed, others' included */
	size_t queue_bytes;     /* not yet taken by the socket */
	uint64_t connects;      /* connections that got as far as UP */
	uint64_t messages_in;
	uint64_t messages_out;
	uint64_t malformed;                 /* messages dropped because they did not decode */
	uint64_t unknown_releases;          /* connections given up because no release line fits */
	uint64_t route_failures;            /* transitions to REJECTED */
	uint64_t failures[ZAPI_N_FAILURES]; /* the same by reason */

	/* What zebra is. Valid while release is not empty. */
	char release[16];              /* "8.2-9.0": the release lines that fit; "": not known */
	enum zapi_answer sweeps_stale; /* removes the routes of a client that never returns */
	const char *vrf_backend;       /* "VRF devices", "network namespaces" */
	uint32_t ecmp;                 /* nexthops that a route may have */
	bool mpls;
	bool v6_nexthops; /* takes IPv6 nexthops for IPv4 routes; told from 9.1 on */
	bool restarted;   /* started with -K: keeps what its predecessor left; told from 10.2 on */
	uint32_t vrf;     /* zebra's number of ours; 0: the default one */
	const char *vrf_name;    /* until the next turn; NULL: the default one, or not known yet */
	struct prefix router_id; /* of our VRF, IPv4; family 0: none told */
};

/*
 * Connects from the loop, at once; with own types after a second, since a former life of ours may
 * have died this moment (FRR, all releases: a HELLO handled before that close makes zebra abort
 * later). notify(data) runs from a deferred job whenever there are events to pop; it may call
 * anything here, zapi_free() included. Never NULL. The options must be valid: word and instance as
 * zapi_word_parse() gives them.
 */
struct zapi *zapi_new(struct loop *loop, const struct zapi_options *options,
	void (*notify)(void *data), void *data);
/*
 * Closes without further ado; see zapi_finish() for the polite way, without which FRR 10.3 and 10.7
 * lose what others gave to zebra in the last 10 ms. Our routes stay in zebra: for good with static,
 * for stale_s with the own types. Accepts NULL, returns NULL.
 */
struct zapi *zapi_free(struct zapi *zapi);

/*
 * The next event; false: none left, *out is untouched. Of a route only the latest state is told,
 * and of the connection the latest 32 events are kept.
 */
must_check bool zapi_pop_event(struct zapi *zapi, struct zapi_event *out);

/*
 * Wants the route, or changes it; copied. With CONNECTED it only waits for the confirmation. What
 * was not sent yet is replaced: only the last word counts.
 */
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

/* A selected route of our word in zebra, whoever sent it. */
struct zapi_feed_route {
	struct zapi_route route;
	uint8_t distance;
	bool readable; /* tag, metric and distance were found; else they are 0 and mean nothing */
	bool ours;
	bool orphan; /* static, found in the kernel by a zebra that restarted: nobody holds it */
};

/* The feed, in order of prefix; empty while not connected. *out is for free(). */
size_t zapi_feed(const struct zapi *zapi, struct zapi_feed_route **out);

enum zapi_finish {
	ZAPI_FINISH_KEEP,     /* leave the routes: as if we were to come back */
	ZAPI_FINISH_WITHDRAW, /* delete all of ours, left-overs too, and end graceful restart */
};

/*
 * Sends what is queued and waits for zebra to have read it (a barrier: closing at once would lose
 * it); with WITHDRAW also for the confirmations. Then calls done(data), once, at the latest after
 * limit; ok is false if the limit or a lost connection cut it short. Only zapi_pop_event(),
 * zapi_status() and zapi_free() may follow.
 */
void zapi_finish(struct zapi *zapi, enum zapi_finish how, struct mono limit,
	void (*done)(void *data, bool ok), void *data);

/* Fills *out, which holds no pointers to free. */
void zapi_status(const struct zapi *zapi, struct zapi_status *out);
/*
 * Messages by type, of all connections so far; the last type is "other". Those of a connection
 * count when zebra's release, and so what their numbers mean, is known.
 */
void zapi_messages(const struct zapi *zapi, struct zapi_messages out[ZAPI_N_MESSAGES]);

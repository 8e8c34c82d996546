/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What differs between the release lines of FRR on the ZAPI socket.
 *
 * zebra never says which line it is of. It is known by what fits it, so all that has to do with
 * zebra's numbers takes a set of lines: those that fit what was seen so far.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In order of time. A line's point releases do not differ. */
enum release {
	RELEASE_7_5,
	RELEASE_8_0,
	RELEASE_8_1,
	RELEASE_8_2,
	RELEASE_8_3,
	RELEASE_8_4,
	RELEASE_8_5,
	RELEASE_9_0,
	RELEASE_9_1,
	RELEASE_10_0,
	RELEASE_10_1,
	RELEASE_10_2,
	RELEASE_10_3,
	RELEASE_10_4,
	RELEASE_10_5,
	RELEASE_10_6,
	RELEASE_10_7,
	N_RELEASES,
};

enum fact {
	/* Message numbers. */
	MSG_ROUTE_ADD,
	MSG_ROUTE_DELETE,
	MSG_ROUTE_NOTIFY_OWNER,
	MSG_REDISTRIBUTE_ADD,
	MSG_REDISTRIBUTE_DELETE,
	MSG_ROUTER_ID_ADD,
	MSG_ROUTER_ID_UPDATE,
	MSG_HELLO,
	MSG_CAPABILITIES,
	MSG_REDISTRIBUTE_ROUTE_ADD,
	MSG_REDISTRIBUTE_ROUTE_DEL,
	MSG_VRF_ADD,
	MSG_VRF_DELETE,
	MSG_ERROR,
	MSG_CLIENT_CAPABILITIES,
	MSG_ROUTE_NOTIFY_REQUEST,
	MSG_CLIENT_CLOSE_NOTIFY,
	N_MESSAGES, /* which is the first of the next: */
	/* Octets of a message's body. */
	SIZE_HELLO = N_MESSAGES,
	SIZE_CAPABILITIES,
	SIZE_VRF_ADD,
	SIZE_NOTIFY_4,
	SIZE_NOTIFY_6,
	/* Octets of a nexthop's weight. */
	SIZE_WEIGHT,
	/* Route types. */
	TYPE_CONNECTED,
	TYPE_STATIC,
	TYPE_OSPF,
	TYPE_ISIS,
	TYPE_NHRP,
	TYPE_TABLE,
	TYPE_BABEL,
	TYPE_OPENFABRIC,
	TYPE_TABLE_DIRECT,
	/* Message bits and flags of a route. */
	BIT_NHG,
	BIT_TABLEID,
	BIT_SRTE,
	BIT_OPAQUE,
	FLAG_TABLEID,
	/* Whether static routes that differ in metric only live side by side, so that deletes name
	   it. */
	STATIC_BY_METRIC,
	/* Whether zebra removes the routes of a client that does not come back (graceful restart).
	 */
	SWEEPS_STALE,
	N_FACTS,
};

/* What a line has; 0: it does not have it. */
uint16_t release_fact(enum release release, enum fact fact);

/* A set of lines, one bit each. */
struct releases {
	uint32_t bits;
};

static inline struct releases release_only(enum release release)
{
	return (struct releases){1u << release};
}

static inline struct releases releases_all(void)
{
	return (struct releases){(1u << N_RELEASES) - 1};
}

static inline bool releases_none(struct releases releases)
{
	return releases.bits == 0;
}

/* Of a set that is not empty. */
enum release releases_first(struct releases releases);
/* Those of them that have the fact. */
struct releases releases_with(struct releases releases, enum fact fact, uint16_t value);
/* The fact that all of them share. There must be one line at least, and no contradiction. */
uint16_t releases_fact(struct releases releases, enum fact fact);
/* All that any of them has: for what the others pass over. */
uint16_t releases_any(struct releases releases, enum fact fact);

#define RELEASES_STRLEN 16

/* "7.5", "8.2-9.0", …; "" for none. Written into buf and returned. */
const char *releases_text(struct releases releases, char buf[RELEASES_STRLEN]);

/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of ZAPI as octets: those that we send and those that we read. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <cosmolet/buf.h>
#include <cosmolet/prefix.h>
#include <cosmolet/zapi.h>

#include "release.h"

#define WIRE_HEADER_SIZE 10
#define WIRE_MESSAGE_MAX 16384 /* zebra's own bound, in both directions */
#define WIRE_SEND_MAX    96    /* no message of ours is longer */

/* A VRF that cannot be: zebra answers all that is sent to it by ERROR, and does nothing. */
#define WIRE_NO_VRF 0xffffffffu

struct wire_frame {
	uint32_t vrf;
	uint16_t command;
	struct reader body; /* lives as long as the octets it was read from */
};

/*
 * Takes one message off the reader. 0; 1 and nothing taken: it is not complete yet; -EBADMSG: this
 * is no ZAPI, and there is no way to find the next message.
 */
must_check int wire_next(struct reader *r, struct wire_frame *out);

/* The number of the message that a writer has from its start on. */
uint16_t wire_command(const struct writer *w);

enum wire_error { WIRE_ERROR_UNKNOWN, WIRE_ERROR_NO_VRF, WIRE_ERROR_NO_COMMAND };

enum wire_note {
	WIRE_FAIL_INSTALL,
	WIRE_BETTER_ADMIN_WON,
	WIRE_INSTALLED,
	WIRE_REMOVED,
	WIRE_REMOVE_FAIL,
	WIRE_N_NOTES,
};

struct wire_notify {
	enum wire_note note;
	struct prefix prefix;
	struct releases fits; /* of the lines asked for, those that have this layout */
};

/* A route of the feed. */
struct wire_route {
	uint8_t type;
	uint16_t instance;
	struct prefix prefix;
	bool by_source; /* for packets from a source prefix only: another route than the prefix's */
	bool reread;    /* zebra found it in the kernel after its own restart: nobody holds it */
	bool readable;  /* tag and metric were found; else they are 0 and mean nothing */
	uint32_t tag;
	uint32_t metric;
	uint8_t distance;
};

struct wire_client {
	uint8_t type;
	uint16_t instance;
};

struct wire_capabilities {
	uint32_t vrf_backend; /* 0: the kernel's VRF devices, 1: network namespaces */
	uint32_t ecmp;
	bool mpls;
	uint8_t v6_nexthops; /* 0 on lines that do not tell */
	uint8_t restart;
};

#define WIRE_VRF_NAME_MAX 36

struct wire_vrf {
	uint32_t table; /* the kernel's */
	char name[WIRE_VRF_NAME_MAX + 1];
};

/* The body of a message; false: malformed, and *out is untouched. */
must_check bool wire_read_error(struct reader body, uint32_t *out);
must_check bool wire_read_notify(
	struct releases releases, struct reader body, struct wire_notify *out);
must_check bool wire_read_route(
	struct releases releases, struct reader body, struct wire_route *out);
must_check bool wire_read_close_notify(struct reader body, struct wire_client *out);
must_check bool wire_read_capabilities(struct reader body, struct wire_capabilities *out);
must_check bool wire_read_vrf(struct reader body, struct wire_vrf *out);
must_check bool wire_read_router_id(struct reader body, struct prefix *out);

/* Answers ERROR_NO_VRF, in order with everything else: probes the release, and is the barrier. */
void wire_write_probe(struct writer *w);
bool wire_is_probe_answer(const struct wire_frame *frame);

/* What all routes of a client have in common. */
struct wire_kind {
	uint32_t vrf; /* zebra's number */
	uint8_t type;
	uint16_t instance;
	uint32_t table; /* 0: the VRF's main one */
	uint8_t distance;
	enum zapi_nexthop nexthop;
};

void wire_write_hello(struct writer *w, struct releases releases, uint8_t type, uint16_t instance);
/* The last word: of whoever says it zebra does not think that his routes, and others', are void. */
void wire_write_parting(struct writer *w, struct releases releases);
void wire_write_notify_request(struct writer *w, struct releases releases);
/* The feed of the kind's routes, which begins with all there are; and its end. */
void wire_write_redistribute_add(
	struct writer *w, struct releases releases, const struct wire_kind *kind, uint8_t family);
void wire_write_redistribute_delete(
	struct writer *w, struct releases releases, const struct wire_kind *kind, uint8_t family);
/* The IPv4 router id, now and whenever it changes. */
void wire_write_router_id_add(struct writer *w, struct releases releases, uint32_t vrf);

/* Graceful restart: on, all routes of a family sent, off. */
void wire_write_restart_on(
	struct writer *w, struct releases releases, uint32_t vrf, uint32_t stale_s);
void wire_write_restart_complete(
	struct writer *w, struct releases releases, uint32_t vrf, uint8_t family);
void wire_write_restart_off(struct writer *w, struct releases releases, uint32_t vrf);

/* A static route replaces one of the same distance, from 10.7 on also metric, whoever sent that. */
void wire_write_route_add(struct writer *w, struct releases releases, const struct wire_kind *kind,
	const struct zapi_route *route);
/* Of the route only prefix and metric matter, and of a static one its distance. */
void wire_write_route_delete(struct writer *w, struct releases releases,
	const struct wire_kind *kind, const struct zapi_route *route, uint8_t distance);

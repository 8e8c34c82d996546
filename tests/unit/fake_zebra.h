/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A zebra of any release, in the same loop as the client: for the faults that a real one does not
 * commit on demand, and for releases that are at hand nowhere. It keeps one RIB of routes that are
 * all selected.
 */
#pragma once

#include <cosmolet/loop.h>
#include <cosmolet/zapi.h>

#include "release.h"
#include "wire.h"

#define FAKE_N_ROUTES   512
#define FAKE_N_COMMANDS 32768
#define FAKE_IN_MAX     65536
#define FAKE_OUT_MAX    131072

struct fake_route {
	struct wire_kind kind;
	struct zapi_route route;
};

struct fake_zebra {
	struct loop *loop;
	enum release release;
	char *directory;
	char *path;
	int listener;
	int fd; /* the client's connection; -1: none */
	struct loop_io listener_io;
	struct loop_io io;

	/* A VRF besides the default one; NULL: none. */
	const char *vrf_name;
	uint32_t vrf;

	/* What it does wrong. */
	bool silent;          /* reads, but does not answer */
	bool deaf;            /* does not even read */
	bool chatty;          /* unsolicited messages before each answer */
	bool mute_feed;       /* does not tell what it selects */
	bool mute_notes;      /* notifies nobody, or another client */
	long close_after;     /* closes when it has sent so many octets; -1: never */
	uint16_t error;       /* the number of its ERROR; 0: as the release has it */
	const char *greeting; /* sent on accept, before anything else */

	uint8_t in[FAKE_IN_MAX];
	size_t in_size;
	/* All answers to what was read at a time are one write: of many small ones the socket takes
	 * fewer. */
	uint8_t out[FAKE_OUT_MAX];
	size_t out_size;
	bool reads;
	long n_sent;
	bool synchronous;   /* its client */
	bool subscribed[2]; /* IPv4, IPv6 */
	uint8_t feed_type;
	uint8_t hello_type;
	struct fake_route routes[FAKE_N_ROUTES];
	size_t n_routes;

	/* What it was told, in order; 0xffff is the barrier. */
	uint16_t commands[FAKE_N_COMMANDS];
	size_t n_commands;
	unsigned n_accepted;
};

/* Octets from hexadecimal text, in which blanks count for nothing; returns how many. */
size_t unhex(const char *text, uint8_t *out, size_t room);

/* Messages of zebra's own. */
void fake_write_error(
	struct writer *w, enum release release, uint16_t number, uint32_t vrf, uint32_t code);
void fake_write_capabilities(struct writer *w, uint16_t number, size_t size);
void fake_write_vrf_add(struct writer *w, uint16_t number, size_t size);
void fake_write_feed(
	struct writer *w, enum release release, const struct fake_route *route, bool add);

/* On the heap, since it is large. Listens at zebra->path from now on. */
struct fake_zebra *fake_zebra_new(struct loop *loop, enum release release);
struct fake_zebra *fake_zebra_free(struct fake_zebra *zebra);
/* Closes the client's connection, as a zebra that ends; it still listens. */
void fake_zebra_hang_up(struct fake_zebra *zebra);
/* The VRF goes away, and the client hears of it. */
void fake_zebra_delete_vrf(struct fake_zebra *zebra);

/* The RIB. Adding and deleting are told to the client if it subscribed. */
void fake_zebra_add(struct fake_zebra *zebra, const struct fake_route *route);
void fake_zebra_delete(struct fake_zebra *zebra, const struct prefix *prefix);
const struct fake_route *fake_zebra_find(
	const struct fake_zebra *zebra, const struct prefix *prefix);
void fake_zebra_notify(struct fake_zebra *zebra, enum wire_note note, const struct prefix *prefix);
void fake_zebra_send(struct fake_zebra *zebra, const void *data, size_t size);

/* How often it was told a command. */
size_t fake_zebra_told(const struct fake_zebra *zebra, uint16_t command);

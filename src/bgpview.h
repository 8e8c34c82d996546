/* SPDX-License-Identifier: Apache-2.0 */
/*
 * To which neighbours bgpd really advertises our addresses, as bgpd itself tells it: it is asked
 * now and then, and nothing is decided by it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cosmolet/loop.h>
#include <cosmolet/prefix.h>
#include <cosmolet/vec.h>

#define BGPVIEW_UNREAD_TEXT "it is sent more routes than are looked through"

struct bgpview;

/* A neighbour in one address family. */
struct bgpview_neighbor {
	char *name; /* its address, or the interface of an unnumbered one */
	uint8_t family;
	char *state; /* "Established", "Active", … */
	bool established;
	bool unread; /* it is sent too much to be read: what of that is ours is not known */
	struct prefix *advertised; /* of our addresses; in order */
	size_t n_advertised;
};

/* Whether an address is of interest: one that we announce. */
typedef bool bgpview_wants_fn(void *data, const struct prefix *address);

/*
 * zserv: the path of zebra's socket, beside which bgpd's vty lies. vrf: NULL, or its name. Asks at
 * once, and again pause after each round. Copies the strings. Never NULL.
 */
struct bgpview *bgpview_new(struct loop *loop, const char *zserv, const char *vrf,
	struct mono pause, bgpview_wants_fn *wants, void *data);
/* The name, where vrf was a number. Accepts a view of NULL. */
void bgpview_set_vrf(struct bgpview *view, const char *vrf);
/* Accepts NULL, returns NULL. */
struct bgpview *bgpview_free(struct bgpview *view);

/*
 * What bgpd said last: struct bgpview_neighbor, by name and family; until the next turn. Empty
 * before its first answer.
 */
const struct vec *bgpview_neighbors(const struct bgpview *view);
/* Seconds since that was asked; negative: bgpd never answered. */
double bgpview_age(const struct bgpview *view);
/* Whether it is so new that it may be told as what is: of the last minute, or three rounds. */
bool bgpview_is_fresh(const struct bgpview *view);
/* Why there is nothing newer; NULL: there was an answer to the last question. */
const char *bgpview_error(const struct bgpview *view);

bool bgpview_advertises(const struct bgpview_neighbor *neighbor, const struct prefix *address);
/* To how many neighbours an address is advertised. false: that is not known, or no longer. */
must_check bool bgpview_count(
	const struct bgpview *view, const struct prefix *address, size_t *out_n);

/* SPDX-License-Identifier: Apache-2.0 */
/* Whether bgpd still hears of our routes. */
#pragma once

#include <stdbool.h>

#include <cosmolet/loop.h>

struct bgpd;

/* What bgpd's state means for us, and the way out; for logs, status and people. */
#define BGPD_DEAF_TEXT                                                                         \
	"zebra was restarted and bgpd was not: bgpd announces what it had, and hears neither " \
	"of new routes nor of withdrawals, until it is restarted; restart bgpd, or FRR as a "  \
	"whole"

/*
 * zserv: the path of zebra's socket, beside which bgpd's vty lies; copied. changed(data) tells that
 * bgpd_is_deaf() has another answer. former: of an earlier life of the process, taken over; what it
 * knows counts if it was of the same FRR. NULL: there was none. Never NULL.
 */
struct bgpd *bgpd_new(struct loop *loop, const char *zserv, void (*changed)(void *data), void *data,
	struct bgpd *former);
/* The end of a life: until bgpd_new() has it back, nothing happens. Accepts NULL. */
void bgpd_stop(struct bgpd *bgpd);
struct bgpd *bgpd_free(struct bgpd *bgpd);

/* The connection to zebra is up, or lost. */
void bgpd_zebra_up(struct bgpd *bgpd);
void bgpd_zebra_down(struct bgpd *bgpd);
bool bgpd_is_deaf(const struct bgpd *bgpd);

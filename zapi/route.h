/* SPDX-License-Identifier: Apache-2.0 */
/* One route: the facts about it, and what follows from them. Nothing here changes a list. */
#pragma once

#include "table.h"

/* There may be 100,000 of these. */
struct route {
	struct prefix prefix; /* first: routes are found and sorted by it */

	/* The owner's word. */
	bool wanted : 1;

	/* The feed's word. */
	bool there : 1;
	bool shown : 1; /* since the feed began */
	bool ours : 1;
	bool orphan : 1; /* static, left in the kernel by a zebra that died: ours or staticd's */
	bool readable : 1;

	/* What we did and have not seen the end of. */
	bool leaving : 1;  /* to be deleted, or deleted and not yet known gone */
	bool sent : 1;     /* zebra may have it from us, seen in the feed or not */
	bool deleting : 1; /* a delete is under way, so the feed's DEL is no news */
	bool refresh : 1;  /* a left-over that zebra would sweep: to be sent again as it is */

	bool installed : 1; /* the notifications' word */
	bool mend : 1; /* lost without our doing, twice within a second: sent again at the next look
			*/
	bool later : 1; /* changed too often of late: what it is then will be sent at the next look
			 */
	bool owes_gone : 1; /* the owner knows of it, and so has to hear of its end */
	bool is_dirty : 1, is_awaiting : 1, is_news : 1, is_unread : 1;
	bool counted[N_COUNTS];
	uint8_t there_distance;
	enum zapi_route_state state : 8;
	enum zapi_route_state told : 8;

	uint32_t tag; /* the owner's word, too */
	uint32_t metric;
	uint32_t there_tag; /* the feed's */
	uint32_t there_metric;
	uint32_t sent_metric;

	uint32_t n_burst; /* orders given since burst */
	uint32_t tries;
	struct mono burst;
	struct mono mended;
	struct mono since; /* when it began to wait for zebra */
	uint64_t barrier;  /* answered: zebra has read what we sent */

	const char
		*trouble; /* why zebra does not use it, by its notifications; NULL: nothing known */
	const char *reason;
	const char *told_reason;
	TAILQ_ENTRY(route) dirty_link, awaiting_link, news_link, unread_link;
};

/* Whether what the feed shows is what is wanted. */
bool route_confirms(const struct table *table, const struct route *route);
/* Whether it is ours, in zebra, and nobody has claimed it. */
bool route_is_leftover(const struct table *table, const struct route *route);
/* The tag of the static route of others that keeps it out of zebra; 0: none, or no such route. */
uint32_t route_holder_tag(const struct table *table, const struct route *route);
/* Why it must not be sent; NULL: it may. */
const char *route_refusal(const struct table *table, const struct route *route);
/* Whether the feed shows it, and not one of others, which may hide ours. */
bool route_is_shown(const struct route *route);
/* Whether deleting it takes nothing away from others. */
bool route_can_delete(const struct route *route);

/* Its state by the facts; *out_reason is NULL unless it is REJECTED. Reasons compare by address. */
enum zapi_route_state route_judge(
	const struct table *table, const struct route *route, const char **out_reason);
/* Takes in what the feed shows. */
void route_see(const struct table *table, struct route *route, const struct wire_route *seen);
/* What has to be sent now, and notes that it is; false: nothing. */
must_check bool route_order(const struct table *table, struct route *route, struct order *out);

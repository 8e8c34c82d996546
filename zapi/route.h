/* SPDX-License-Identifier: Apache-2.0 */
/* One route: the facts about it, and what follows from them. Nothing here changes a list. */
#pragma once

#include "table.h"

struct route {
	struct prefix prefix; /* first: routes are found and sorted by it */

	/* The owner's word. */
	bool wanted;
	uint32_t tag;
	uint32_t metric;

	/* The feed's word. */
	bool there;
	bool ours;
	bool orphan; /* static, left in the kernel by a zebra that died: ours or staticd's */
	bool readable;
	uint32_t there_tag;
	uint32_t there_metric;
	uint8_t there_distance;

	/* What we did and have not seen the end of. */
	bool leaving;  /* to be deleted, or deleted and not yet known gone */
	bool sent;     /* zebra may have it from us, seen in the feed or not */
	bool deleting; /* a delete is under way, so the feed's DEL is no news */
	uint32_t sent_metric;

	/* The notifications' word. */
	bool installed;
	const char *trouble; /* why zebra does not use it; NULL: nothing known */

	bool mend; /* lost without our doing, twice within a second: sent again at the next look */
	struct mono mended;
	bool later; /* changed too often of late: what it is then will be sent at the next look */
	struct mono burst;
	unsigned n_burst;  /* orders given since */
	struct mono since; /* when it began to wait for zebra */
	uint64_t barrier;  /* answered: zebra has read what we sent */
	unsigned tries;

	enum zapi_route_state state;
	const char *reason;
	enum zapi_route_state told;
	const char *told_reason;
	bool owes_gone; /* the owner knows of it, and so has to hear of its end */
	bool counted[N_COUNTS];

	bool is_dirty, is_awaiting, is_news, is_unread;
	TAILQ_ENTRY(route) dirty_link, awaiting_link, news_link, unread_link;
};

/* Whether what the feed shows is what is wanted. */
bool route_confirms(const struct table *table, const struct route *route);
/* Whether it is ours, in zebra, and nobody has claimed it. */
bool route_is_leftover(const struct table *table, const struct route *route);
/* Whether deleting it takes nothing away from others. */
bool route_can_delete(const struct route *route);

/* Its state by the facts; *out_reason is NULL unless it is REJECTED. Reasons compare by address. */
enum zapi_route_state route_judge(
	const struct table *table, const struct route *route, const char **out_reason);
/* Takes in what the feed shows. */
void route_see(const struct table *table, struct route *route, const struct wire_route *seen);
/* What has to be sent now, and notes that it is; false: nothing. */
must_check bool route_order(const struct table *table, struct route *route, struct order *out);

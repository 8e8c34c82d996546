/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When to decide: which services an event touches, what must be known before anything is done, and
 * whose EndpointSlices are needed. What is decided is plan.h's.
 */
#pragma once

#include <stdbool.h>

#include <cosmolet/k8s.h>
#include <cosmolet/loop.h>
#include <cosmolet/vec.h>

#include "announce.h"
#include "cluster.h"
#include "config.h"

struct planner {
	struct loop *loop;
	const struct config *config;
	struct cluster *cluster;
	struct announce *announce;
	struct k8s *k8s;
	void (*before)(void *data); /* each round */
	void *data;
	struct vec changed;    /* struct name, of services to plan anew */
	struct vec by_slices;  /* struct name, of services that EndpointSlices decide */
	struct vec complaints; /* struct name, of services with annotations that are ignored */
	struct loop_job job;
	bool synced; /* the source has told everything for the first time */
	bool held;   /* something that the source does not know is to be waited for */
};

/*
 * Borrows everything; the cluster's events go to planner_touch() with the planner as data. Before
 * each round of decisions before(data) is called.
 */
void planner_init(struct planner *planner, struct loop *loop, const struct config *config,
	struct cluster *cluster, struct announce *announce, void (*before)(void *data), void *data);
/* NULL, or the source that EndpointSlices are to be had from. */
void planner_set_source(struct planner *planner, struct k8s *k8s);
void planner_deinit(struct planner *planner);

/* The outcome of a service may have changed. Bursts are merged into one round. */
void planner_touch(void *planner, const char *namespace, const char *name);
/* That of all of them may have. */
void planner_touch_all(struct planner *planner);

/*
 * The source has told everything. What it told is decided, and the announcer hears of it, as soon
 * as the EndpointSlices are known, too, that some of it depends on; or cannot be had, as is known.
 */
void planner_synced(struct planner *planner);
/* Until it is released again, the announcer does not hear that the first picture is complete. */
void planner_hold(struct planner *planner, bool held);
/* Something may be to be done before the next decisions. */
void planner_consider(struct planner *planner);
/* A list of EndpointSlices has ended, or cannot be had. */
void planner_slices_changed(struct planner *planner);

/*
 * Decides everything at once by another configuration, which must outlive this. Afterwards nothing
 * refers to the one before.
 */
void planner_configure(struct planner *planner, const struct config *config);

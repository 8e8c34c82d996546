/* SPDX-License-Identifier: Apache-2.0 */
/* A node that is to be left in peace first says so to the network, and then withdraws. */
#pragma once

#include <stdbool.h>

#include <cosmolet/loop.h>

#include "announce.h"
#include "cluster.h"
#include "config.h"

enum drain_phase {
	DRAIN_NONE,
	DRAIN_TAGGED,    /* everything carries the drain tag: whoever has another way takes it */
	DRAIN_WITHDRAWN, /* the node announces nothing */
};

struct drain {
	struct loop *loop;
	struct cluster *cluster;
	struct announce *announce;
	void (*replan)(void *data); /* every service is to be decided anew */
	void *data;
	enum drain_phase phase;
	char *why;    /* what triggered it, in words; NULL: nothing */
	char *unwell; /* what is wrong with what announce.wait_for names; NULL: nothing known */
	bool signalled;
	bool node_known;   /* there was a Node of ours */
	bool stale;        /* the API server has been away for too long */
	bool seen;         /* the cluster is known, and with it the node */
	bool was_up;       /* a former life of the process had not withdrawn everything */
	struct mono began; /* the way to the lower rung; zeroed: it has not */
	struct loop_timer timer;
};

/*
 * Borrows everything. Of an earlier life of the process, zeroed at first, it keeps whether a signal
 * drains, or what is unwell, whether there was a node, and how far the ladder was descended.
 */
void drain_init(struct drain *drain, struct loop *loop, struct cluster *cluster,
	struct announce *announce, void (*replan)(void *data), void *data);
void drain_deinit(struct drain *drain);
/* At the end of the last life. */
void drain_free(struct drain *drain);

/*
 * To be called before services are planned, when the cluster is known: the node, or the
 * configuration, may have changed. What has a trigger at first was drained by a former process:
 * nothing is announced only to be withdrawn.
 */
void drain_consider(struct drain *drain, const struct config *config);
/* A signal begins the drain, or ends it. */
void drain_signal(struct drain *drain, const struct config *config, bool begin);

/* What announce.wait_for names is not well any more, for that reason; NULL: it is. */
void drain_unwell(struct drain *drain, const struct config *config, const char *reason);

/* The limit of fail_static is over, or the API server is back. */
void drain_stale(struct drain *drain, const struct config *config, bool stale);

/* "none", "tagged", "withdrawn". */
const char *drain_phase_text(enum drain_phase phase);

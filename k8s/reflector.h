/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps one resource (of one namespace) in step with the API server: list, then watch, for ever. */
#pragma once

#include "events.h"
#include "request.h"

struct reflector;

/* All are borrowed and must outlive the reflector. */
struct reflector_options {
	struct loop *loop;
	struct events *events;
	struct requests *requests;
	struct auth *auth;
	enum k8s_resource resource;
	const char *namespace; /* NULL: all */
	const char *node;      /* for pods and nodes: only those of this one */
	const char *why;       /* it is watched in this way */
	const char *annotation_prefix;
	/* After each list, or the attempt of one; there: there has been one. NULL: nobody asks. */
	void (*answered)(void *data, bool there);
	void *data;
	/* Only objects of these namespaces are passed on; none: all. */
	const char *const *namespaces;
	size_t n_namespaces;
};

/* Evenly from 0 to n - 1: what keeps the nodes of a cluster from doing the same at once. */
uint32_t random_below(uint32_t n);

/* Does nothing until it is started. Never NULL. */
struct reflector *reflector_new(const struct reflector_options *options);
/* Accepts NULL, returns NULL. Says nothing. */
struct reflector *reflector_free(struct reflector *reflector);

/*
 * Narrows it to objects with such labels, instead of all of them that a proxy serves (NULL). What
 * it knows stays until a new list of that kind has ended.
 */
void reflector_select(struct reflector *reflector, const char *labels, const char *why);
/* Of services, from now on with their labels; until all have come with them, it is not synced. */
void reflector_want_labels(struct reflector *reflector);
/* Begins with a list. Nothing, if it runs already. */
void reflector_start(struct reflector *reflector);
/* Ends with an empty list. Nothing, if it does not run. */
void reflector_stop(struct reflector *reflector);

/* Its stream and the selection that its lists have from now on; false: it does not run. */
bool reflector_selection(
	const struct reflector *reflector, unsigned *out_stream, unsigned *out_selection);

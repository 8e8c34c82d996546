/* SPDX-License-Identifier: Apache-2.0 */
/* One object's JSON, reduced to what cosmolet reads. */
#pragma once

#include <jansson.h>

#include <cosmolet/k8s.h>

#include "cut.h"

#define OBJECT_POLICY_GROUP "cosmolet.platformbuilds.io"

/* Whether such objects live in a namespace. */
bool object_is_namespaced(enum k8s_resource resource);

/* Why an object was refused, and the member it is about, for those who know where that stands. */
struct object_fault {
	char *text;       /* "spec.type: expected a string, found a list"; for free() */
	const json_t *in; /* the object that holds it; borrowed from the JSON */
	const char *key;  /* its key there, also borrowed; NULL: it is missing */
};

/*
 * 0 and *out. *out_problem (unless it stays NULL) then says what was left out, for free(). Or
 * -EBADMSG, *out untouched and *out_fault filled: the object has no name, or a member is not what
 * the API says. null is the same as absent. Only annotations with the prefix are kept.
 */
must_check int object_read(enum k8s_resource resource, const json_t *json,
	const char *annotation_prefix, struct k8s_object **out, char **out_problem,
	struct object_fault *out_fault);

/* What is read of an object, for the cut; it points into itself, and must not be moved. */
struct object_wanted {
	struct cut_wanted annotations[2];
	struct cut_wanted metadata[8];
	struct cut_wanted object[8];
};

/*
 * Borrows the prefix; NULL: all annotations. The uid of services is read by nobody, their labels
 * only by whoever asks for them.
 */
void object_wanted_init(struct object_wanted *out, enum k8s_resource resource,
	const char *annotation_prefix, bool labels);

/* Frees all that one points to that was not packed; it points to nothing afterwards. */
void object_deinit(struct k8s_object *object);
/* Moves it and all that it points to into one allocation; never NULL. Then as object_deinit(). */
struct k8s_object *object_pack(struct k8s_object *object);

/* "ns/name" or "name", as far as the JSON tells; never NULL, for free(). */
char *object_name(const json_t *json);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AnnouncementPolicies: classes that the cluster holds, and that choose their services themselves.
 *
 * Of those that choose a service on this node one decides, alone: that of the highest priority, and
 * of several the first by name. A service that names a class of the configuration has chosen by
 * itself, and no policy is asked. What a policy does not say is as the configuration has it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cosmolet/k8s.h>
#include <cosmolet/vec.h>

#include "config.h"

/* More would cost each decision too much; the rest is refused. */
#define POLICIES_MAX 256

struct policy {
	char *name;
	char *told;    /* the spec that the cluster has; NULL: one too large to look at */
	char *error;   /* why that is not in force: "spec.settings.tag: …"; NULL: it is */
	char *spec;    /* the last good one, which is in force; NULL: none */
	char *version; /* the first resourceVersion with this spec; NULL: there was none */
	/* Of spec: */
	int64_t priority;
	struct config_class class;           /* its namespaces are those of the services */
	struct k8s_label_selector *services; /* NULL: all */
	struct k8s_label_selector *nodes;    /* NULL: all, known or not */
};

struct policies {
	struct vec all;    /* struct policy, by name */
	struct vec ranked; /* of them those in force: the first one that fits decides */
	uint64_t revision; /* of cluster.policies_revision, as last followed */
	bool stale;        /* the configuration is another one */
};

void policies_init(struct policies *policies);
void policies_deinit(struct policies *policies);

/*
 * Takes over what the cluster holds now. A policy that does not read keeps what it said before, and
 * is complained of in the log, once. true: services may have to be decided anew; what was borrowed
 * of policies before is gone.
 */
bool policies_follow(
	struct policies *policies, const struct config *config, const struct vec *objects);

/* The one that decides; node NULL: not known. NULL: none does. Accepts NULL. */
const struct policy *policies_find(const struct policies *policies,
	const struct k8s_object *service, const struct k8s_object *node);

/* The field that an error is about, for free(). */
char *policy_field(const struct policy *policy);
/* How many are refused, with or without a spec in force. */
size_t policies_invalid(const struct policies *policies);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubernetes objects for tests, written as a short line of words:
 *
 *	service("default/web", "cluster=10.96.0.1 lb=192.0.2.1 select=app:web")
 *	pod("default/web-1", "label=app:web ip=10.0.0.1 ready")
 */
#pragma once

#include "config.h"

#include <cosmolet/k8s.h>

struct k8s_object *service(const char *key, const char *words);
struct k8s_object *pod(const char *key, const char *words);
struct k8s_object *node(const char *name, const char *words);
struct k8s_object *slice(const char *key, const char *words);
struct k8s_object *namespace(const char *name, const char *words);
/* spec: of YAML's flow style, "{priority: 1}". NULL: one too large. */
struct k8s_object *policy(const char *name, const char *spec);

/* A configuration of node "node" with these lines. */
struct config *config_of(const char *yaml);
/* For clusters that nobody plans for. */
void touch_nothing(void *data, const char *namespace, const char *name);

/* SPDX-License-Identifier: Apache-2.0 */
/* The objects in a manifest file. */
#pragma once

#include <cosmolet/k8s.h>
#include <cosmolet/vec.h>

/*
 * Reads the text of the file of that path: YAML with any number of documents, or JSON; lists of
 * objects are taken apart. Services, Pods, Nodes, EndpointSlices and Namespaces are taken if the
 * options want their namespace, node or labels; other kinds are passed over.
 *
 * 0: out_objects and out_problems (texts), both empty before, hold what is for the caller to free.
 * Or -EBADMSG, both untouched, and *out_error ("path:line:column: …") for free().
 */
must_check int manifest_read(const char *path, const char *text, size_t size,
	const struct k8s_options *options, struct vec *out_objects, struct vec *out_problems,
	char **out_error);

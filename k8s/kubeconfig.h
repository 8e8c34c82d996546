/* SPDX-License-Identifier: Apache-2.0 */
/* The part of a kubeconfig that a daemon can use. */
#pragma once

#include "auth.h"

/*
 * Reads the text of the kubeconfig, which stands in the file of that path. context NULL: the
 * current one. 0 and *out filled; or -EINVAL, *out untouched, and *out_error ("path:line:column:
 * …") for free().
 */
must_check int kubeconfig_parse(const char *path, const char *text, size_t size,
	const char *context, struct auth *out, char **out_error);

/* What is wrong with the URL of an API server that is to get credentials. NULL: nothing. */
const char *kubeconfig_server_fault(const char *server);

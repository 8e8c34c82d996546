/* SPDX-License-Identifier: Apache-2.0 */
/* A directory of manifests, kept in step by inotify. Each file is a stream. */
#pragma once

#include "events.h"

struct files;

/*
 * 0 and *out, which reads from the loop; or -EINVAL and *out_error for free(): the directory cannot
 * be read. Borrows the options' strings.
 */
must_check int files_new(struct loop *loop, struct events *events,
	const struct k8s_options *options, struct files **out, char **out_error);
/* Accepts NULL, returns NULL. Says nothing. */
struct files *files_free(struct files *files);

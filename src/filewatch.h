/* SPDX-License-Identifier: Apache-2.0 */
/* Tells when a file may have been replaced: written, renamed over, or behind a swapped symlink. */
#pragma once

#include <cosmolet/loop.h>

struct filewatch;

/*
 * Watches the directory of path, as that is where replacing shows (a ConfigMap's mount swaps
 * "..data" there). changed(data) comes a moment after the first change of several; whether the
 * file's content is another one is for the caller to see. NULL: there is no inotify to be had, or
 * no such directory.
 */
struct filewatch *filewatch_new(
	struct loop *loop, const char *path, void (*changed)(void *data), void *data);
/* Accepts NULL, returns NULL. */
struct filewatch *filewatch_free(struct filewatch *watch);

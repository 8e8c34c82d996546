/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a service manager is told: that the start has succeeded, how it goes, that the end takes a
 * while, and, where it wants to know, that the event loop still turns. See sd_notify(3).
 */
#pragma once

#include <cosmolet/loop.h>

struct notify;

/* How it goes, in one line; for free(). */
typedef char *notify_status_fn(void *data);

/* NULL where $NOTIFY_SOCKET asks for nothing; the others take that. */
struct notify *notify_new(struct loop *loop, notify_status_fn *status, void *data);
struct notify *notify_free(struct notify *notify);

/* The end has begun, and takes at most that long. */
void notify_stopping(struct notify *notify, struct mono limit);

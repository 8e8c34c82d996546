/* SPDX-License-Identifier: Apache-2.0 */
/* For tests only. */
#pragma once

#include <cosmolet/zapi.h>

/* Takes over a connected, non-blocking socket as if it had just connected it. Before the first
 * turn. */
void zapi_attach(struct zapi *zapi, int fd);

/* SPDX-License-Identifier: Apache-2.0 */
/* Who this process is and what it may do: as soon as can be, zebra's own user and next to nothing.
 */
#pragma once

#include <stdbool.h>

#include <cosmolet/mem.h>

/*
 * Gives up all that cosmolet does not need; for good, and only for the calling thread, so there
 * should be no other one. Root becomes the owner of zebra's socket, and keeps CAP_NET_ADMIN if
 * net_admin, and may write into directory (NULL: none), which is made; any other user stays who he
 * is. 0: done. 1: there is no socket yet whose owner root could become; call again when there is.
 * -EPERM: it cannot work this way, and *out_error, for free(), says what to change.
 */
must_check int privileges_drop(
	const char *socket, bool net_admin, const char *directory, char **out_error);

/* Why this process may not connect to the socket, and what to change; NULL: it may, or there is
 * none. For free(). */
char *privileges_fault(const char *socket);

/* SPDX-License-Identifier: Apache-2.0 */
/* A stream to another process of this machine. */
#pragma once

#include <cosmolet/mem.h>

/* Connects to the socket of that path, without waiting. The descriptor, non-blocking and the
   caller's, or a negative errno. */
must_check int socket_connect(const char *path);

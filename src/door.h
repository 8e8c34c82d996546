/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who comes to http.listen comes to the door first. It has a thread of its own and waits for all at
 * once: it speaks TLS, takes in one request of bounded size and time each, and asks the server
 * behind it (which has a thread for each connection, so few of them) when there is a place. Those
 * who only hold a place lose it when others need it; probes have places of their own.
 */
#pragma once

#include "tls.h"

#include <cosmolet/prefix.h>
#include <sys/socket.h>

struct door;

/*
 * Listens, and opens with door_open(); the server behind is at 127.0.0.1:port. tls (kept by the
 * caller, until door_free()): NULL for plain HTTP. is_probe says of a path, on the door's thread,
 * whether it is a probe's. Signals must be blocked already. 0 and *out; or a negative errno, if it
 * cannot listen there.
 */
must_check int door_new(const struct prefix *host, uint16_t listen_port, struct tls *tls,
	uint16_t port, bool (*is_probe)(const char *path), struct door **out);
void door_open(struct door *door);
/* For tests, instead of that: one turn, on this thread. */
void door_turn(struct door *door, int timeout_ms);
/*
 * Whether a connection of that port on 127.0.0.1 is the door's, and so that of a visitor;
 * *out_known: it has shown a good certificate. On any thread.
 */
bool door_is_asking(struct door *door, uint16_t port, bool *out_known);
/* Accepts NULL, returns NULL. */
struct door *door_free(struct door *door);

/* The same address for the kernel; returns its size. */
socklen_t door_address(const struct prefix *host, uint16_t port, struct sockaddr_storage *out);

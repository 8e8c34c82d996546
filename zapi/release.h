/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between the release lines of FRR on the ZAPI socket. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* As far as they can be told apart on the wire; see detect.c. */
enum release {
	RELEASE_7_5,
	RELEASE_8_0,
	RELEASE_8_1,
	RELEASE_8_2, /* to 9.0 */
	RELEASE_9_1,
	RELEASE_10_0, /* and 10.1 */
	RELEASE_10_2, /* to 10.5 */
	RELEASE_10_6, /* and 10.7 */
	N_RELEASES,
};

enum fact {
	/* Message numbers. */
	MSG_ERROR,
	MSG_HELLO,
	MSG_CAPABILITIES,
	MSG_VRF_ADD,
	MSG_ROUTE_ADD,
	MSG_ROUTE_DELETE,
	MSG_ROUTE_NOTIFY_OWNER,
	MSG_REDISTRIBUTE_ADD,
	MSG_REDISTRIBUTE_ROUTE_ADD,
	MSG_REDISTRIBUTE_ROUTE_DEL,
	MSG_CLIENT_CAPABILITIES,
	MSG_ROUTE_NOTIFY_REQUEST,
	MSG_CLIENT_CLOSE_NOTIFY,
	/* Octets of a message's body. */
	SIZE_HELLO,
	SIZE_CAPABILITIES,
	SIZE_VRF_ADD,
	SIZE_NOTIFY_4,
	SIZE_NOTIFY_6,
	SIZE_NOTIFY_4_LATER, /* of the later releases of the line */
	SIZE_NOTIFY_6_LATER,
	/* Octets of a nexthop's weight; two bits where the line has both. */
	SIZE_WEIGHT,
	/* Route types. */
	TYPE_CONNECTED,
	TYPE_STATIC,
	TYPE_OSPF,
	TYPE_ISIS,
	TYPE_NHRP,
	TYPE_TABLE,
	TYPE_BABEL,
	TYPE_OPENFABRIC,
	TYPE_TABLE_DIRECT,
	/* Message bits and flags of a route. */
	BIT_NHG,
	BIT_TABLEID,
	BIT_SRTE,
	BIT_OPAQUE,
	FLAG_TABLEID,
	/* Whether static routes that differ in metric only live side by side, so that deletes name
	   it. */
	STATIC_BY_METRIC,
	N_FACTS,
};

/* 0: the line does not have it. */
uint16_t release_fact(enum release release, enum fact fact);
/* "8.2-9.0", …; "" for N_RELEASES. */
const char *release_text(enum release release);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What differs between the release lines of FRR on the ZAPI socket, as one table.
 *
 * The version octet of the protocol has been 6 since long before 7.5, while numbers and layouts
 * moved under it: the ROUTE_DELETE of FRR 9 is the ROUTE_ADD of FRR 10. So every number that
 * depends on the release stands here and nowhere else. A new line is a new column, made by
 * comparing its lib/zclient.h and lib/route_types.txt with these rows; detect.c then finds it by
 * itself.
 *
 * Lines that look alike on the wire (8.2 to 9.0, 10.0 and 10.1, 10.2 to 10.5, 10.6 and 10.7) must
 * agree in everything that we send, except where the others pass over it: releases_any() marks
 * those places.
 */
#include "release.h"

#include <assert.h>
#include <stdio.h>

#define NO 0

/* clang-format off */
static const char *const texts[N_RELEASES] = {
	"7.5", "8.0", "8.1", "8.2", "8.3", "8.4", "8.5", "9.0", "9.1",
	"10.0", "10.1", "10.2", "10.3", "10.4", "10.5", "10.6", "10.7",
};

static const uint16_t facts[N_FACTS][N_RELEASES] = {
	/*                               7.5   8.0   8.1   8.2   8.3   8.4   8.5   9.0   9.1  10.0  10.1  10.2  10.3  10.4  10.5  10.6  10.7 */
	[MSG_ROUTE_ADD]              = {   8,    8,    8,    8,    8,    8,    8,    8,    8,    9,    9,    9,    9,    9,    9,    9,    9 },
	[MSG_ROUTE_DELETE]           = {   9,    9,    9,    9,    9,    9,    9,    9,    9,   10,   10,   10,   10,   10,   10,   10,   10 },
	[MSG_ROUTE_NOTIFY_OWNER]     = {  10,   10,   10,   10,   10,   10,   10,   10,   10,   11,   11,   11,   11,   11,   11,   11,   11 },
	[MSG_REDISTRIBUTE_ADD]       = {  11,   11,   11,   11,   11,   11,   11,   11,   11,   12,   12,   12,   12,   12,   12,   12,   12 },
	[MSG_REDISTRIBUTE_DELETE]    = {  12,   12,   12,   12,   12,   12,   12,   12,   12,   13,   13,   13,   13,   13,   13,   13,   13 },
	[MSG_ROUTER_ID_ADD]          = {  15,   15,   15,   15,   15,   15,   15,   15,   15,   16,   16,   16,   16,   16,   16,   16,   16 },
	[MSG_ROUTER_ID_UPDATE]       = {  17,   17,   17,   17,   17,   17,   17,   17,   17,   18,   18,   18,   18,   18,   18,   18,   18 },
	[MSG_HELLO]                  = {  18,   18,   18,   18,   18,   18,   18,   18,   18,   19,   19,   19,   19,   19,   19,   19,   19 },
	[MSG_CAPABILITIES]           = {  19,   19,   19,   19,   19,   19,   19,   19,   19,   20,   20,   20,   20,   20,   20,   20,   20 },
	[MSG_REDISTRIBUTE_ROUTE_ADD] = {  33,   33,   33,   30,   30,   30,   30,   30,   30,   31,   31,   31,   31,   31,   31,   31,   31 },
	[MSG_REDISTRIBUTE_ROUTE_DEL] = {  34,   34,   34,   31,   31,   31,   31,   31,   31,   32,   32,   32,   32,   32,   32,   32,   32 },
	[MSG_VRF_ADD]                = {  36,   36,   36,   33,   33,   33,   33,   33,   33,   34,   34,   33,   33,   33,   33,   33,   33 },
	[MSG_VRF_DELETE]             = {  37,   37,   37,   34,   34,   34,   34,   34,   34,   35,   35,   34,   34,   34,   34,   34,   34 },
	[MSG_ERROR]                  = { 112,  117,  121,  118,  118,  118,  118,  118,  117,  118,  118,  120,  120,  120,  120,  120,  120 },
	[MSG_CLIENT_CAPABILITIES]    = { 113,  118,  122,  119,  119,  119,  119,  119,  118,  119,  119,  121,  121,  121,  121,  121,  121 },
	[MSG_ROUTE_NOTIFY_REQUEST]   = {  NO,  123,  127,  124,  124,  124,  124,  124,  123,  124,  124,  126,  126,  126,  126,  126,  126 },
	[MSG_CLIENT_CLOSE_NOTIFY]    = {  NO,  124,  128,  125,  125,  125,  125,  125,  124,  125,  125,  127,  127,  127,  127,  127,  127 },

	[SIZE_HELLO]                 = {   9,    9,    9,    9,    9,    9,    9,    9,    9,    8,    8,    8,    8,    8,    8,    8,    8 },
	[SIZE_CAPABILITIES]          = {  10,   10,   10,   10,   10,   10,   10,   10,   11,   11,   11,   12,   12,   12,   12,    9,    9 },
	[SIZE_VRF_ADD]               = {  56,   76,   76,   76,   76,   76,   76,   76,   76,   76,   76,   76,   76,   76,   76,   76,   76 },
	[SIZE_NOTIFY_4]              = {  14,   16,   16,   16,   16,   16,   16,   16,   16,   16,   16,   16,   21,   21,   21,   21,   21 },
	[SIZE_NOTIFY_6]              = {  26,   28,   28,   28,   28,   28,   28,   28,   28,   28,   28,   28,   45,   45,   45,   45,   45 },
	[SIZE_WEIGHT]                = {   4,    4,    4,    4,    4,    4,    4,    4,    4,    4,    8,    8,    8,    8,    8,    8,    8 },

	[TYPE_CONNECTED]             = {   2,    2,    2,    2,    2,    2,    2,    2,    2,    2,    2,    2,    2,    2,    2,    2,    2 },
	[TYPE_STATIC]                = {   3,    3,    3,    3,    3,    3,    3,    3,    3,    4,    4,    4,    4,    4,    4,    4,    4 },
	[TYPE_OSPF]                  = {   6,    6,    6,    6,    6,    6,    6,    6,    6,    7,    7,    7,    7,    7,    7,    7,    7 },
	[TYPE_ISIS]                  = {   8,    8,    8,    8,    8,    8,    8,    8,    8,    9,    9,    9,    9,    9,    9,    9,    9 },
	[TYPE_NHRP]                  = {  12,   12,   12,   12,   12,   12,   12,   12,   12,   13,   13,   13,   13,   13,   13,   13,   13 },
	[TYPE_TABLE]                 = {  15,   15,   15,   15,   15,   15,   15,   15,   15,   16,   16,   16,   16,   16,   16,   16,   16 },
	[TYPE_BABEL]                 = {  22,   22,   22,   22,   22,   22,   22,   22,   22,   23,   23,   23,   23,   23,   23,   23,   23 },
	[TYPE_OPENFABRIC]            = {  26,   26,   26,   26,   26,   26,   26,   26,   26,   27,   27,   27,   27,   27,   27,   27,   27 },
	[TYPE_TABLE_DIRECT]          = {  NO,   NO,   NO,   NO,   NO,   NO,   NO,   NO,   NO,   31,   31,   31,   31,   31,   31,   31,   31 },

	[BIT_NHG]                    = {  NO, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80 },
	[BIT_TABLEID]                = {0x80,0x100,0x100,0x100,0x100,0x100,0x100,0x100,0x100,0x100,0x100,0x100,0x100,0x100,0x100,0x100,0x100 },
	[BIT_SRTE]                   = {0x100,0x200,0x200,0x200,0x200,0x200,0x200,0x200,0x200,0x200,0x200,0x200,0x200,0x200,0x200,0x200,0x200 },
	[BIT_OPAQUE]                 = {  NO,0x400,0x400,0x400,0x400,0x400,0x400,0x400,0x400,0x400,0x400,0x400,0x400,0x400,0x400,0x400,0x400 },
	[FLAG_TABLEID]               = {  NO,   NO,   NO,   NO,   NO,   NO,   NO,   NO,   NO,   NO,   NO,   NO,   NO,0x800,0x800,0x800,0x800 },

	[STATIC_BY_METRIC]           = {  NO,   NO,   NO,   NO,   NO,   NO,   NO,   NO,   NO,   NO,   NO,   NO,   NO,   NO,   NO,   NO,    1 },
	[SWEEPS_STALE]               = {   1,    1,    1,    1,    1,    1,    1,   NO,   NO,   NO,   NO,   NO,   NO,   NO,    1,    1,    1 },
};
/* clang-format on */

uint16_t release_fact(enum release release, enum fact fact)
{
	assert(release < N_RELEASES && fact < N_FACTS);
	return facts[fact][release];
}

enum release releases_first(struct releases releases)
{
	assert(releases.bits);
	return (enum release)__builtin_ctz(releases.bits);
}

static enum release last_of(struct releases releases)
{
	assert(releases.bits);
	return (enum release)(31 - __builtin_clz(releases.bits));
}

struct releases releases_with(struct releases releases, enum fact fact, uint16_t value)
{
	struct releases with = {0};

	for (; releases.bits; releases.bits &= releases.bits - 1) {
		enum release r = releases_first(releases);

		if (release_fact(r, fact) == value)
			with.bits |= 1u << r;
	}
	return with;
}

uint16_t releases_fact(struct releases releases, enum fact fact)
{
	uint16_t value = release_fact(releases_first(releases), fact);

	assert(releases_with(releases, fact, value).bits == releases.bits);
	return value;
}

uint16_t releases_any(struct releases releases, enum fact fact)
{
	uint16_t all = 0;

	for (; releases.bits; releases.bits &= releases.bits - 1)
		all |= release_fact(releases_first(releases), fact);
	return all;
}

const char *releases_text(struct releases releases, char buf[RELEASES_STRLEN])
{
	if (releases_none(releases))
		buf[0] = '\0';
	else if (releases_first(releases) == last_of(releases))
		snprintf(buf, RELEASES_STRLEN, "%s", texts[releases_first(releases)]);
	else
		snprintf(buf, RELEASES_STRLEN, "%s-%s", texts[releases_first(releases)],
			texts[last_of(releases)]);
	return buf;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What differs between the release lines of FRR on the ZAPI socket, as one table.
 *
 * The version octet of the protocol has been 6 since long before 7.5, while numbers and layouts
 * moved under it: the ROUTE_DELETE of FRR 9 is the ROUTE_ADD of FRR 10. So every number that
 * depends on the release stands here and nowhere else. A new line is a new column, made by
 * comparing its lib/zclient.h and lib/route_types.txt with these rows; detect.c then finds it by
 * itself.
 */
#include "release.h"

#include <assert.h>

#define NO 0

/* clang-format off */
static const char *const texts[N_RELEASES] = {
	"7.5", "8.0", "8.1", "8.2-9.0", "9.1", "10.0-10.1", "10.2-10.5", "10.6-10.7",
};

static const uint16_t facts[N_FACTS][N_RELEASES] = {
	/*                                7.5    8.0    8.1    8.2    9.1   10.0   10.2   10.6 */
	[MSG_ERROR]                  = {  112,   117,   121,   118,   117,   118,   120,   120 },
	[MSG_HELLO]                  = {   18,    18,    18,    18,    18,    19,    19,    19 },
	[MSG_CAPABILITIES]           = {   19,    19,    19,    19,    19,    20,    20,    20 },
	[MSG_VRF_ADD]                = {   36,    36,    36,    33,    33,    34,    33,    33 },
	[MSG_ROUTE_ADD]              = {    8,     8,     8,     8,     8,     9,     9,     9 },
	[MSG_ROUTE_DELETE]           = {    9,     9,     9,     9,     9,    10,    10,    10 },
	[MSG_ROUTE_NOTIFY_OWNER]     = {   10,    10,    10,    10,    10,    11,    11,    11 },
	[MSG_REDISTRIBUTE_ADD]       = {   11,    11,    11,    11,    11,    12,    12,    12 },
	[MSG_REDISTRIBUTE_ROUTE_ADD] = {   33,    33,    33,    30,    30,    31,    31,    31 },
	[MSG_REDISTRIBUTE_ROUTE_DEL] = {   34,    34,    34,    31,    31,    32,    32,    32 },
	[MSG_CLIENT_CAPABILITIES]    = {  113,   118,   122,   119,   118,   119,   121,   121 },
	[MSG_ROUTE_NOTIFY_REQUEST]   = {   NO,   123,   127,   124,   123,   124,   126,   126 },
	[MSG_CLIENT_CLOSE_NOTIFY]    = {   NO,   124,   128,   125,   124,   125,   127,   127 },

	[SIZE_HELLO]                 = {    9,     9,     9,     9,     9,     8,     8,     8 },
	[SIZE_CAPABILITIES]          = {   10,    10,    10,    10,    11,    11,    12,     9 },
	[SIZE_VRF_ADD]               = {   56,    76,    76,    76,    76,    76,    76,    76 },
	[SIZE_NOTIFY_4]              = {   14,    16,    16,    16,    16,    16,    16,    21 },
	[SIZE_NOTIFY_6]              = {   26,    28,    28,    28,    28,    28,    28,    45 },
	[SIZE_NOTIFY_4_LATER]        = {   NO,    NO,    NO,    NO,    NO,    NO,    21,    NO },
	[SIZE_NOTIFY_6_LATER]        = {   NO,    NO,    NO,    NO,    NO,    NO,    45,    NO },
	[SIZE_WEIGHT]                = {    4,     4,     4,     4,     4, 4 | 8,     8,     8 },

	[TYPE_CONNECTED]             = {    2,     2,     2,     2,     2,     2,     2,     2 },
	[TYPE_STATIC]                = {    3,     3,     3,     3,     3,     4,     4,     4 },
	[TYPE_OSPF]                  = {    6,     6,     6,     6,     6,     7,     7,     7 },
	[TYPE_ISIS]                  = {    8,     8,     8,     8,     8,     9,     9,     9 },
	[TYPE_NHRP]                  = {   12,    12,    12,    12,    12,    13,    13,    13 },
	[TYPE_TABLE]                 = {   15,    15,    15,    15,    15,    16,    16,    16 },
	[TYPE_BABEL]                 = {   22,    22,    22,    22,    22,    23,    23,    23 },
	[TYPE_OPENFABRIC]            = {   26,    26,    26,    26,    26,    27,    27,    27 },
	[TYPE_TABLE_DIRECT]          = {   NO,    NO,    NO,    NO,    NO,    31,    31,    31 },

	[BIT_NHG]                    = {   NO,  0x80,  0x80,  0x80,  0x80,  0x80,  0x80,  0x80 },
	[BIT_TABLEID]                = { 0x80, 0x100, 0x100, 0x100, 0x100, 0x100, 0x100, 0x100 },
	[BIT_SRTE]                   = {0x100, 0x200, 0x200, 0x200, 0x200, 0x200, 0x200, 0x200 },
	[BIT_OPAQUE]                 = {   NO, 0x400, 0x400, 0x400, 0x400, 0x400, 0x400, 0x400 },
	/* From 10.4; the releases before it in the line do not know the bit and pass over it. */
	[FLAG_TABLEID]               = {   NO,    NO,    NO,    NO,    NO,    NO, 0x800, 0x800 },
	/* From 10.7. What is sent must therefore be right for 10.6 as well. */
	[STATIC_BY_METRIC]           = {   NO,    NO,    NO,    NO,    NO,    NO,    NO,     1 },
};
/* clang-format on */

uint16_t release_fact(enum release release, enum fact fact)
{
	assert(release < N_RELEASES && fact < N_FACTS);
	return facts[fact][release];
}

const char *release_text(enum release release)
{
	return release < N_RELEASES ? texts[release] : "";
}

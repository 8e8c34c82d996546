/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages of ZAPI as octets.
 *
 * We send one shape of route only: one nexthop without weight or label. It is the same on every
 * release but for the numbers of release.c. The hard part is reading: zebra's feed holds the routes
 * of others too, with nexthops in layouts that changed within a release line and cannot be told
 * apart. So the reader proves itself by the end of the message. If the fields behind the nexthops
 * do not end exactly there, the tag is unknown, and a route of unknown tag is never taken for ours.
 */
#include "wire.h"

#include <errno.h>
#include <string.h>

#define MARKER  254
#define VERSION 6

#define PROBE_COMMAND 0xffff /* in no range that any release hands out */

#define AFI_IPV4     1
#define AFI_IPV6     2
#define SAFI_UNICAST 1
#define VRF_DEFAULT  0

/* Linux numbers lo 1 in every network namespace, so zebra's lo is that, too. */
#define LO_IFINDEX 1

enum message_bit {
	BIT_NEXTHOP = 0x01,
	BIT_DISTANCE = 0x02,
	BIT_METRIC = 0x04,
	BIT_TAG = 0x08,
	BIT_MTU = 0x10,
	BIT_SRCPFX = 0x20,
	BIT_BACKUP = 0x40,
};

enum nexthop_type {
	NEXTHOP_IFINDEX = 1,
	NEXTHOP_IPV4,
	NEXTHOP_IPV4_IFINDEX,
	NEXTHOP_IPV6,
	NEXTHOP_IPV6_IFINDEX,
	NEXTHOP_BLACKHOLE,
};

/* On what a former zebra left in the kernel, until somebody sends the route again. */
#define FLAG_SELFROUTE 0x02u

/*
 * The distance is part of the route's key, as it is of staticd's: static routes that differ in it
 * live side by side. One without takes the place of whatever static route there is.
 */
#define FLAG_BY_DISTANCE 0x40u

/* The nexthop flags whose layout is the same everywhere; only weight brings octets. */
enum nexthop_flag { NEXTHOP_ONLINK = 0x01, NEXTHOP_WEIGHT = 0x04 };

enum blackhole_kind { KIND_BLACKHOLE = 1, KIND_REJECT = 2 };

enum restart_capability { RESTART_ON = 1, RESTART_COMPLETE = 2, RESTART_OFF = 4 };

int wire_next(struct reader *r, struct wire_frame *out)
{
	struct reader rest = *r;
	struct wire_frame frame;
	uint16_t size;
	uint8_t marker, version;

	if (!rd_u16(&rest, &size) || !rd_u8(&rest, &marker) || !rd_u8(&rest, &version))
		return 1;
	if (marker != MARKER || version != VERSION || size < WIRE_HEADER_SIZE ||
		size > WIRE_MESSAGE_MAX)
		return -EBADMSG;
	if (!rd_u32(&rest, &frame.vrf) || !rd_u16(&rest, &frame.command) ||
		!rd_sub(&rest, size - WIRE_HEADER_SIZE, &frame.body))
		return 1;
	*r = rest;
	*out = frame;
	return 0;
}

bool wire_read_error(struct reader body, uint32_t *out)
{
	uint32_t code;

	if (!rd_u32_host(&body, &code) || rd_left(&body))
		return false;
	*out = code;
	return true;
}

/* Prefixes come in as many octets as the caller says; bits behind the length are cut off. */
static bool read_prefix(
	struct reader *r, uint8_t family, uint8_t len, size_t octets, struct prefix *out)
{
	struct prefix prefix = {.family = family, .len = len};

	if (octets > sizeof(prefix.addr) || !rd_bytes(r, prefix.addr, octets))
		return false;
	for (size_t i = 0; i < sizeof(prefix.addr); i++) {
		size_t first_bit = i * 8;

		if (first_bit >= len)
			prefix.addr[i] = 0;
		else if (first_bit + 8 > len)
			prefix.addr[i] &= (uint8_t)(0xff00 >> (len - first_bit));
	}
	*out = prefix;
	return true;
}

static bool read_family_and_len(struct reader *r, uint8_t *family, uint8_t *len)
{
	return rd_u8(r, family) && (*family == AF_INET || *family == AF_INET6) && rd_u8(r, len) &&
	       *len <= family_bits(*family);
}

/* The layouts of the owner notification differ in length, and by it they are known. */
static struct releases with_notify_size(struct releases releases, uint8_t family, size_t size)
{
	return releases_with(
		releases, family == AF_INET ? SIZE_NOTIFY_4 : SIZE_NOTIFY_6, (uint16_t)size);
}

bool wire_read_notify(struct releases releases, struct reader body, struct wire_notify *out)
{
	size_t size = rd_left(&body);
	struct releases fits;
	struct prefix prefix;
	uint32_t note;
	uint8_t family, len;

	if (!rd_u32_host(&body, &note) || note >= WIRE_N_NOTES ||
		!read_family_and_len(&body, &family, &len))
		return false;
	fits = with_notify_size(releases, family, size);
	if (releases_none(fits) || !read_prefix(&body, family, len, family_octets(family), &prefix))
		return false;
	*out = (struct wire_notify){(enum wire_note)note, prefix, fits};
	return true;
}

static bool skip_gate(struct reader *r, uint8_t type)
{
	switch (type) {
	case NEXTHOP_IFINDEX: return rd_skip(r, 4);
	case NEXTHOP_IPV4:
	case NEXTHOP_IPV4_IFINDEX: return rd_skip(r, 4 + 4);
	case NEXTHOP_IPV6:
	case NEXTHOP_IPV6_IFINDEX: return rd_skip(r, 16 + 4);
	case NEXTHOP_BLACKHOLE: return rd_skip(r, 1);
	default: return false;
	}
}

static bool skip_nexthops(struct reader *r, size_t weight_octets)
{
	uint16_t n;

	if (!rd_u16(r, &n))
		return false;
	for (; n > 0; n--) {
		uint8_t type, flags;

		if (!rd_skip(r, 4) || !rd_u8(r, &type) || !rd_u8(r, &flags) || !skip_gate(r, type))
			return false;
		if (flags & ~(NEXTHOP_ONLINK | NEXTHOP_WEIGHT))
			return false;
		if ((flags & NEXTHOP_WEIGHT) && !rd_skip(r, weight_octets))
			return false;
	}
	return true;
}

static bool skip_opaque(struct reader *r)
{
	uint16_t size;

	return rd_u16(r, &size) && rd_skip(r, size);
}

/* Everything behind the prefix. false: this is not its layout. */
static bool read_tail(struct releases releases, struct reader r, uint32_t bits,
	size_t weight_octets, struct wire_route *out)
{
	uint32_t table_bit = releases_fact(releases, BIT_TABLEID);
	uint32_t nhg_bit = releases_fact(releases, BIT_NHG);
	uint32_t opaque_bit = releases_fact(releases, BIT_OPAQUE);
	uint32_t known = BIT_NEXTHOP | BIT_DISTANCE | BIT_METRIC | BIT_TAG | BIT_MTU | table_bit |
			 nhg_bit | opaque_bit;
	uint32_t tag = 0, metric = 0;
	uint8_t distance = 0;

	if (bits & ~known)
		return false;
	if ((bits & nhg_bit) && !rd_skip(&r, 4))
		return false;
	if ((bits & BIT_NEXTHOP) && !skip_nexthops(&r, weight_octets))
		return false;
	if ((bits & BIT_DISTANCE) && !rd_u8(&r, &distance))
		return false;
	if (((bits & BIT_METRIC) && !rd_u32(&r, &metric)) ||
		((bits & BIT_TAG) && !rd_u32(&r, &tag)))
		return false;
	if (((bits & BIT_MTU) && !rd_skip(&r, 4)) || ((bits & table_bit) && !rd_skip(&r, 4)))
		return false;
	if (((bits & opaque_bit) && !skip_opaque(&r)) || rd_left(&r))
		return false;
	out->tag = tag;
	out->metric = metric;
	out->distance = distance;
	out->readable = true;
	return true;
}

/* Lines that look alike may differ in the width: both are tried, and both fitting is as good as
 * none. */
static void read_either_tail(
	struct releases releases, struct reader r, uint32_t bits, struct wire_route *out)
{
	struct wire_route wide = *out, narrow = *out;
	bool narrow_fits = !releases_none(releases_with(releases, SIZE_WEIGHT, 4)) &&
			   read_tail(releases, r, bits, 4, &narrow);
	bool wide_fits = !releases_none(releases_with(releases, SIZE_WEIGHT, 8)) &&
			 read_tail(releases, r, bits, 8, &wide);

	if (narrow_fits && wide_fits &&
		(narrow.tag != wide.tag || narrow.metric != wide.metric ||
			narrow.distance != wide.distance))
		return;
	if (narrow_fits)
		*out = narrow;
	else if (wide_fits)
		*out = wide;
}

bool wire_read_route(struct releases releases, struct reader body, struct wire_route *out)
{
	struct wire_route route = {.readable = false};
	uint32_t flags, bits;
	uint8_t safi, family, len;

	if (!rd_u8(&body, &route.type) || !rd_u16(&body, &route.instance) ||
		!rd_u32(&body, &flags) || !rd_u32(&body, &bits) || !rd_u8(&body, &safi) ||
		safi != SAFI_UNICAST || !read_family_and_len(&body, &family, &len) ||
		!read_prefix(&body, family, len, (len + 7u) / 8, &route.prefix))
		return false;
	route.reread = flags & FLAG_SELFROUTE;
	route.by_source = bits & BIT_SRCPFX;
	if (!route.by_source)
		read_either_tail(releases, body, bits, &route);
	*out = route;
	return true;
}

bool wire_read_close_notify(struct reader body, struct wire_client *out)
{
	struct wire_client client;

	if (!rd_u8(&body, &client.type) || !rd_u16(&body, &client.instance) || !rd_skip(&body, 4) ||
		rd_left(&body))
		return false;
	*out = client;
	return true;
}

/* The layouts are told by their size; from 10.6 the first field is an octet. */
bool wire_read_capabilities(struct reader body, struct wire_capabilities *out)
{
	size_t size = rd_left(&body);
	struct wire_capabilities found = {.vrf_backend = 0};
	uint32_t backend = 0;
	uint8_t octet = 0, mpls, mlag;

	if (size < 9 || size > 12)
		return false;
	if (size == 9 ? !rd_u8(&body, &octet) : !rd_u32(&body, &backend))
		return false;
	if (!rd_u8(&body, &mpls) || !rd_u32(&body, &found.ecmp) || !rd_u8(&body, &mlag))
		return false;
	found.vrf_backend = size == 9 ? octet : backend;
	found.mpls = mpls;
	if (size != 10 && !rd_u8(&body, &found.v6_nexthops))
		return false;
	if (size != 10 && size != 11 && !rd_u8(&body, &found.restart))
		return false;
	*out = found;
	return rd_left(&body) == 0;
}

bool wire_read_vrf(struct reader body, struct wire_vrf *out)
{
	struct wire_vrf vrf;

	if (rd_left(&body) < 4 + WIRE_VRF_NAME_MAX || !rd_u32_host(&body, &vrf.table) ||
		!rd_skip(&body, rd_left(&body) - WIRE_VRF_NAME_MAX) || /* the netns, 16 or 36 */
		!rd_bytes(&body, vrf.name, WIRE_VRF_NAME_MAX))
		return false;
	vrf.name[WIRE_VRF_NAME_MAX] = '\0';
	*out = vrf;
	return true;
}

bool wire_read_router_id(struct reader body, struct prefix *out)
{
	struct prefix prefix;
	uint8_t family, len;

	if (!rd_u8(&body, &family) || (family != AF_INET && family != AF_INET6) ||
		!read_prefix(&body, family, family_bits(family), family_octets(family), &prefix) ||
		!rd_u8(&body, &len) || rd_left(&body))
		return false;
	*out = prefix;
	return true;
}

uint16_t wire_command(const struct writer *w)
{
	struct reader r = reader_over(w->start, wr_size(w));
	struct wire_frame frame;

	return wire_next(&r, &frame) == 0 ? frame.command : UINT16_MAX;
}

/* Returns where the message begins, for end(). */
static size_t begin(struct writer *w, uint32_t vrf, uint16_t command)
{
	size_t start = wr_size(w);

	wr_u16(w, 0);
	wr_u8(w, MARKER);
	wr_u8(w, VERSION);
	wr_u32(w, vrf);
	wr_u16(w, command);
	return start;
}

static void end(struct writer *w, size_t start)
{
	if (!w->failed)
		wr_u16_at(w, start, (uint16_t)(wr_size(w) - start));
}

void wire_write_probe(struct writer *w)
{
	end(w, begin(w, WIRE_NO_VRF, PROBE_COMMAND));
}

bool wire_is_probe_answer(const struct wire_frame *frame)
{
	uint32_t code;

	return frame->vrf == WIRE_NO_VRF && wire_read_error(frame->body, &code) &&
	       code == WIRE_ERROR_NO_VRF;
}

static void write_hello(struct writer *w, struct releases releases, uint8_t type, uint16_t instance,
	bool synchronous)
{
	size_t start = begin(w, VRF_DEFAULT, releases_fact(releases, MSG_HELLO));

	wr_u8(w, type);
	wr_u16(w, instance);
	wr_u32(w, 0); /* the session: zebra notifies nobody but session 0 */
	if (releases_fact(releases, SIZE_HELLO) == 9)
		wr_u8(w, 1); /* owner notifications; later lines ask for them by a message */
	wr_u8(w, synchronous);
	end(w, start);
}

void wire_write_hello(struct writer *w, struct releases releases, uint8_t type, uint16_t instance)
{
	write_hello(w, releases, type, instance, false);
}

/*
 * When a client leaves, FRR 10.3 and 10.7 throw away what is on its way into the RIB, some 10 ms
 * of the routes of all daemons: what is to spare those of others compares wrongly for all that have
 * no instance. A synchronous client, on any release, has no routes to be thrown away.
 */
void wire_write_parting(struct writer *w, struct releases releases)
{
	write_hello(w, releases, 0, 0, true);
}

void wire_write_notify_request(struct writer *w, struct releases releases)
{
	size_t start = begin(w, VRF_DEFAULT, releases_fact(releases, MSG_ROUTE_NOTIFY_REQUEST));

	wr_u8(w, 1);
	end(w, start);
}

static uint8_t afi(uint8_t family)
{
	return family == AF_INET ? AFI_IPV4 : AFI_IPV6;
}

static void write_redistribute(
	struct writer *w, uint16_t command, const struct wire_kind *kind, uint8_t family)
{
	size_t start = begin(w, kind->vrf, command);

	wr_u8(w, afi(family));
	wr_u8(w, kind->type);
	wr_u16(w, kind->instance);
	end(w, start);
}

void wire_write_redistribute_add(
	struct writer *w, struct releases releases, const struct wire_kind *kind, uint8_t family)
{
	write_redistribute(w, releases_fact(releases, MSG_REDISTRIBUTE_ADD), kind, family);
}

void wire_write_redistribute_delete(
	struct writer *w, struct releases releases, const struct wire_kind *kind, uint8_t family)
{
	write_redistribute(w, releases_fact(releases, MSG_REDISTRIBUTE_DELETE), kind, family);
}

void wire_write_router_id_add(struct writer *w, struct releases releases, uint32_t vrf)
{
	size_t start = begin(w, vrf, releases_fact(releases, MSG_ROUTER_ID_ADD));

	wr_u16(w, AFI_IPV4);
	end(w, start);
}

void wire_write_restart_on(
	struct writer *w, struct releases releases, uint32_t vrf, uint32_t stale_s)
{
	size_t start = begin(w, VRF_DEFAULT, releases_fact(releases, MSG_CLIENT_CAPABILITIES));

	wr_u32(w, RESTART_ON);
	wr_u32(w, stale_s);
	wr_u32(w, vrf);
	end(w, start);
}

/* zebra takes AFI and SAFI for array indices without a look: only these values may ever be sent. */
void wire_write_restart_complete(
	struct writer *w, struct releases releases, uint32_t vrf, uint8_t family)
{
	size_t start = begin(w, VRF_DEFAULT, releases_fact(releases, MSG_CLIENT_CAPABILITIES));

	wr_u32(w, RESTART_COMPLETE);
	wr_u32(w, afi(family));
	wr_u32(w, SAFI_UNICAST);
	wr_u32(w, vrf);
	end(w, start);
}

void wire_write_restart_off(struct writer *w, struct releases releases, uint32_t vrf)
{
	size_t start = begin(w, VRF_DEFAULT, releases_fact(releases, MSG_CLIENT_CAPABILITIES));

	wr_u32(w, RESTART_OFF);
	wr_u32(w, vrf);
	end(w, start);
}

static bool is_static(struct releases releases, const struct wire_kind *kind)
{
	return kind->type == releases_fact(releases, TYPE_STATIC);
}

static uint32_t flags_of(struct releases releases, const struct wire_kind *kind)
{
	if (is_static(releases, kind))
		return FLAG_BY_DISTANCE;
	return kind->table ? releases_any(releases, FLAG_TABLEID) : 0;
}

/* The part that adding and deleting share. */
static void write_route_key(struct writer *w, struct releases releases,
	const struct wire_kind *kind, const struct prefix *prefix, uint32_t bits)
{
	wr_u8(w, kind->type);
	wr_u16(w, kind->instance);
	wr_u32(w, flags_of(releases, kind));
	wr_u32(w, kind->table ? bits | releases_fact(releases, BIT_TABLEID) : bits);
	wr_u8(w, SAFI_UNICAST);
	wr_u8(w, prefix->family);
	wr_u8(w, prefix->len);
	wr_bytes(w, prefix->addr, (prefix->len + 7u) / 8);
}

static void write_nexthop(struct writer *w, uint32_t vrf, enum zapi_nexthop nexthop)
{
	wr_u16(w, 1);
	wr_u32(w, vrf);
	wr_u8(w, nexthop == ZAPI_LO ? NEXTHOP_IFINDEX : NEXTHOP_BLACKHOLE);
	wr_u8(w, 0);
	switch (nexthop) {
	case ZAPI_LO: wr_u32(w, LO_IFINDEX); break;
	case ZAPI_BLACKHOLE: wr_u8(w, KIND_BLACKHOLE); break;
	case ZAPI_UNREACHABLE: wr_u8(w, KIND_REJECT); break;
	}
}

void wire_write_route_add(struct writer *w, struct releases releases, const struct wire_kind *kind,
	const struct zapi_route *route)
{
	size_t start = begin(w, kind->vrf, releases_fact(releases, MSG_ROUTE_ADD));

	write_route_key(w, releases, kind, &route->prefix,
		BIT_NEXTHOP | BIT_DISTANCE | BIT_METRIC | BIT_TAG);
	write_nexthop(w, kind->vrf, kind->nexthop);
	wr_u8(w, kind->distance);
	wr_u32(w, route->metric);
	wr_u32(w, route->tag);
	if (kind->table)
		wr_u32(w, kind->table);
	end(w, start);
}

/* The metric is part of a static route's key from 10.7; everywhere else it is passed over. */
void wire_write_route_delete(struct writer *w, struct releases releases,
	const struct wire_kind *kind, const struct zapi_route *route, uint8_t distance)
{
	bool by_distance = is_static(releases, kind);
	bool by_metric = by_distance && releases_any(releases, STATIC_BY_METRIC);
	size_t start = begin(w, kind->vrf, releases_fact(releases, MSG_ROUTE_DELETE));

	write_route_key(w, releases, kind, &route->prefix,
		(by_distance ? BIT_DISTANCE : 0u) | (by_metric ? BIT_METRIC : 0u));
	if (by_distance)
		wr_u8(w, distance);
	if (by_metric)
		wr_u32(w, route->metric);
	if (kind->table)
		wr_u32(w, kind->table);
	end(w, start);
}

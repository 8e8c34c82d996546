/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Golden frames, as real zebras of FRR 7.5.1, 8.4.4, 10.3 and 10.7.1 sent and took them; those of
 * the lines between by the numbers in FRR's sources.
 */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "fake_zebra.h"
#include "wire.h"

#define OPENFABRIC_OLD 26
#define OPENFABRIC_NEW 27

static struct prefix host(const char *text)
{
	struct prefix prefix;

	ck_assert(prefix_parse_host(text, &prefix));
	return prefix;
}

enum message {
	PROBE,
	HELLO,
	PARTING,
	NOTIFY_REQUEST,
	RESTART_ON,
	RESTART_COMPLETE,
	RESTART_OFF,
	REDISTRIBUTE_ADD,
	REDISTRIBUTE_DELETE,
	ADD_BLACKHOLE,
	ADD_LO_IPV6,
	ROUTER_ID_ADD,
	ADD_IN_VRF,
	DELETE,
};

static void write_message(struct writer *w, enum message message, enum release release)
{
	struct releases r = release_only(release);
	uint8_t type = release < RELEASE_10_0 ? OPENFABRIC_OLD : OPENFABRIC_NEW;
	struct wire_kind kind = {.type = type, .distance = 20, .nexthop = ZAPI_BLACKHOLE};
	struct wire_kind lo = {.type = type, .distance = 20, .nexthop = ZAPI_LO};
	struct wire_kind in_vrf = {.vrf = 7, .type = type, .distance = 20};
	struct zapi_route ipv4 = {host("10.9.9.9"), 4711, 5}, ipv6 = {host("fd00::9"), 4711, 5};

	switch (message) {
	case PROBE: wire_write_probe(w); break;
	case HELLO: wire_write_hello(w, r, type, 0); break;
	case PARTING: wire_write_parting(w, r); break;
	case NOTIFY_REQUEST: wire_write_notify_request(w, r); break;
	case RESTART_ON: wire_write_restart_on(w, r, 0, 120); break;
	case RESTART_COMPLETE: wire_write_restart_complete(w, r, 0, AF_INET); break;
	case RESTART_OFF: wire_write_restart_off(w, r, 0); break;
	case REDISTRIBUTE_ADD: wire_write_redistribute_add(w, r, &kind, AF_INET); break;
	case REDISTRIBUTE_DELETE: wire_write_redistribute_delete(w, r, &kind, AF_INET6); break;
	case ADD_BLACKHOLE: wire_write_route_add(w, r, &kind, &ipv4); break;
	case ADD_LO_IPV6: wire_write_route_add(w, r, &lo, &ipv6); break;
	case ROUTER_ID_ADD: wire_write_router_id_add(w, r, 7); break;
	case ADD_IN_VRF: wire_write_route_add(w, r, &in_vrf, &ipv4); break;
	case DELETE: wire_write_route_delete(w, r, &kind, &ipv4, 30); break;
	}
}

/*
 * The header is length (2), marker fe, version 06, VRF (4), command (2). The parts of a body are
 * set apart.
 */
static const struct {
	enum message message;
	enum release from, to; /* of all lines from the one to the other */
	const char *hex;
} golden[] = {
	{PROBE, RELEASE_7_5, RELEASE_10_7, "000afe06ffffffffffff"},
	/* type, instance, session, notify, synchronous */
	{HELLO, RELEASE_7_5, RELEASE_9_1, "0013fe06000000000012 1a 0000 00000000 01 00"},
	{HELLO, RELEASE_10_0, RELEASE_10_7, "0012fe06000000000013 1b 0000 00000000 00"},
	{PARTING, RELEASE_7_5, RELEASE_9_1, "0013fe06000000000012 00 0000 00000000 01 01"},
	{PARTING, RELEASE_10_0, RELEASE_10_7, "0012fe06000000000013 00 0000 00000000 01"},
	{NOTIFY_REQUEST, RELEASE_8_0, RELEASE_8_0, "000bfe0600000000007b 01"},
	{NOTIFY_REQUEST, RELEASE_8_1, RELEASE_8_1, "000bfe0600000000007f 01"},
	{NOTIFY_REQUEST, RELEASE_8_2, RELEASE_9_0, "000bfe0600000000007c 01"},
	{NOTIFY_REQUEST, RELEASE_9_1, RELEASE_9_1, "000bfe0600000000007b 01"},
	{NOTIFY_REQUEST, RELEASE_10_0, RELEASE_10_1, "000bfe0600000000007c 01"},
	{NOTIFY_REQUEST, RELEASE_10_2, RELEASE_10_7, "000bfe0600000000007e 01"},
	/* capability, seconds, VRF */
	{RESTART_ON, RELEASE_7_5, RELEASE_7_5, "0016fe06000000000071 00000001 00000078 00000000"},
	{RESTART_ON, RELEASE_8_0, RELEASE_8_0, "0016fe06000000000076 00000001 00000078 00000000"},
	{RESTART_ON, RELEASE_8_1, RELEASE_8_1, "0016fe0600000000007a 00000001 00000078 00000000"},
	{RESTART_ON, RELEASE_8_2, RELEASE_9_0, "0016fe06000000000077 00000001 00000078 00000000"},
	{RESTART_ON, RELEASE_9_1, RELEASE_9_1, "0016fe06000000000076 00000001 00000078 00000000"},
	{RESTART_ON, RELEASE_10_0, RELEASE_10_1, "0016fe06000000000077 00000001 00000078 00000000"},
	{RESTART_ON, RELEASE_10_2, RELEASE_10_7, "0016fe06000000000079 00000001 00000078 00000000"},
	/* capability, AFI, SAFI, VRF */
	{RESTART_COMPLETE, RELEASE_10_2, RELEASE_10_7,
		"001afe06000000000079 00000002 00000001 00000001 00000000"},
	{RESTART_OFF, RELEASE_10_2, RELEASE_10_7, "0012fe06000000000079 00000004 00000000"},
	/* AFI, type, instance */
	{REDISTRIBUTE_ADD, RELEASE_7_5, RELEASE_9_1, "000efe0600000000000b 01 1a 0000"},
	{REDISTRIBUTE_ADD, RELEASE_10_0, RELEASE_10_7, "000efe0600000000000c 01 1b 0000"},
	{REDISTRIBUTE_DELETE, RELEASE_7_5, RELEASE_9_1, "000efe0600000000000c 02 1a 0000"},
	{REDISTRIBUTE_DELETE, RELEASE_10_0, RELEASE_10_7, "000efe0600000000000d 02 1b 0000"},
	/*
	 * type, instance, flags, message bits (nexthop, distance, metric, tag), SAFI, family,
	 * length, address; one nexthop: VRF, type, flags, what it is; distance, metric, tag
	 */
	{ADD_BLACKHOLE, RELEASE_7_5, RELEASE_9_1,
		"002efe06000000000008 1a 0000 00000000 0000000f 01 02 20 0a090909"
		"0001 00000000 06 00 01 14 00000005 00001267"},
	{ADD_BLACKHOLE, RELEASE_10_0, RELEASE_10_7,
		"002efe06000000000009 1b 0000 00000000 0000000f 01 02 20 0a090909"
		"0001 00000000 06 00 01 14 00000005 00001267"},
	{ADD_LO_IPV6, RELEASE_7_5, RELEASE_9_1,
		"003dfe06000000000008 1a 0000 00000000 0000000f 01 0a 80"
		"fd000000000000000000000000000009"
		"0001 00000000 01 00 00000001 14 00000005 00001267"},
	{ADD_LO_IPV6, RELEASE_10_0, RELEASE_10_7,
		"003dfe06000000000009 1b 0000 00000000 0000000f 01 0a 80"
		"fd000000000000000000000000000009"
		"0001 00000000 01 00 00000001 14 00000005 00001267"},
	/* AFI, in the header's VRF */
	{ROUTER_ID_ADD, RELEASE_7_5, RELEASE_9_1, "000cfe0600000007000f 0001"},
	{ROUTER_ID_ADD, RELEASE_10_0, RELEASE_10_7, "000cfe06000000070010 0001"},
	/* the VRF of the header is the nexthop's, too */
	{ADD_IN_VRF, RELEASE_10_0, RELEASE_10_7,
		"002efe06000000070009 1b 0000 00000000 0000000f 01 02 20 0a090909"
		"0001 00000007 06 00 01 14 00000005 00001267"},
	{DELETE, RELEASE_7_5, RELEASE_9_1,
		"001cfe06000000000009 1a 0000 00000000 00000000 01 02 20 0a090909"},
	{DELETE, RELEASE_10_0, RELEASE_10_7,
		"001cfe0600000000000a 1b 0000 00000000 00000000 01 02 20 0a090909"},
};

START_TEST(writes_golden_frames)
{
	uint8_t expected[128];
	size_t size = unhex(golden[_i].hex, expected, sizeof(expected));

	for (enum release r = golden[_i].from; r <= golden[_i].to; r++) {
		uint8_t data[WIRE_SEND_MAX];
		struct writer w = writer_over(data, sizeof(data));

		write_message(&w, golden[_i].message, r);
		ck_assert(!w.failed);
		ck_assert_mem_eq(data, expected, MIN(size, wr_size(&w)));
		ck_assert_uint_eq(wr_size(&w), size);
	}
}
END_TEST

/* A full buffer fails the writer, and nothing is written behind its end. */
START_TEST(writes_nothing_beyond_the_end)
{
	uint8_t data[WIRE_SEND_MAX + 1];
	size_t size;

	for (size_t room = 0;; room++) {
		struct writer w = writer_over(data, room);

		memset(data, 0xaa, sizeof(data));
		write_message(&w, golden[_i].message, golden[_i].from);
		ck_assert_uint_eq(data[room], 0xaa);
		size = wr_size(&w);
		if (!w.failed)
			break;
		ck_assert_uint_lt(room, WIRE_SEND_MAX);
	}
	ck_assert_uint_eq(size, unhex(golden[_i].hex, data, sizeof(data)));
}
END_TEST

/* Lines that look alike on the wire: what one of them needs, the others pass over. */
static const struct releases as_10_2 = {
	1u << RELEASE_10_2 | 1u << RELEASE_10_3 | 1u << RELEASE_10_4 | 1u << RELEASE_10_5};
static const struct releases as_10_6 = {1u << RELEASE_10_6 | 1u << RELEASE_10_7};

/* The table id travels in a field of its own, announced by a bit, and by a flag from 10.4. */
START_TEST(writes_the_kernel_table)
{
	struct wire_kind kind = {
		.type = 31, .instance = 100, .table = 100, .distance = 20, .nexthop = ZAPI_LO};
	struct zapi_route route = {host("10.9.9.9"), 4711, 5};
	uint8_t data[WIRE_SEND_MAX], expected[WIRE_SEND_MAX];
	struct writer w = writer_over(data, sizeof(data));
	size_t n =
		unhex("0035fe06000000000009 1f 0064 00000800 0000010f 01 02 20 0a090909"
		      "0001 00000000 01 00 00000001 14 00000005 00001267 00000064"
		      "0020fe0600000000000a 1f 0064 00000800 00000100 01 02 20 0a090909 00000064",
			expected, sizeof(expected));

	wire_write_route_add(&w, as_10_2, &kind, &route);
	wire_write_route_delete(&w, as_10_2, &kind, &route, 30);
	ck_assert_uint_eq(wr_size(&w), n);
	ck_assert_mem_eq(data, expected, n);
}
END_TEST

/*
 * The distance of a static route is part of its key, as a flag says, and from 10.7 the metric of
 * those that are deleted.
 */
START_TEST(static_routes_are_told_apart)
{
	struct wire_kind kind = {.type = 4, .distance = 20, .nexthop = ZAPI_BLACKHOLE};
	struct zapi_route route = {host("10.9.9.9"), 4711, 5};
	uint8_t data[3 * WIRE_SEND_MAX], expected[3 * WIRE_SEND_MAX];
	struct writer w = writer_over(data, sizeof(data));
	size_t n = unhex("002efe06000000000009 04 0000 00000040 0000000f 01 02 20 0a090909"
			 "0001 00000000 06 00 01 14 00000005 00001267"
			 "0021fe0600000000000a 04 0000 00000040 00000006 01 02 20 0a090909"
			 "1e 00000005"
			 "001dfe0600000000000a 04 0000 00000040 00000002 01 02 20 0a090909 1e",
		expected, sizeof(expected));

	wire_write_route_add(&w, as_10_6, &kind, &route);
	wire_write_route_delete(&w, as_10_6, &kind, &route, 30);
	wire_write_route_delete(&w, as_10_2, &kind, &route, 30);
	ck_assert_uint_eq(wr_size(&w), n);
	ck_assert_mem_eq(data, expected, n);
}
END_TEST

START_TEST(frames_are_cut_out_of_a_stream)
{
	uint8_t data[64];
	size_t n = unhex("000efe06ffffffff0070 01000000 000afe06000000070003", data, sizeof(data));
	struct wire_frame frame;

	for (size_t cut = 0; cut < 14; cut++) {
		struct reader r = reader_over(data, cut);

		ck_assert_int_eq(wire_next(&r, &frame), 1);
		ck_assert_uint_eq(rd_left(&r), cut);
	}
	struct reader r = reader_over(data, n);
	ck_assert_int_eq(wire_next(&r, &frame), 0);
	ck_assert_uint_eq(frame.vrf, WIRE_NO_VRF);
	ck_assert_uint_eq(frame.command, 112);
	ck_assert(wire_is_probe_answer(&frame));
	ck_assert_int_eq(wire_next(&r, &frame), 0);
	ck_assert_uint_eq(frame.vrf, 7);
	ck_assert_uint_eq(rd_left(&frame.body), 0);
	ck_assert(!wire_is_probe_answer(&frame));
	ck_assert_int_eq(wire_next(&r, &frame), 1);
}
END_TEST

static const char *const broken_headers[] = {
	"000aff06000000000003",                         /* marker */
	"000afe05000000000003",                         /* version */
	"0009fe06000000000003",                         /* shorter than its header */
	"0000fe06000000000003", "4001fe06000000000003", /* longer than zebra's own bound */
	"fffffe06000000000003", "474554202f20",         /* GET / */
};

START_TEST(broken_headers_are_refused)
{
	uint8_t data[16];
	struct reader r = reader_over(data, unhex(broken_headers[_i], data, sizeof(data)));
	struct wire_frame frame;

	ck_assert_int_eq(wire_next(&r, &frame), -EBADMSG);
}
END_TEST

/* note (host order), family, length, prefix, [source length and prefix], table, [AFI, SAFI] */
static const struct {
	const char *hex;
	uint32_t releases; /* that take it */
	const char *prefix;
	enum wire_note note;
} notes[] = {
	{"02000000 02 20 0a090909 000000fe", 1u << RELEASE_7_5, "10.9.9.9", WIRE_INSTALLED},
	{"03000000 0a 80 fd000000000000000000000000000009 000000fe", 1u << RELEASE_7_5, "fd00::9",
		WIRE_REMOVED},
	{"02000000 02 20 0a090909 000000fe 01 01", 0xffe, "10.9.9.9", WIRE_INSTALLED},
	{"01000000 0a 80 fd000000000000000000000000000009 000000fe 02 01", 0xffe, "fd00::9",
		WIRE_BETTER_ADMIN_WON},
	{"02000000 02 20 0a090909 00 00000000 000000fe 01 01", 0x1f000, "10.9.9.9", WIRE_INSTALLED},
	{"00000000 0a 80 fd000000000000000000000000000009 00 00000000000000000000000000000000"
	 "000000fe 02 01",
		0x1f000, "fd00::9", WIRE_FAIL_INSTALL},
};

START_TEST(reads_notifications)
{
	uint8_t data[64];
	size_t n = unhex(notes[_i].hex, data, sizeof(data));
	struct prefix expected = host(notes[_i].prefix);

	for (enum release r = 0; r < N_RELEASES; r++) {
		struct wire_notify notify = {.note = WIRE_N_NOTES};
		bool ok = wire_read_notify(release_only(r), reader_over(data, n), &notify);

		ck_assert_int_eq(ok, notes[_i].releases >> r & 1);
		if (ok) {
			ck_assert_int_eq(notify.note, notes[_i].note);
			ck_assert_int_eq(prefix_cmp(&notify.prefix, &expected), 0);
		}
	}
	/* Of all lines, those remain that have the layout. */
	{
		struct wire_notify notify;

		ck_assert(wire_read_notify(releases_all(), reader_over(data, n), &notify));
		ck_assert_uint_eq(notify.fits.bits, notes[_i].releases);
	}
}
END_TEST

/* On the last release that takes it, so that a cut one is not whole for an earlier layout. */
START_TEST(cut_notifications_are_refused)
{
	uint8_t data[64];
	size_t n = unhex(notes[_i].hex, data, sizeof(data));
	enum release r = N_RELEASES - 1;
	struct wire_notify notify;

	while (!(notes[_i].releases >> r & 1))
		r--;
	for (size_t cut = 0; cut < n; cut++) {
		auto_free uint8_t *copy = xmemdup(data, cut + 1);

		ck_assert(!wire_read_notify(release_only(r), reader_over(copy, cut), &notify));
	}
}
END_TEST

START_TEST(bad_notifications_are_refused)
{
	static const char *const bad[] = {
		"05000000 02 20 0a090909 000000fe 01 01", /* no such note */
		"02000000 07 20 0a090909 000000fe 01 01", /* no such family */
		"02000000 02 21 0a090909 000000fe 01 01", /* longer than an address */
		"02000000 0a 20 0a090909 000000fe 01 01", /* too short for IPv6 */
	};

	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		uint8_t data[64];
		struct reader r = reader_over(data, unhex(bad[i], data, sizeof(data)));
		struct wire_notify notify;

		ck_assert(!wire_read_notify(release_only(RELEASE_8_2), r, &notify));
	}
}
END_TEST

/* As in ROUTE_ADD; the nexthops with flag 04 (weight), the tag followed by an MTU (bit 10). */
#define FEED_8_4                                      \
	"1a 0000 00000008 0000001f 01 02 20 0a090909" \
	"0001 00000000 06 04 01 00000001 14 00000005 00001267 00000000"
#define FEED_10_3                                     \
	"1b 0000 00000008 0000001f 01 02 20 0a090909" \
	"0001 00000000 06 04 01 0000000000000001 14 00000005 00001267 00000000"

static const struct {
	const char *hex;
	uint32_t readable; /* on these releases */
} feeds[] = {
	{FEED_8_4, 0x3ff},
	{FEED_10_3, 0x1fc00},
	/* no weight at all, two nexthops with addresses, a table id behind the tag */
	{"1b 0000 00000000 0000010f 01 02 20 0a090909"
	 "0002 00000000 03 00 c0000202 00000002 00000000 02 01 c0000203 00000000"
	 "14 00000005 00001267 000000fe",
		0x1fffe},
	/* nexthop group, IPv6 nexthop, opaque data */
	{"1b 0000 00000000 0000048f 01 02 20 0a090909 00000007"
	 "0001 00000000 05 00 fe800000000000000000000000000001 00000002"
	 "14 00000005 00001267 0003 616263",
		0x1fffe},
	/* labels and backups are nothing of ours */
	{"1b 0000 00000000 0000000f 01 02 20 0a090909"
	 "0001 00000000 01 02 00000001 01 10000000 14 00000005 00001267",
		0},
	{"1b 0000 00000000 0000004f 01 02 20 0a090909"
	 "0001 00000000 06 00 01 0000 14 00000005 00001267",
		0},
	/* a source prefix, a bit that nobody knows, an octet too many */
	{"1b 0000 00000000 0000002f 01 02 20 0a090909 00 0001 00000000 06 00 01"
	 "14 00000005 00001267",
		0},
	{"1b 0000 00000000 0001000f 01 02 20 0a090909"
	 "0001 00000000 06 00 01 14 00000005 00001267",
		0},
	{"1b 0000 00000000 0000000f 01 02 20 0a090909"
	 "0001 00000000 06 00 01 14 00000005 00001267 00",
		0},
};

START_TEST(reads_feeds)
{
	uint8_t data[128];
	size_t n = unhex(feeds[_i].hex, data, sizeof(data));
	struct prefix expected = host("10.9.9.9");

	for (enum release r = 0; r < N_RELEASES; r++) {
		struct wire_route route;
		char text[RELEASES_STRLEN];

		ck_assert(wire_read_route(release_only(r), reader_over(data, n), &route));
		ck_assert_uint_eq(route.type, data[0]);
		ck_assert_uint_eq(route.instance, 0);
		ck_assert_int_eq(prefix_cmp(&route.prefix, &expected), 0);
		ck_assert_msg(route.readable == (feeds[_i].readable >> r & 1), "on FRR %s",
			releases_text(release_only(r), text));
		ck_assert_uint_eq(route.tag, route.readable ? 4711 : 0);
		ck_assert_uint_eq(route.metric, route.readable ? 5 : 0);
	}
}
END_TEST

/* Cut within the prefix: no route. Cut behind it: a route of which nothing more is known. */
START_TEST(cut_feeds_are_not_ours)
{
	uint8_t data[128];
	size_t n = unhex(feeds[_i].hex, data, sizeof(data));

	for (enum release r = 0; r < N_RELEASES; r++) {
		/* A cut message may be whole for the layout of another line. */
		if (feeds[_i].readable && (!(feeds[_i].readable >> r & 1)))
			continue;
		for (size_t cut = 0; cut < n; cut++) {
			auto_free uint8_t *copy = xmemdup(data, cut + 1);
			struct wire_route route = {.readable = false};
			bool ok = wire_read_route(release_only(r), reader_over(copy, cut), &route);

			ck_assert_int_eq(ok, cut >= 18);
			/* Cutting one octet off the last case mends it. */
			ck_assert(!route.readable || cut == n - 1);
		}
	}
}
END_TEST

START_TEST(the_end_tells_the_width_of_weights)
{
	static const char hex[] = "1b 0000 00000000 00000009 01 02 20 0a090909"
				  "0001 00000000 06 04 01 00000000 00000001";
	static const struct releases as_10_0 = {1u << RELEASE_10_0 | 1u << RELEASE_10_1};
	uint8_t data[64];
	size_t n = unhex(hex, data, sizeof(data));
	struct wire_route route;

	ck_assert(wire_read_route(release_only(RELEASE_9_1), reader_over(data, n), &route));
	ck_assert(route.readable && route.tag == 1);
	ck_assert(wire_read_route(as_10_0, reader_over(data, n), &route));
	ck_assert(route.readable && route.tag == 1);
	ck_assert(wire_read_route(release_only(RELEASE_10_1), reader_over(data, n), &route));
	ck_assert(!route.readable);
}
END_TEST

/* What 10.3 and 8.4 tell of a blackhole that they found in the kernel: no tag, flag 02. */
START_TEST(reread_routes_are_marked)
{
	static const char *const reread[] = {
		"04 0000 0000000a 00000017 01 02 20 0a600001"
		"0001 00000000 06 04 01 0000000000000001 01 00000000 00000000",
		"03 0000 0000000a 00000017 01 02 20 0a600001"
		"0001 00000000 06 00 01 01 00000014 00000000",
	};
	static const enum release releases[] = {RELEASE_10_2, RELEASE_8_2};
	uint8_t data[64];
	struct wire_route route;

	for (size_t i = 0; i < N_ELEMENTS(reread); i++) {
		size_t n = unhex(reread[i], data, sizeof(data));

		ck_assert(wire_read_route(release_only(releases[i]), reader_over(data, n), &route));
		ck_assert(route.reread && route.readable && route.tag == 0);
		ck_assert_uint_eq(route.metric, i ? 20 : 0);
		data[6] = 0x49; /* as staticd's */
		ck_assert(wire_read_route(release_only(releases[i]), reader_over(data, n), &route));
		ck_assert(!route.reread);
	}
}
END_TEST

START_TEST(prefixes_are_masked)
{
	uint8_t data[64];
	size_t n = unhex("1b 0000 00000000 00000000 01 02 13 0a09ff", data, sizeof(data));
	struct wire_route route;
	char text[PREFIX_STRLEN];

	ck_assert(wire_read_route(release_only(RELEASE_10_2), reader_over(data, n), &route));
	ck_assert_str_eq(prefix_text(&route.prefix, text), "10.9.224.0/19");
	data[13] = 33;
	ck_assert(!wire_read_route(release_only(RELEASE_10_2), reader_over(data, n), &route));
	data[13] = 0x13;
	data[12] = 7; /* no such family */
	ck_assert(!wire_read_route(release_only(RELEASE_10_2), reader_over(data, n), &route));
	data[12] = AF_INET;
	data[11] = 2; /* multicast: not what we asked for */
	ck_assert(!wire_read_route(release_only(RELEASE_10_2), reader_over(data, n), &route));
}
END_TEST

START_TEST(close_notifications)
{
	uint8_t data[16];
	size_t n = unhex("04 0007 00000000", data, sizeof(data));
	struct wire_client client;

	ck_assert(wire_read_close_notify(reader_over(data, n), &client));
	ck_assert(client.type == 4 && client.instance == 7);
	for (size_t cut = 0; cut < n; cut++)
		ck_assert(!wire_read_close_notify(reader_over(data, cut), &client));
}
END_TEST

/* As zebras of 8.4.4, 10.3 and 10.7.1 sent them; the one of 9.1 by its table. */
static const struct {
	const char *hex;
	struct wire_capabilities expected;
} capabilities[] = {
	{"00000000 00 00000100 00", {.ecmp = 256}},
	{"00000001 01 00000040 00 01", {1, 64, true, 1, 0}},
	{"00000000 00 00000100 00 00 01", {.ecmp = 256, .restart = 1}},
	{"01 01 00000100 00 01 01", {1, 256, true, 1, 1}},
};

START_TEST(reads_capabilities)
{
	uint8_t data[16];
	size_t n = unhex(capabilities[_i].hex, data, sizeof(data));
	const struct wire_capabilities *expected = &capabilities[_i].expected;
	struct wire_capabilities found;

	ck_assert(wire_read_capabilities(reader_over(data, n), &found));
	ck_assert_uint_eq(found.vrf_backend, expected->vrf_backend);
	ck_assert_uint_eq(found.ecmp, expected->ecmp);
	ck_assert_uint_eq(found.mpls, expected->mpls);
	ck_assert_uint_eq(found.v6_nexthops, expected->v6_nexthops);
	ck_assert_uint_eq(found.restart, expected->restart);
	for (size_t size = 0; size < 9; size++)
		ck_assert(!wire_read_capabilities(reader_over(data, size), &found));
	ck_assert(!wire_read_capabilities(reader_over(data, 13), &found));
}
END_TEST

/* table (host order), netns name, VRF name */
START_TEST(reads_vrfs)
{
	static const size_t netns[] = {16, 36};
	uint8_t data[76] = {0xfe};
	struct wire_vrf vrf;

	for (size_t i = 0; i < N_ELEMENTS(netns); i++) {
		size_t size = 4 + netns[i] + WIRE_VRF_NAME_MAX;

		memset(data + 4, 'x', size - 4); /* a name that fills its field */
		ck_assert(wire_read_vrf(reader_over(data, size), &vrf));
		ck_assert_uint_eq(vrf.table, 254);
		ck_assert_uint_eq(strlen(vrf.name), WIRE_VRF_NAME_MAX);
		memcpy(data + 4 + netns[i], "tenant", sizeof("tenant"));
		ck_assert(wire_read_vrf(reader_over(data, size), &vrf));
		ck_assert_str_eq(vrf.name, "tenant");
	}
	ck_assert(!wire_read_vrf(reader_over(data, 4 + WIRE_VRF_NAME_MAX - 1), &vrf));
}
END_TEST

START_TEST(reads_router_ids)
{
	uint8_t data[32];
	size_t n = unhex("02 c0000201 20", data, sizeof(data));
	struct prefix found = {0}, expected = host("192.0.2.1");

	ck_assert(wire_read_router_id(reader_over(data, n), &found));
	ck_assert_int_eq(prefix_cmp(&found, &expected), 0);
	for (size_t cut = 0; cut < n; cut++)
		ck_assert(!wire_read_router_id(reader_over(data, cut), &found));
	data[0] = 3; /* no such family */
	ck_assert(!wire_read_router_id(reader_over(data, n), &found));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zapi/wire");
	TCase *tcase = tcase_create("wire");

	suite_add_tcase(suite, tcase);
	tcase_add_loop_test(tcase, writes_golden_frames, 0, N_ELEMENTS(golden));
	tcase_add_loop_test(tcase, writes_nothing_beyond_the_end, 0, N_ELEMENTS(golden));
	tcase_add_test(tcase, writes_the_kernel_table);
	tcase_add_test(tcase, static_routes_are_told_apart);
	tcase_add_test(tcase, frames_are_cut_out_of_a_stream);
	tcase_add_loop_test(tcase, broken_headers_are_refused, 0, N_ELEMENTS(broken_headers));
	tcase_add_loop_test(tcase, reads_notifications, 0, N_ELEMENTS(notes));
	tcase_add_loop_test(tcase, cut_notifications_are_refused, 0, N_ELEMENTS(notes));
	tcase_add_test(tcase, bad_notifications_are_refused);
	tcase_add_loop_test(tcase, reads_feeds, 0, N_ELEMENTS(feeds));
	tcase_add_loop_test(tcase, cut_feeds_are_not_ours, 0, N_ELEMENTS(feeds));
	tcase_add_test(tcase, the_end_tells_the_width_of_weights);
	tcase_add_test(tcase, reread_routes_are_marked);
	tcase_add_test(tcase, prefixes_are_masked);
	tcase_add_test(tcase, close_notifications);
	tcase_add_loop_test(tcase, reads_capabilities, 0, N_ELEMENTS(capabilities));
	tcase_add_test(tcase, reads_vrfs);
	tcase_add_test(tcase, reads_router_ids);
	return unit_run(suite);
}

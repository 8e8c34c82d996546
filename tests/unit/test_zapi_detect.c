/* SPDX-License-Identifier: Apache-2.0 */
/* Detection against zebras of any combination of numbers, existing ones and others. */
#include "unit.h"

#include <string.h>

#include "detect.h"
#include "fake_zebra.h"

/* What the imagined zebra is like. */
struct signature {
	uint16_t error;
	uint16_t hello;
	size_t capabilities_size;
	uint16_t vrf_add;
	size_t vrf_add_size;
};

static struct detect detect;
static uint8_t sent[256];

/* Hands one message of zebra's to the machine; what it sends in turn lies in sent. */
static enum detect_verdict take(const struct writer *message, struct writer *out)
{
	struct reader r = reader_over(message->start, wr_size(message));
	struct wire_frame frame;

	ck_assert_int_eq(wire_next(&r, &frame), 0);
	*out = writer_over(sent, sizeof(sent));
	return detect_take(&detect, &frame, out);
}

static uint16_t sent_command(const struct writer *out)
{
	struct reader r = reader_over(out->start, wr_size(out));
	struct wire_frame frame;

	ck_assert_int_eq(wire_next(&r, &frame), 0);
	return frame.command;
}

/* Messages that nobody asked for, under any number that detection does not wait for. */
static void chatter(uint16_t but)
{
	for (uint16_t command = 0; command < 100; command++) {
		uint8_t data[64];
		struct writer w = writer_over(data, sizeof(data)), out;

		if (command == but)
			continue;
		wr_u16(&w, 30);
		wr_u16(&w, 0xfe06);
		wr_u32(&w, 0);
		wr_u16(&w, command);
		wr_zero(&w, 20);
		ck_assert_int_eq(take(&w, &out), DETECT_MORE);
		ck_assert_uint_eq(wr_size(&out), 0);
	}
}

static enum detect_verdict converse(const struct signature *zebra, bool chatty)
{
	uint8_t data[256];
	struct writer w = writer_over(data, sizeof(data)), out;
	enum detect_verdict verdict;

	detect_begin(&detect, &w);
	if (chatty)
		chatter(UINT16_MAX);
	w = writer_over(data, sizeof(data));
	fake_write_error(&w, 0, zebra->error, WIRE_NO_VRF, WIRE_ERROR_NO_VRF);
	verdict = take(&w, &out);
	while (verdict == DETECT_MORE && sent_command(&out) != zebra->hello) {
		w = writer_over(data, sizeof(data));
		fake_write_error(&w, 0, zebra->error, 0, WIRE_ERROR_NO_COMMAND);
		verdict = take(&w, &out);
	}
	if (verdict != DETECT_MORE)
		return verdict;
	if (chatty)
		chatter(zebra->hello + 1);
	w = writer_over(data, sizeof(data));
	fake_write_capabilities(&w, zebra->hello + 1, zebra->capabilities_size);
	verdict = take(&w, &out);
	if (verdict != DETECT_MORE)
		return verdict;
	if (chatty)
		chatter(zebra->vrf_add);
	w = writer_over(data, sizeof(data));
	fake_write_vrf_add(&w, zebra->vrf_add, zebra->vrf_add_size);
	return take(&w, &out);
}

/* What each line answers, as FRR's sources have it: these and no other are to be told apart. */
static const struct {
	struct signature zebra;
	uint32_t releases;
	const char *text;
} known[] = {
	{{112, 18, 10, 36, 56}, 1u << RELEASE_7_5, "7.5"},
	{{117, 18, 10, 36, 76}, 1u << RELEASE_8_0, "8.0"},
	{{121, 18, 10, 36, 76}, 1u << RELEASE_8_1, "8.1"},
	{{118, 18, 10, 33, 76},
		1u << RELEASE_8_2 | 1u << RELEASE_8_3 | 1u << RELEASE_8_4 | 1u << RELEASE_8_5 |
			1u << RELEASE_9_0,
		"8.2-9.0"},
	{{117, 18, 11, 33, 76}, 1u << RELEASE_9_1, "9.1"},
	{{118, 19, 11, 34, 76}, 1u << RELEASE_10_0 | 1u << RELEASE_10_1, "10.0-10.1"},
	{{120, 19, 12, 33, 76},
		1u << RELEASE_10_2 | 1u << RELEASE_10_3 | 1u << RELEASE_10_4 | 1u << RELEASE_10_5,
		"10.2-10.5"},
	{{120, 19, 9, 33, 76}, 1u << RELEASE_10_6 | 1u << RELEASE_10_7, "10.6-10.7"},
};

START_TEST(each_line_is_found)
{
	char text[RELEASES_STRLEN];

	for (int chatty = 0; chatty < 2; chatty++) {
		ck_assert_int_eq(converse(&known[_i].zebra, chatty), DETECT_FOUND);
		ck_assert_uint_eq(detect.releases.bits, known[_i].releases);
		ck_assert_str_eq(releases_text(detect.releases, text), known[_i].text);
	}
}
END_TEST

START_TEST(no_line_is_missing)
{
	uint32_t all = 0;

	for (size_t i = 0; i < N_ELEMENTS(known); i++) {
		ck_assert_uint_eq(all & known[i].releases, 0);
		all |= known[i].releases;
	}
	ck_assert_uint_eq(all, releases_all().bits);
}
END_TEST

static bool is_known(const struct signature *zebra)
{
	for (size_t i = 0; i < N_ELEMENTS(known); i++) {
		const struct signature *each = &known[i].zebra;

		if (each->error == zebra->error && each->hello == zebra->hello &&
			each->capabilities_size == zebra->capabilities_size &&
			each->vrf_add == zebra->vrf_add &&
			each->vrf_add_size == zebra->vrf_add_size)
			return true;
	}
	return false;
}

START_TEST(every_other_combination_is_refused)
{
	static const uint16_t errors[] = {1, 111, 112, 117, 118, 119, 120, 121, 122, 65535};
	static const uint16_t hellos[] = {17, 18, 19, 20};
	static const uint16_t vrfs[] = {33, 34, 36};
	static const size_t vrf_sizes[] = {56, 76};
	size_t n_found = 0, n = N_ELEMENTS(hellos) * 15 * N_ELEMENTS(vrfs) * N_ELEMENTS(vrf_sizes);

	for (size_t i = 0; i < n; i++) {
		struct signature zebra = {
			.error = errors[_i],
			.hello = hellos[i % 4],
			.capabilities_size = i / 4 % 15,
			.vrf_add = vrfs[i / 60 % 3],
			.vrf_add_size = vrf_sizes[i / 180],
		};
		enum detect_verdict verdict = converse(&zebra, false);

		n_found += verdict == DETECT_FOUND;
		ck_assert_int_eq(verdict, is_known(&zebra) ? DETECT_FOUND : DETECT_REFUSED);
		ck_assert(verdict == DETECT_FOUND || strstr(detect.text, "ERROR is message"));
	}
	ck_assert_uint_le(n_found, 2);
}
END_TEST

START_TEST(the_refusal_names_what_was_seen)
{
	struct signature zebra = {120, 19, 12, 33, 56};

	ck_assert_int_eq(converse(&zebra, false), DETECT_REFUSED);
	ck_assert_str_eq(detect.text,
		"zebra is of a release that is not known: ERROR is message 120, "
		"HELLO 19, CAPABILITIES has 12 octets, VRF_ADD is 33 with 56 octets");
	zebra.error = 130;
	ck_assert_int_eq(converse(&zebra, false), DETECT_REFUSED);
	ck_assert_str_eq(
		detect.text, "zebra is of a release that is not known: ERROR is message 130");
}
END_TEST

START_TEST(an_odd_answer_to_the_probe_is_refused)
{
	uint8_t data[64];
	struct writer w = writer_over(data, sizeof(data)), out;

	detect_begin(&detect, &w);
	w = writer_over(data, sizeof(data));
	fake_write_error(&w, RELEASE_8_2, 0, WIRE_NO_VRF, WIRE_ERROR_NO_COMMAND);
	ck_assert_int_eq(take(&w, &out), DETECT_REFUSED);
}
END_TEST

/* Other VRFs come by the same message. */
START_TEST(the_default_vrf_is_waited_for)
{
	struct signature zebra = known[3].zebra; /* 8.2 to 9.0 */
	uint8_t data[128];
	struct writer w, out;

	zebra.vrf_add = 99; /* leaves the machine waiting */
	ck_assert_int_eq(converse(&zebra, false), DETECT_MORE);
	ck_assert(detect_silence(&detect));
	ck_assert_str_eq(detect.text,
		"zebra is of a release that is not known: ERROR is message 118, "
		"HELLO 18, CAPABILITIES has 10 octets");
	w = writer_over(data, sizeof(data));
	fake_write_vrf_add(&w, 33, 76);
	data[7] = 5; /* VRF 5 */
	ck_assert_int_eq(take(&w, &out), DETECT_MORE);
	data[7] = 0;
	ck_assert_int_eq(take(&w, &out), DETECT_FOUND);
	ck_assert_uint_eq(detect.releases.bits, 0xf8); /* 8.2 to 9.0 */
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zapi/detect");
	TCase *tcase = tcase_create("detect");

	suite_add_tcase(suite, tcase);
	tcase_add_loop_test(tcase, each_line_is_found, 0, N_ELEMENTS(known));
	tcase_add_test(tcase, no_line_is_missing);
	tcase_add_loop_test(tcase, every_other_combination_is_refused, 0, 10);
	tcase_add_test(tcase, the_refusal_names_what_was_seen);
	tcase_add_test(tcase, an_odd_answer_to_the_probe_is_refused);
	tcase_add_test(tcase, the_default_vrf_is_waited_for);
	return unit_run(suite);
}

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

static struct signature signature_of(enum release r)
{
	return (struct signature){release_fact(r, MSG_ERROR), release_fact(r, MSG_HELLO),
		release_fact(r, SIZE_CAPABILITIES), release_fact(r, MSG_VRF_ADD),
		release_fact(r, SIZE_VRF_ADD)};
}

START_TEST(each_line_is_found)
{
	struct signature zebra = signature_of((enum release)_i);

	ck_assert_int_eq(converse(&zebra, false), DETECT_FOUND);
	ck_assert_uint_ne(detect.releases.bits & 1u << _i, 0);
	ck_assert_int_eq(converse(&zebra, true), DETECT_FOUND);
	ck_assert_uint_ne(detect.releases.bits & 1u << _i, 0);
}
END_TEST

static bool is_known(const struct signature *zebra)
{
	for (enum release r = 0; r < N_RELEASES; r++) {
		struct signature known = signature_of(r);

		if (known.error == zebra->error && known.hello == zebra->hello &&
			known.capabilities_size == zebra->capabilities_size &&
			known.vrf_add == zebra->vrf_add &&
			known.vrf_add_size == zebra->vrf_add_size)
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
	struct signature zebra = signature_of(RELEASE_8_2);
	uint8_t data[128];
	struct writer w, out;

	zebra.vrf_add = 99; /* leaves the machine waiting */
	ck_assert_int_eq(converse(&zebra, false), DETECT_MORE);
	ck_assert_str_eq(
		detect_silence(&detect), "zebra did not answer HELLO with its default VRF in time");
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
	tcase_add_loop_test(tcase, each_line_is_found, 0, N_RELEASES);
	tcase_add_loop_test(tcase, every_other_combination_is_refused, 0, 10);
	tcase_add_test(tcase, the_refusal_names_what_was_seen);
	tcase_add_test(tcase, an_odd_answer_to_the_probe_is_refused);
	tcase_add_test(tcase, the_default_vrf_is_waited_for);
	return unit_run(suite);
}

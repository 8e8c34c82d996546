/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <cosmolet/buf.h>

#include <string.h>

START_TEST(reads_back_what_was_written)
{
	uint8_t data[32], eight = 0, tail[3];
	struct writer w = writer_over(data, sizeof(data));
	struct reader r, sub;
	uint16_t sixteen = 0;
	uint32_t thirtytwo = 0;
	uint64_t sixtyfour = 0;

	wr_u16(&w, 0);
	wr_u8(&w, 0xfe);
	wr_u32(&w, 0x01020304);
	wr_u64(&w, 0x1122334455667788);
	wr_bytes(&w, "abc", 3);
	wr_zero(&w, 1);
	wr_u16_at(&w, 0, 0xbeef);
	ck_assert(!w.failed);
	ck_assert_uint_eq(wr_size(&w), 19);

	r = reader_over(data, wr_size(&w));
	ck_assert(rd_u16(&r, &sixteen) && sixteen == 0xbeef);
	ck_assert(rd_u8(&r, &eight) && eight == 0xfe);
	ck_assert(rd_u32(&r, &thirtytwo) && thirtytwo == 0x01020304);
	ck_assert(rd_u64(&r, &sixtyfour) && sixtyfour == 0x1122334455667788);
	ck_assert(rd_sub(&r, 3, &sub));
	ck_assert(rd_bytes(&sub, tail, 3) && memcmp(tail, "abc", 3) == 0);
	ck_assert(!rd_u8(&sub, &eight));
	ck_assert(rd_skip(&r, 1));
	ck_assert_uint_eq(rd_left(&r), 0);
}
END_TEST

START_TEST(short_reads_change_nothing)
{
	const uint8_t data[3] = {1, 2, 3};
	struct reader r = reader_over(data, sizeof(data)), sub;
	uint32_t v = 77;
	uint64_t w = 77;

	ck_assert(!rd_u32(&r, &v) && v == 77);
	ck_assert(!rd_u64(&r, &w) && w == 77);
	ck_assert(!rd_u32_host(&r, &v) && v == 77);
	ck_assert(!rd_skip(&r, 4));
	ck_assert(!rd_skip(&r, SIZE_MAX));
	ck_assert(!rd_sub(&r, SIZE_MAX, &sub));
	ck_assert_uint_eq(rd_left(&r), 3);
}
END_TEST

START_TEST(a_full_writer_stays_failed)
{
	uint8_t data[4] = {9, 9, 9, 9};
	struct writer w = writer_over(data, 3);

	wr_u16(&w, 1);
	wr_u16(&w, 2);
	ck_assert(w.failed);
	wr_u8(&w, 3); /* would fit, but the message is broken already */
	ck_assert_uint_eq(wr_size(&w), 2);
	ck_assert_uint_eq(data[2], 9);
	ck_assert_uint_eq(data[3], 9);

	w = writer_over(data, 4);
	wr_u8(&w, 1);
	wr_u16_at(&w, 0, 1); /* only one octet has been written */
	ck_assert(w.failed);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("buf");
	TCase *tcase = tcase_create("buf");

	tcase_add_test(tcase, reads_back_what_was_written);
	tcase_add_test(tcase, short_reads_change_nothing);
	tcase_add_test(tcase, a_full_writer_stays_failed);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}

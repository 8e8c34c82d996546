/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes of a wire, read and written within bounds. Big-endian unless the name says otherwise.
 *
 * A reader never leaves its memory: every getter says whether there was enough, and must be asked.
 * A writer never leaves its memory either: a write that does not fit makes it fail for good, which
 * is asked once, at the end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cosmolet/mem.h>

struct reader {
	const uint8_t *pos;
	const uint8_t *end;
};

static inline struct reader reader_over(const void *data, size_t size)
{
	return (struct reader){(const uint8_t *)data, (const uint8_t *)data + size};
}

static inline size_t rd_left(const struct reader *r)
{
	return (size_t)(r->end - r->pos);
}

/* Outputs are untouched when these return false. */
must_check bool rd_u8(struct reader *r, uint8_t *out);
must_check bool rd_u16(struct reader *r, uint16_t *out);
must_check bool rd_u32(struct reader *r, uint32_t *out);
must_check bool rd_u64(struct reader *r, uint64_t *out);
must_check bool rd_u32_host(struct reader *r, uint32_t *out); /* in the host's byte order */
must_check bool rd_bytes(struct reader *r, void *out, size_t n);
must_check bool rd_skip(struct reader *r, size_t n);
/* A reader over the next n bytes, which this one then has passed. */
must_check bool rd_sub(struct reader *r, size_t n, struct reader *out);

struct writer {
	uint8_t *start;
	uint8_t *pos;
	uint8_t *end;
	bool failed;
};

static inline struct writer writer_over(void *data, size_t size)
{
	uint8_t *start = (uint8_t *)data;

	return (struct writer){start, start, start + size, false};
}

static inline size_t wr_size(const struct writer *w)
{
	return (size_t)(w->pos - w->start);
}

void wr_u8(struct writer *w, uint8_t v);
void wr_u16(struct writer *w, uint16_t v);
void wr_u32(struct writer *w, uint32_t v);
void wr_u64(struct writer *w, uint64_t v);
void wr_bytes(struct writer *w, const void *data, size_t n);
void wr_zero(struct writer *w, size_t n);
/* Writes over 16 bits at an offset that has been written before. */
void wr_u16_at(struct writer *w, size_t offset, uint16_t v);

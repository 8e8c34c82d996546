/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wire bytes. Bounds are always compared by subtraction (n > what is left), never by adding to a
 * pointer, so a huge length cannot wrap around.
 */
#include <cosmolet/buf.h>

#include <string.h>

static bool take(struct reader *r, size_t n, const uint8_t **out)
{
	if (n > rd_left(r))
		return false;
	*out = r->pos;
	r->pos += n;
	return true;
}

/* Reads n octets, most significant first. */
static bool take_number(struct reader *r, size_t n, uint64_t *out)
{
	const uint8_t *p;
	uint64_t v = 0;

	if (!take(r, n, &p))
		return false;
	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	*out = v;
	return true;
}

bool rd_u8(struct reader *r, uint8_t *out)
{
	uint64_t v;

	if (!take_number(r, 1, &v))
		return false;
	*out = (uint8_t)v;
	return true;
}

bool rd_u16(struct reader *r, uint16_t *out)
{
	uint64_t v;

	if (!take_number(r, 2, &v))
		return false;
	*out = (uint16_t)v;
	return true;
}

bool rd_u32(struct reader *r, uint32_t *out)
{
	uint64_t v;

	if (!take_number(r, 4, &v))
		return false;
	*out = (uint32_t)v;
	return true;
}

bool rd_u64(struct reader *r, uint64_t *out)
{
	return take_number(r, 8, out);
}

bool rd_u32_host(struct reader *r, uint32_t *out)
{
	return rd_bytes(r, out, sizeof(*out));
}

bool rd_bytes(struct reader *r, void *out, size_t n)
{
	const uint8_t *p;

	if (!take(r, n, &p))
		return false;
	if (n)
		memcpy(out, p, n);
	return true;
}

bool rd_skip(struct reader *r, size_t n)
{
	const uint8_t *p;

	return take(r, n, &p);
}

bool rd_sub(struct reader *r, size_t n, struct reader *out)
{
	const uint8_t *p;

	if (!take(r, n, &p))
		return false;
	*out = reader_over(p, n);
	return true;
}

/* Where the next n octets go; NULL when they do not fit, now or earlier. */
static uint8_t *place(struct writer *w, size_t n)
{
	uint8_t *p = w->pos;

	if (w->failed || n > (size_t)(w->end - w->pos)) {
		w->failed = true;
		return NULL;
	}
	w->pos += n;
	return p;
}

static void put_number(struct writer *w, uint64_t v, size_t n)
{
	uint8_t *p = place(w, n);

	if (!p)
		return;
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
}

void wr_u8(struct writer *w, uint8_t v)
{
	put_number(w, v, 1);
}

void wr_u16(struct writer *w, uint16_t v)
{
	put_number(w, v, 2);
}

void wr_u32(struct writer *w, uint32_t v)
{
	put_number(w, v, 4);
}

void wr_u64(struct writer *w, uint64_t v)
{
	put_number(w, v, 8);
}

void wr_bytes(struct writer *w, const void *data, size_t n)
{
	uint8_t *p = place(w, n);

	if (p && n)
		memcpy(p, data, n);
}

void wr_zero(struct writer *w, size_t n)
{
	uint8_t *p = place(w, n);

	if (p)
		memset(p, 0, n);
}

void wr_u16_at(struct writer *w, size_t offset, uint16_t v)
{
	if (w->failed || offset > wr_size(w) || wr_size(w) - offset < 2) {
		w->failed = true;
		return;
	}
	w->start[offset] = (uint8_t)(v >> 8);
	w->start[offset + 1] = (uint8_t)v;
}

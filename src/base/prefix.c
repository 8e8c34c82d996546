/* SPDX-License-Identifier: Apache-2.0 */
/* Prefixes. One normal form (no host bits, unused octets zero) makes comparing a memcmp(). */
#include <cosmolet/prefix.h>

#include <arpa/inet.h>
#include <string.h>

static bool has_host_bits(const struct prefix *p)
{
	for (unsigned bit = p->len; bit < family_bits(p->family); bit++) {
		if (p->addr[bit / 8] & (0x80 >> bit % 8))
			return true;
	}
	return false;
}

static bool is_v4_mapped(const struct prefix *p)
{
	static const uint8_t head[12] = {[10] = 0xff, [11] = 0xff};

	return p->family == AF_INET6 && memcmp(p->addr, head, sizeof(head)) == 0;
}

bool prefix_parse_host(const char *text, struct prefix *out)
{
	struct prefix p = {.family = strchr(text, ':') ? AF_INET6 : AF_INET};

	if (inet_pton(p.family, text, p.addr) != 1 || is_v4_mapped(&p))
		return false;
	p.len = family_bits(p.family);
	*out = p;
	return true;
}

/* 1 to 3 digits and nothing else: strtoul() would take spaces and signs. */
static bool parse_len(const char *text, uint8_t max, uint8_t *out)
{
	unsigned v = 0;
	size_t n = strlen(text);

	if (n < 1 || n > 3 || strspn(text, "0123456789") != n)
		return false;
	for (size_t i = 0; i < n; i++)
		v = v * 10 + (unsigned)(text[i] - '0');
	if (v > max)
		return false;
	*out = (uint8_t)v;
	return true;
}

bool prefix_parse(const char *text, struct prefix *out)
{
	const char *slash = strchr(text, '/');
	char address[INET6_ADDRSTRLEN];
	struct prefix p;
	size_t n;

	if (!slash)
		return false;
	n = (size_t)(slash - text);
	if (n >= sizeof(address))
		return false;
	memcpy(address, text, n);
	address[n] = '\0';
	if (!prefix_parse_host(address, &p) ||
		!parse_len(slash + 1, family_bits(p.family), &p.len) || has_host_bits(&p))
		return false;
	*out = p;
	return true;
}

struct prefix prefix_host(uint8_t family, const void *addr)
{
	struct prefix p = {.family = family, .len = family_bits(family)};

	memcpy(p.addr, addr, family_octets(family));
	return p;
}

const char *prefix_address(const struct prefix *p, char buf[PREFIX_STRLEN])
{
	if (!inet_ntop(p->family, p->addr, buf, PREFIX_STRLEN))
		snprintf(buf, PREFIX_STRLEN, "none");
	return buf;
}

const char *prefix_text(const struct prefix *p, char buf[PREFIX_STRLEN])
{
	size_t n = strlen(prefix_address(p, buf));

	snprintf(buf + n, PREFIX_STRLEN - n, "/%u", p->len);
	return buf;
}

int prefix_cmp(const void *a, const void *b)
{
	const struct prefix *x = a, *y = b;
	int c;

	if (x->family != y->family)
		return x->family < y->family ? -1 : 1;
	c = memcmp(x->addr, y->addr, sizeof(x->addr));
	if (c)
		return c < 0 ? -1 : 1;
	return (x->len > y->len) - (x->len < y->len);
}

bool prefix_is_host(const struct prefix *p)
{
	return p->family && p->len == family_bits(p->family);
}

bool prefix_contains(const struct prefix *outer, const struct prefix *inner)
{
	if (outer->family != inner->family || outer->len > inner->len)
		return false;
	for (unsigned bit = 0; bit < outer->len; bit++) {
		if ((outer->addr[bit / 8] ^ inner->addr[bit / 8]) & (0x80 >> bit % 8))
			return false;
	}
	return true;
}

bool prefix_is_special(const struct prefix *p)
{
	/* RFC 6890 and its updates: "this network", loopback, link-local, multicast and above. */
	static const struct prefix special[] = {
		{.family = AF_INET, .len = 8},
		{.family = AF_INET, .len = 8, .addr = {127}},
		{.family = AF_INET, .len = 16, .addr = {169, 254}},
		{.family = AF_INET, .len = 3, .addr = {224}},
		{.family = AF_INET6, .len = 127},
		{.family = AF_INET6, .len = 10, .addr = {0xfe, 0x80}},
		{.family = AF_INET6, .len = 8, .addr = {0xff}},
	};

	for (size_t i = 0; i < N_ELEMENTS(special); i++) {
		if (prefix_contains(&special[i], p))
			return true;
	}
	return false;
}

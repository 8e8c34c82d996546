/* SPDX-License-Identifier: Apache-2.0 */
/* An IPv4 or IPv6 prefix: the one form in which addresses travel through the program. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <cosmolet/mem.h>

/* Zero is "no prefix". Octets behind the family's length and bits behind len are always 0. */
struct prefix {
	uint8_t family; /* AF_INET or AF_INET6 */
	uint8_t len;
	uint8_t addr[16];
};

#define PREFIX_STRLEN 52 /* the longest text, "/128" and the final NUL included */

static inline size_t family_octets(uint8_t family)
{
	return family == AF_INET ? 4 : 16;
}

static inline uint8_t family_bits(uint8_t family)
{
	return family == AF_INET ? 32 : 128;
}

/* 4 and 6 for what people call them. */
static inline int family_number(uint8_t family)
{
	return family == AF_INET ? 4 : 6;
}

/*
 * Parses "ADDRESS/LEN". false: not a prefix, a length out of range, or bits set behind it. The
 * output is untouched then.
 */
must_check bool prefix_parse(const char *text, struct prefix *out);
/* Parses a bare address into its host prefix (/32 or /128). IPv4-mapped IPv6 is refused. */
must_check bool prefix_parse_host(const char *text, struct prefix *out);
/* The host prefix of an address in network byte order. family must be AF_INET or AF_INET6. */
struct prefix prefix_host(uint8_t family, const void *addr);

/* Writes "ADDRESS/LEN", or the bare address for prefix_address(), into buf and returns it. */
const char *prefix_text(const struct prefix *p, char buf[PREFIX_STRLEN]);
const char *prefix_address(const struct prefix *p, char buf[PREFIX_STRLEN]);

/* A total order: IPv4 before IPv6, then by address, then shorter first. Fits vec_init(). */
int prefix_cmp(const void *a, const void *b);
bool prefix_is_host(const struct prefix *p);
bool prefix_contains(const struct prefix *outer, const struct prefix *inner);
/* An address no service can have: unspecified, loopback, link-local or multicast. */
bool prefix_is_special(const struct prefix *p);

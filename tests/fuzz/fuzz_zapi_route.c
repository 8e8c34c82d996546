/* SPDX-License-Identifier: Apache-2.0 */
/* The bodies of messages, as each release would read them. The first octet chooses the release
 * line, or those that cannot be told apart. */
#include <assert.h>
#include <string.h>

#include "wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* 7.5, 8.0, 8.1, 8.2 to 9.0, 9.1, 10.0 and 10.1, 10.2 to 10.5, 10.6 and 10.7. */
static const struct releases looking_alike[] = {
	{0x1}, {0x2}, {0x4}, {0xf8}, {0x100}, {0x600}, {0x7800}, {0x18000}};

/* What the rest of the program relies on: nothing is set behind the prefix's length. */
static void check_prefix(const struct prefix *prefix)
{
	assert(prefix->family == AF_INET || prefix->family == AF_INET6);
	assert(prefix->len <= family_bits(prefix->family));
	for (size_t bit = prefix->len; bit < 128; bit++)
		assert(!(prefix->addr[bit / 8] & 0x80 >> bit % 8));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct releases releases;
	struct reader body;
	struct wire_route route;
	struct wire_notify notify;
	struct wire_client client;
	struct wire_capabilities capabilities;
	struct wire_vrf vrf;
	struct prefix router_id;
	uint32_t code;

	if (size == 0)
		return 0;
	releases = looking_alike[data[0] % N_ELEMENTS(looking_alike)];
	body = reader_over(data + 1, size - 1);
	if (wire_read_route(releases, body, &route)) {
		check_prefix(&route.prefix);
		assert(route.readable || (route.tag == 0 && route.metric == 0));
	}
	if (wire_read_notify(releases, body, &notify)) {
		check_prefix(&notify.prefix);
		assert(notify.note < WIRE_N_NOTES);
		assert(notify.fits.bits && !(notify.fits.bits & ~releases.bits));
	}
	if (wire_read_close_notify(body, &client))
		assert(size - 1 == 7);
	if (wire_read_capabilities(body, &capabilities))
		assert(size - 1 >= 9 && size - 1 <= 12);
	if (wire_read_vrf(body, &vrf))
		assert(memchr(vrf.name, '\0', sizeof(vrf.name)));
	if (wire_read_router_id(body, &router_id)) {
		check_prefix(&router_id);
		assert(prefix_is_host(&router_id));
	}
	if (wire_read_error(body, &code))
		assert(size - 1 == 4);
	return 0;
}

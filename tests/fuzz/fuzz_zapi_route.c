/* SPDX-License-Identifier: Apache-2.0 */
/* The bodies of messages, as each release would read them. The first octet chooses the release. */
#include <assert.h>

#include "wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
	enum release release;
	struct reader body;
	struct wire_route route;
	struct wire_notify notify;
	struct wire_client client;
	uint32_t code;

	if (size == 0)
		return 0;
	release = (enum release)(data[0] % N_RELEASES);
	body = reader_over(data + 1, size - 1);
	if (wire_read_route(release, body, &route)) {
		check_prefix(&route.prefix);
		assert(route.readable || (route.tag == 0 && route.metric == 0));
	}
	if (wire_read_notify(release, body, &notify)) {
		check_prefix(&notify.prefix);
		assert(notify.note < WIRE_N_NOTES);
	}
	if (wire_read_close_notify(body, &client))
		assert(size - 1 == 7);
	if (wire_read_error(body, &code))
		assert(size - 1 == 4);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What servers and files say ends in logs and in JSON, where it must be valid UTF-8 on one line.
 * The hard idea is that cutting makes bad text of good text, so both are done here.
 */
#include "text.h"

#include <stdint.h>
#include <string.h>

char *text_shorten(char *text, size_t max)
{
	size_t n = max;

	if (strlen(text) <= max)
		return text;
	while (n > 0 && ((uint8_t)text[n] & 0xc0) == 0x80)
		n--;
	text[n] = '\0';
	return text;
}

/* How many octets the first character has; 0: it is none (RFC 3629), or one for terminals. */
static size_t character(const char *text)
{
	const uint8_t *octet = (const uint8_t *)text;
	size_t n = octet[0] < 0x80 ? 1 : octet[0] < 0xe0 ? 2 : octet[0] < 0xf0 ? 3 : 4;

	if (octet[0] < ' ' || (octet[0] >= 0x7f && octet[0] < 0xc2) || octet[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((octet[i] & 0xc0) != 0x80)
			return 0;
	if ((octet[0] == 0xe0 && octet[1] < 0xa0) || (octet[0] == 0xed && octet[1] >= 0xa0) ||
		(octet[0] == 0xf0 && octet[1] < 0x90) || (octet[0] == 0xf4 && octet[1] >= 0x90))
		return 0;
	return n;
}

char *text_clean(char *text)
{
	for (char *at = text; at && *at;) {
		size_t n = character(at);

		if (n == 0)
			*at = '?';
		at += n ? n : 1;
	}
	return text;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Advice about sysctls. What the kernel does by default is right for most nodes, so each line
 * stands only where it does harm: ARP, where a service address lies in a network that an interface
 * is connected to; the strict reverse path filter, where a gateway is.
 */
#include "sysctl.h"

#include <cosmolet/yaml.h>

#include <ifaddrs.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <string.h>

static long setting(const char *interface, const char *name)
{
	auto_free char *path = xasprintf("/proc/sys/net/ipv4/conf/%s/%s", interface, name);
	auto_free char *text = NULL;
	size_t size;

	return file_read(path, 64, &text, &size) < 0 ? 0 : strtol(text, NULL, 10);
}

/* The kernel takes the greater of the interface's and that of all. */
static long effective(const char *interface, const char *name)
{
	return MAX(setting("all", name), setting(interface, name));
}

/* ARP */

static bool take_network(const struct ifaddrs *interface, struct prefix *out)
{
	const struct sockaddr_in *address = (const void *)interface->ifa_addr;
	const struct sockaddr_in *mask = (const void *)interface->ifa_netmask;
	uint32_t network;

	if (!address || !mask || address->sin_family != AF_INET ||
		interface->ifa_flags & IFF_LOOPBACK || mask->sin_addr.s_addr == UINT32_MAX)
		return false;
	network = address->sin_addr.s_addr & mask->sin_addr.s_addr;
	*out = prefix_host(AF_INET, &network);
	out->len = (uint8_t)__builtin_popcount(mask->sin_addr.s_addr);
	return true;
}

static char *arp_advice(const struct ifaddrs *interface, const struct prefix *bound, size_t n_bound)
{
	char buf[PREFIX_STRLEN];
	struct prefix network;

	if (!take_network(interface, &network) ||
		(effective(interface->ifa_name, "arp_ignore") >= 1 &&
			effective(interface->ifa_name, "arp_announce") >= 2))
		return NULL;
	for (size_t i = 0; i < n_bound; i++) {
		if (prefix_contains(&network, &bound[i]))
			return xasprintf(
				"this node answers ARP for %s on %s, whose network the address "
				"lies in: neighbours send to whoever answers first, past BGP; set "
				"net.ipv4.conf.all.arp_ignore=1 and "
				"net.ipv4.conf.all.arp_announce=2",
				prefix_address(&bound[i], buf), interface->ifa_name);
	}
	return NULL;
}

static char *first_arp_advice(const struct prefix *bound, size_t n_bound)
{
	struct ifaddrs *interfaces = NULL;
	char *advice = NULL;

	if (!n_bound || getifaddrs(&interfaces) < 0)
		return NULL;
	for (const struct ifaddrs *i = interfaces; i && !advice; i = i->ifa_next)
		advice = arp_advice(i, bound, n_bound);
	freeifaddrs(interfaces);
	return advice;
}

/* The reverse path filter */

/* Interface, destination, gateway, flags, with tabs between them. NULL: none has a gateway. */
static const char *gateway_interface(char *line)
{
	const char *interface = strsep(&line, "\t");
	const char *flags = NULL;

	for (int i = 0; i < 3 && line; i++)
		flags = strsep(&line, "\t");
	return line && strtoul(flags, NULL, 16) & RTF_GATEWAY ? interface : NULL;
}

static char *filter_advice(void)
{
	auto_file FILE *routes = fopen("/proc/net/route", "re");
	char line[256];

	while (routes && fgets(line, sizeof(line), routes)) {
		const char *interface = gateway_interface(line);

		if (interface && effective(interface, "rp_filter") == 1)
			return xasprintf(
				"the reverse path filter of %s is strict: with more than one way "
				"out, what comes in by another than the answer takes is dropped; "
				"set net.ipv4.conf.%s.rp_filter=2, and that of \"all\" to 0 or 2",
				interface, interface);
	}
	return NULL;
}

size_t sysctl_advice(const struct prefix *bound, size_t n_bound, char *out[SYSCTL_ADVICE])
{
	char *lines[] = {first_arp_advice(bound, n_bound), filter_advice()};
	size_t n = 0;

	for (size_t i = 0; i < N_ELEMENTS(lines); i++) {
		if (lines[i])
			out[n++] = lines[i];
	}
	return n;
}

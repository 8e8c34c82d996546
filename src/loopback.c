/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loopback. The hard part: the kernel's state is shared with everybody, so what we remember can
 * be wrong at any time.
 *
 * There is one way to be right again, the audit: list what the kernel has, keep what carries our
 * mark, add what is missing. It runs at the start, when the kernel says that something of ours was
 * removed or an interface changed, when messages were lost (libnl reports ENOBUFS as "no memory"),
 * and every ten minutes. Requests go over one socket and are answered at once; the kernel's news
 * come over another.
 */
#include "loopback.h"

#include <cosmolet/vec.h>

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <string.h>

#ifndef IFA_PROTO /* Linux 5.18 */
#define IFA_PROTO 11
#endif

#define AUDIT_EVERY  mono_s(600)
#define AUDIT_DELAY  mono_ms(20) /* merges the many messages of one change */
#define EVENT_BUFFER (4 << 20)

struct entry {
	struct prefix address;
	bool wanted;
	bool present; /* in the kernel, as far as we know, and ours */
};

struct loopback {
	struct loop *loop;
	enum config_loopback mode;
	bool observe;
	char *interface;
	unsigned ifindex;
	void (*problem)(void *data, const char *text);
	void *data;
	struct nl_sock *requests;
	struct nl_sock *events;
	struct loop_io io;
	struct loop_timer audit_timer;
	struct vec entries; /* struct entry, by address */
	struct loopback_status status;
};

static int entry_cmp(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return prefix_cmp(&x->address, &y->address);
}

static struct entry *find_entry(const struct loopback *loopback, const struct prefix *address)
{
	struct entry wanted = {.address = *address};

	return vec_find(&loopback->entries, &wanted);
}

static struct entry *get_entry(struct loopback *loopback, const struct prefix *address)
{
	struct entry *entry = find_entry(loopback, address);

	if (entry)
		return entry;
	entry = xcalloc(1, sizeof(*entry));
	entry->address = *address;
	vec_insert(&loopback->entries, entry);
	return entry;
}

static void drop_entry(struct loopback *loopback, struct entry *entry)
{
	vec_remove(&loopback->entries, entry);
	free(entry);
}

/* Requests */

DEFINE_AUTO(msg, struct nl_msg *, nlmsg_free)

static struct nl_msg *route_message(
	const struct loopback *loopback, bool add, const struct prefix *address)
{
	struct rtmsg rtm = {
		.rtm_family = address->family,
		.rtm_dst_len = address->len,
		.rtm_table = RT_TABLE_LOCAL,
		.rtm_protocol = LOOPBACK_PROTOCOL,
		.rtm_scope = address->family == AF_INET ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE,
		.rtm_type = RTN_LOCAL,
	};
	struct nl_msg *msg = nlmsg_alloc_simple(add ? RTM_NEWROUTE : RTM_DELROUTE,
		NLM_F_REQUEST | (add ? NLM_F_CREATE | NLM_F_EXCL : 0));

	if (!msg || nlmsg_append(msg, &rtm, sizeof(rtm), NLMSG_ALIGNTO) < 0 ||
		nla_put(msg, RTA_DST, (int)family_octets(address->family), address->addr) < 0 ||
		nla_put_u32(msg, RTA_OIF, loopback->ifindex) < 0)
		abort(); /* out of memory */
	return msg;
}

static struct nl_msg *address_message(
	const struct loopback *loopback, bool add, const struct prefix *address)
{
	/* A service address must never become the source of the node's own traffic. */
	struct ifaddrmsg ifa = {
		.ifa_family = address->family,
		.ifa_prefixlen = address->len,
		.ifa_flags = address->family == AF_INET6 ? IFA_F_NODAD : 0,
		.ifa_scope = address->family == AF_INET ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE,
		.ifa_index = loopback->ifindex,
	};
	struct ifa_cacheinfo lifetime = {.ifa_prefered = 0, .ifa_valid = UINT32_MAX};
	int size = (int)family_octets(address->family);
	struct nl_msg *msg = nlmsg_alloc_simple(add ? RTM_NEWADDR : RTM_DELADDR,
		NLM_F_REQUEST | (add ? NLM_F_CREATE | NLM_F_EXCL : 0));

	if (!msg || nlmsg_append(msg, &ifa, sizeof(ifa), NLMSG_ALIGNTO) < 0 ||
		nla_put(msg, IFA_LOCAL, size, address->addr) < 0 ||
		nla_put(msg, IFA_ADDRESS, size, address->addr) < 0)
		abort();
	if (add && (nla_put_u8(msg, IFA_PROTO, LOOPBACK_PROTOCOL) < 0 ||
			   (address->family == AF_INET6 &&
				   nla_put(msg, IFA_CACHEINFO, sizeof(lifetime), &lifetime) < 0)))
		abort();
	return msg;
}

/* Sends one request and waits for the kernel's answer: 0 or a negative NLE_* of libnl. */
static int request(struct loopback *loopback, bool add, const struct prefix *address)
{
	AUTO(msg)
	struct nl_msg *msg = loopback->mode == LOOPBACK_LOCAL_ROUTE
				     ? route_message(loopback, add, address)
				     : address_message(loopback, add, address);
	int r = nl_send_auto(loopback->requests, msg);

	return r < 0 ? r : nl_wait_for_ack(loopback->requests);
}

/* Reading the kernel */

/* Whether an attribute holds an address of that family; libnl has checked that it lies inside. */
static bool take_address(const struct nlattr *attr, uint8_t family, struct prefix *out)
{
	if ((family != AF_INET && family != AF_INET6) || !attr ||
		nla_len(attr) != (int)family_octets(family))
		return false;
	*out = prefix_host(family, nla_data(attr));
	return true;
}

static bool our_route(struct loopback *loopback, struct nlmsghdr *hdr, struct prefix *out)
{
	struct nlattr *attrs[RTA_MAX + 1];
	const struct rtmsg *rtm;

	if (nlmsg_parse(hdr, sizeof(struct rtmsg), attrs, RTA_MAX, NULL) < 0)
		return false;
	rtm = nlmsg_data(hdr);
	return rtm->rtm_protocol == LOOPBACK_PROTOCOL && rtm->rtm_table == RT_TABLE_LOCAL &&
	       rtm->rtm_type == RTN_LOCAL && rtm->rtm_dst_len == family_bits(rtm->rtm_family) &&
	       attrs[RTA_OIF] && nla_get_u32(attrs[RTA_OIF]) == loopback->ifindex &&
	       take_address(attrs[RTA_DST], rtm->rtm_family, out);
}

static bool our_address(struct loopback *loopback, struct nlmsghdr *hdr, struct prefix *out)
{
	struct nlattr *attrs[IFA_PROTO + 1];
	const struct ifaddrmsg *ifa;

	if (nlmsg_parse(hdr, sizeof(struct ifaddrmsg), attrs, IFA_PROTO, NULL) < 0)
		return false;
	ifa = nlmsg_data(hdr);
	return attrs[IFA_PROTO] && nla_len(attrs[IFA_PROTO]) == 1 &&
	       nla_get_u8(attrs[IFA_PROTO]) == LOOPBACK_PROTOCOL &&
	       ifa->ifa_index == loopback->ifindex &&
	       ifa->ifa_prefixlen == family_bits(ifa->ifa_family) &&
	       take_address(attrs[IFA_ADDRESS], ifa->ifa_family, out);
}

/* Whether the message is about one of ours, and which. */
static bool ours(struct loopback *loopback, struct nlmsghdr *hdr, struct prefix *out)
{
	bool route = hdr->nlmsg_type == RTM_NEWROUTE || hdr->nlmsg_type == RTM_DELROUTE;
	bool address = hdr->nlmsg_type == RTM_NEWADDR || hdr->nlmsg_type == RTM_DELADDR;

	if (loopback->mode == LOOPBACK_LOCAL_ROUTE)
		return route && our_route(loopback, hdr, out);
	return address && our_address(loopback, hdr, out);
}

static int on_dumped(struct nl_msg *msg, void *data)
{
	struct loopback *loopback = data;
	struct prefix address;

	if (ours(loopback, nlmsg_hdr(msg), &address))
		get_entry(loopback, &address)->present = true;
	return NL_OK;
}

static int dump(struct loopback *loopback)
{
	struct rtmsg rtm = {.rtm_family = AF_UNSPEC};
	struct ifaddrmsg ifa = {.ifa_family = AF_UNSPEC};
	bool routes = loopback->mode == LOOPBACK_LOCAL_ROUTE;
	int r = nl_send_simple(loopback->requests, routes ? RTM_GETROUTE : RTM_GETADDR, NLM_F_DUMP,
		routes ? (void *)&rtm : (void *)&ifa, routes ? sizeof(rtm) : sizeof(ifa));

	return r < 0 ? r : nl_recvmsgs_default(loopback->requests);
}

/* Adds what is wanted and missing. Errors are told once per audit. */
static void repair(struct loopback *loopback)
{
	char buf[PREFIX_STRLEN];
	unsigned repaired = 0;

	for (size_t i = 0; i < loopback->entries.n; i++) {
		struct entry *entry = loopback->entries.items[i];
		int r;

		if (!entry->wanted || entry->present)
			continue;
		r = request(loopback, true, &entry->address);
		if (r == -NLE_EXIST)
			continue; /* somebody else has taken it over */
		entry->present = r == 0;
		repaired += r == 0;
		loopback->status.errors += r != 0;
		if (r < 0) {
			auto_free char *text = xasprintf("%s on %s cannot be repaired: %s",
				prefix_address(&entry->address, buf), loopback->interface,
				nl_geterror(r));

			loopback->problem(loopback->data, text);
		}
	}
	loopback->status.repairs += repaired;
	if (repaired) {
		auto_free char *text =
			xasprintf("%u addresses of ours were missing on %s and are back", repaired,
				loopback->interface);

		loopback->problem(loopback->data, text);
	}
}

static void audit(struct loopback *loopback);

static void on_audit_timer(struct loop_timer *timer)
{
	audit(container_of(timer, struct loopback, audit_timer));
}

static void audit(struct loopback *loopback)
{
	struct entry *entry;
	int r;

	loopback->status.audits++;
	loop_timer_after(loopback->loop, &loopback->audit_timer, AUDIT_EVERY, on_audit_timer);
	loopback->ifindex = if_nametoindex(loopback->interface);
	vec_foreach (&loopback->entries, entry, i)
		entry->present = false;
	r = dump(loopback);
	if (r < 0) {
		/* Interrupted or cut short: what we just read is no basis for anything. */
		loop_timer_after(loopback->loop, &loopback->audit_timer, mono_s(1), on_audit_timer);
		return;
	}
	if (!loopback->observe)
		repair(loopback);
	for (size_t i = loopback->entries.n; i-- > 0;) {
		entry = loopback->entries.items[i];
		if (!entry->wanted && !entry->present)
			drop_entry(loopback, entry);
	}
}

static void audit_soon(struct loopback *loopback)
{
	loop_timer_after(loopback->loop, &loopback->audit_timer, AUDIT_DELAY, on_audit_timer);
}

/* The kernel's news */

static int on_news(struct nl_msg *msg, void *data)
{
	struct loopback *loopback = data;
	struct nlmsghdr *hdr = nlmsg_hdr(msg);
	struct prefix address;
	struct entry *entry;

	if (hdr->nlmsg_type == RTM_NEWLINK || hdr->nlmsg_type == RTM_DELLINK) {
		audit_soon(loopback);
		return NL_OK;
	}
	if ((hdr->nlmsg_type != RTM_DELROUTE && hdr->nlmsg_type != RTM_DELADDR) ||
		!ours(loopback, hdr, &address))
		return NL_OK;
	entry = find_entry(loopback, &address);
	if (entry && entry->wanted)
		audit_soon(loopback);
	return NL_OK;
}

static void on_events(struct loop_io *io, uint32_t ready)
{
	struct loopback *loopback = container_of(io, struct loopback, io);
	int r;

	(void)ready;
	for (int i = 0; i < 256; i++) {
		r = nl_recvmsgs_default(loopback->events);
		if (r == -NLE_AGAIN)
			return;
		if (r < 0) { /* -NLE_NOMEM is ENOBUFS: news were lost */
			audit_soon(loopback);
			return;
		}
	}
}

/* Life */

static int fail(char **out_error, const char *what, int r)
{
	*out_error = xasprintf("loopback: %s: %s", what, nl_geterror(r));
	return -EINVAL;
}

static int open_sockets(struct loopback *loopback, char **out_error)
{
	bool routes = loopback->mode == LOOPBACK_LOCAL_ROUTE;
	int r;

	loopback->requests = nl_socket_alloc();
	loopback->events = nl_socket_alloc();
	if (!loopback->requests || !loopback->events)
		abort();
	nl_socket_modify_cb(loopback->requests, NL_CB_VALID, NL_CB_CUSTOM, on_dumped, loopback);
	nl_socket_modify_cb(loopback->events, NL_CB_VALID, NL_CB_CUSTOM, on_news, loopback);
	nl_socket_disable_seq_check(loopback->events);
	r = nl_connect(loopback->requests, NETLINK_ROUTE);
	if (r == 0)
		r = nl_connect(loopback->events, NETLINK_ROUTE);
	if (r == 0)
		r = nl_socket_set_nonblocking(loopback->events);
	if (r == 0)
		r = nl_socket_set_buffer_size(loopback->events, EVENT_BUFFER, 0);
	if (r == 0)
		r = nl_socket_add_memberships(loopback->events, RTNLGRP_LINK,
			routes ? RTNLGRP_IPV4_ROUTE : RTNLGRP_IPV4_IFADDR,
			routes ? RTNLGRP_IPV6_ROUTE : RTNLGRP_IPV6_IFADDR, 0);
	if (r == 0)
		r = loop_io_start(loopback->loop, &loopback->io, nl_socket_get_fd(loopback->events),
			EPOLLIN, on_events);
	return r < 0 ? fail(out_error, "netlink", r) : 0;
}

int loopback_new(struct loop *loop, enum config_loopback mode, const char *interface, bool observe,
	void (*problem)(void *data, const char *text), void *data, struct loopback **out,
	char **out_error)
{
	struct loopback *loopback = xcalloc(1, sizeof(*loopback));
	int r = 0;

	loopback->loop = loop;
	loopback->mode = mode;
	loopback->observe = observe;
	loopback->interface = xstrdup(interface);
	loopback->problem = problem;
	loopback->data = data;
	vec_init(&loopback->entries, entry_cmp);
	if (mode != LOOPBACK_NONE) {
		loopback->ifindex = if_nametoindex(interface);
		if (!loopback->ifindex) {
			*out_error = xasprintf("loopback: there is no interface \"%s\"; set "
					       "loopback.interface to one that exists",
				interface);
			r = -EINVAL;
		}
		if (r == 0)
			r = open_sockets(loopback, out_error);
		if (r == 0) {
			int got = dump(loopback);

			r = got < 0 ? fail(out_error, "reading the kernel's state", got) : 0;
		}
	}
	if (r < 0) {
		loopback_free(loopback);
		return r;
	}
	if (mode != LOOPBACK_NONE)
		loop_timer_after(loop, &loopback->audit_timer, AUDIT_EVERY, on_audit_timer);
	*out = loopback;
	return 0;
}

struct loopback *loopback_free(struct loopback *loopback)
{
	if (!loopback)
		return NULL;
	loop_io_stop(&loopback->io);
	loop_timer_stop(&loopback->audit_timer);
	nl_socket_free(loopback->requests);
	nl_socket_free(loopback->events);
	vec_deinit(&loopback->entries, free);
	free(loopback->interface);
	free(loopback);
	return NULL;
}

/* What the owner asks for */

enum loopback_outcome loopback_add(
	struct loopback *loopback, const struct prefix *address, char **out_error)
{
	struct entry *entry;
	int r;

	if (loopback->mode == LOOPBACK_NONE)
		return LOOPBACK_BOUND;
	entry = get_entry(loopback, address);
	entry->wanted = true;
	if (entry->present || loopback->observe)
		return LOOPBACK_BOUND;
	r = request(loopback, true, address);
	if (r == -NLE_EXIST)
		return LOOPBACK_FOREIGN;
	if (r < 0) {
		*out_error =
			xstrdup(r == -NLE_PERM ? "permission denied: it takes CAP_NET_ADMIN (or "
						 "loopback.mode: none)"
					       : nl_geterror(r));
		loopback->status.errors++;
		return LOOPBACK_FAILED;
	}
	entry->present = true;
	loopback->status.adds++;
	return LOOPBACK_BOUND;
}

void loopback_remove(struct loopback *loopback, const struct prefix *address)
{
	struct entry *entry = find_entry(loopback, address);
	int r;

	if (!entry)
		return;
	entry->wanted = false; /* before the kernel tells of it, lest it be repaired */
	if (loopback->observe)
		return;
	if (entry->present) {
		r = request(loopback, false, address);
		loopback->status.removes += r == 0;
		loopback->status.errors += r < 0 && r != -NLE_OBJ_NOTFOUND && r != -NLE_NOADDR;
	}
	drop_entry(loopback, entry);
}

size_t loopback_list(const struct loopback *loopback, struct prefix **out)
{
	struct prefix *list = xcalloc(loopback->entries.n, sizeof(*list));
	const struct entry *entry;
	size_t n = 0;

	vec_foreach (&loopback->entries, entry, i) {
		if (entry->present)
			list[n++] = entry->address;
	}
	*out = list;
	return n;
}

void loopback_status(const struct loopback *loopback, struct loopback_status *out)
{
	*out = loopback->status;
	out->n_bound = 0;
	for (size_t i = 0; i < loopback->entries.n; i++)
		out->n_bound += ((const struct entry *)loopback->entries.items[i])->present;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rtnetlink. The kernel handles a request within send() and has its answer ready when that returns,
 * so the time that a send takes is bounded by the number of requests in it, and the room that the
 * answers take in the socket by the same number.
 *
 * Requests and their answers go over one socket; the kernel's news of what others do come over
 * another, so that a storm there costs no answer.
 */
#include "rtnl.h"

#include <assert.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#ifndef IFA_PROTO
#define IFA_PROTO 11
#endif

#define REQUEST_SPACE  128        /* octets, more than any of ours needs */
#define READ_SPACE     (32 << 10) /* the kernel fills no more of it with a dump */
#define READS_PER_CALL 256
#define ANSWER_BUFFER  (1 << 20)
#define NEWS_BUFFER    (4 << 20)

struct rtnl {
	bool routes;
	bool interrupted; /* the dump that runs has met a change */
	struct nl_sock *requests;
	struct nl_sock *news;
	size_t batch_size;
	unsigned n_batch;
	uint8_t batch[RTNL_BATCH * REQUEST_SPACE];
	uint8_t space[READ_SPACE] __attribute__((aligned(NLMSG_ALIGNTO)));
};

DEFINE_AUTO(msg, struct nl_msg *, nlmsg_free)

bool rtnl_marks_addresses(void)
{
	struct utsname name;
	char *rest;
	long major;

	if (uname(&name) < 0)
		return false;
	major = strtol(name.release, &rest, 10);
	return major > 5 || (major == 5 && *rest == '.' && strtol(rest + 1, NULL, 10) >= 18);
}

/* Requests */

static struct nl_msg *new_message(int type, int flags, const void *header, size_t size)
{
	struct nl_msg *msg = nlmsg_alloc_simple(type, NLM_F_REQUEST | flags);

	if (!msg || nlmsg_append(msg, (void *)(uintptr_t)header, size, NLMSG_ALIGNTO) < 0)
		abort(); /* out of memory */
	return msg;
}

static void put(struct nl_msg *msg, int type, const void *value, size_t size)
{
	if (nla_put(msg, type, (int)size, value) < 0)
		abort();
}

static int add_flags(enum rtnl_operation operation)
{
	switch (operation) {
	case RTNL_ADD: return NLM_F_CREATE | NLM_F_EXCL;
	case RTNL_RENEW: return NLM_F_CREATE | NLM_F_REPLACE;
	case RTNL_REMOVE: break;
	}
	return 0;
}

static struct nl_msg *route_message(
	const struct rtnl_form *form, enum rtnl_operation operation, const struct prefix *address)
{
	const struct rtmsg rtm = {
		.rtm_family = address->family,
		.rtm_dst_len = address->len,
		.rtm_table = RT_TABLE_LOCAL,
		.rtm_protocol = form->protocol,
		.rtm_scope = address->family == AF_INET ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE,
		.rtm_type = RTN_LOCAL,
	};
	uint32_t ifindex = form->ifindex;
	struct nl_msg *msg = new_message(operation == RTNL_REMOVE ? RTM_DELROUTE : RTM_NEWROUTE,
		add_flags(operation), &rtm, sizeof(rtm));

	put(msg, RTA_DST, address->addr, family_octets(address->family));
	put(msg, RTA_OIF, &ifindex, sizeof(ifindex));
	return msg;
}

static struct nl_msg *address_message(
	const struct rtnl_form *form, enum rtnl_operation operation, const struct prefix *address)
{
	/* A service address must never become the source of the node's own traffic. */
	const struct ifaddrmsg ifa = {
		.ifa_family = address->family,
		.ifa_prefixlen = address->len,
		.ifa_flags = address->family == AF_INET6 ? IFA_F_NODAD : 0,
		.ifa_scope = address->family == AF_INET ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE,
		.ifa_index = form->ifindex,
	};
	const struct ifa_cacheinfo lifetime = {
		.ifa_prefered = 0, .ifa_valid = form->lease_s ? form->lease_s : UINT32_MAX};
	struct nl_msg *msg = new_message(operation == RTNL_REMOVE ? RTM_DELADDR : RTM_NEWADDR,
		add_flags(operation), &ifa, sizeof(ifa));

	put(msg, IFA_LOCAL, address->addr, family_octets(address->family));
	put(msg, IFA_ADDRESS, address->addr, family_octets(address->family));
	if (operation == RTNL_REMOVE)
		return msg;
	put(msg, IFA_CACHEINFO, &lifetime, sizeof(lifetime));
	if (form->protocol)
		put(msg, IFA_PROTO, &form->protocol, sizeof(form->protocol));
	return msg;
}

uint32_t rtnl_put(struct rtnl *rtnl, const struct rtnl_form *form, enum rtnl_operation operation,
	const struct prefix *address)
{
	AUTO(msg)
	struct nl_msg *msg = form->route ? route_message(form, operation, address)
					 : address_message(form, operation, address);
	struct nlmsghdr *header = nlmsg_hdr(msg);
	size_t size = NLMSG_ALIGN(header->nlmsg_len);

	assert(rtnl->n_batch < RTNL_BATCH && size <= REQUEST_SPACE);
	nl_complete_msg(rtnl->requests, msg); /* its sequence number, and that it wants an answer */
	memcpy(rtnl->batch + rtnl->batch_size, header, size);
	rtnl->batch_size += size;
	rtnl->n_batch++;
	return header->nlmsg_seq;
}

/* libnl's own error numbers hide which errno it was. */
static int send_all(const struct rtnl *rtnl, const void *data, size_t size)
{
	return send(nl_socket_get_fd(rtnl->requests), data, size, 0) < 0 ? -errno : 0;
}

int rtnl_send(struct rtnl *rtnl)
{
	int r = rtnl->n_batch ? send_all(rtnl, rtnl->batch, rtnl->batch_size) : 0;

	rtnl->n_batch = 0;
	rtnl->batch_size = 0;
	return r;
}

int rtnl_dump(struct rtnl *rtnl, const struct rtnl_form *form, uint8_t family)
{
	/* The kernel tells only of these: on a router the other tables may be large. */
	const struct rtmsg rtm = {
		.rtm_family = family,
		.rtm_table = RT_TABLE_LOCAL,
		.rtm_protocol = form->protocol,
		.rtm_type = RTN_LOCAL,
	};
	const struct ifaddrmsg ifa = {.ifa_family = family, .ifa_index = form->ifindex};
	AUTO(msg)
	struct nl_msg *msg = form->route ? new_message(RTM_GETROUTE, NLM_F_DUMP, &rtm, sizeof(rtm))
					 : new_message(RTM_GETADDR, NLM_F_DUMP, &ifa, sizeof(ifa));

	rtnl->interrupted = false;
	nl_complete_msg(rtnl->requests, msg);
	return send_all(rtnl, nlmsg_hdr(msg), nlmsg_hdr(msg)->nlmsg_len);
}

/* Messages */

/* Whether an attribute holds an address of that family; libnl has checked that it lies inside. */
static bool take_address(const struct nlattr *attr, uint8_t family, struct prefix *out)
{
	if ((family != AF_INET && family != AF_INET6) || !attr ||
		nla_len(attr) != (int)family_octets(family))
		return false;
	*out = prefix_host(family, nla_data(attr));
	return true;
}

static bool parse_route(struct nlmsghdr *header, struct rtnl_message *out)
{
	struct nlattr *attrs[RTA_MAX + 1];
	const struct rtmsg *rtm;

	if (nlmsg_parse(header, sizeof(struct rtmsg), attrs, RTA_MAX, NULL) < 0)
		return false;
	rtm = nlmsg_data(header);
	if (rtm->rtm_table != RT_TABLE_LOCAL || rtm->rtm_type != RTN_LOCAL ||
		rtm->rtm_dst_len != family_bits(rtm->rtm_family) || !attrs[RTA_OIF])
		return false;
	out->type = header->nlmsg_type == RTM_NEWROUTE ? RTNL_THERE : RTNL_GONE;
	out->ifindex = nla_get_u32(attrs[RTA_OIF]);
	out->protocol = rtm->rtm_protocol;
	return take_address(attrs[RTA_DST], rtm->rtm_family, &out->address);
}

/* What address_message() makes; the kernel tells it in another way for each family. */
static bool is_lookalike(const struct ifaddrmsg *ifa, const struct nlattr *cache)
{
	struct ifa_cacheinfo lifetime;

	if (ifa->ifa_family == AF_INET)
		return ifa->ifa_scope == RT_SCOPE_HOST && (ifa->ifa_flags & IFA_F_DEPRECATED);
	if (!cache || nla_len(cache) < (int)sizeof(lifetime))
		return false;
	memcpy(&lifetime, nla_data(cache), sizeof(lifetime));
	return lifetime.ifa_prefered == 0;
}

static bool parse_address(struct nlmsghdr *header, struct rtnl_message *out)
{
	struct nlattr *attrs[IFA_PROTO + 1];
	const struct ifaddrmsg *ifa;

	if (nlmsg_parse(header, sizeof(struct ifaddrmsg), attrs, IFA_PROTO, NULL) < 0)
		return false;
	ifa = nlmsg_data(header);
	if (ifa->ifa_prefixlen != family_bits(ifa->ifa_family))
		return false;
	out->type = header->nlmsg_type == RTM_NEWADDR ? RTNL_THERE : RTNL_GONE;
	out->ifindex = ifa->ifa_index;
	if (attrs[IFA_PROTO] && nla_len(attrs[IFA_PROTO]) == 1)
		out->protocol = nla_get_u8(attrs[IFA_PROTO]);
	out->lookalike = is_lookalike(ifa, attrs[IFA_CACHEINFO]);
	return take_address(attrs[IFA_ADDRESS], ifa->ifa_family, &out->address);
}

static bool parse_link(struct nlmsghdr *header, struct rtnl_message *out)
{
	struct nlattr *attrs[IFLA_IFNAME + 1];

	if (nlmsg_parse(header, sizeof(struct ifinfomsg), attrs, IFLA_IFNAME, NULL) < 0)
		return false;
	out->type = RTNL_LINK;
	out->ifindex = (unsigned)((const struct ifinfomsg *)nlmsg_data(header))->ifi_index;
	out->link = attrs[IFLA_IFNAME] ? nla_get_string(attrs[IFLA_IFNAME]) : "";
	return true;
}

/* The kernel's words stand behind the answer, as attributes. */
static const char *answer_text(struct nlmsghdr *header)
{
	size_t size = NLMSG_ALIGN(sizeof(struct nlmsgerr));
	struct nlattr *attr;

	if (!(header->nlmsg_flags & NLM_F_ACK_TLVS) || !(header->nlmsg_flags & NLM_F_CAPPED))
		return NULL;
	attr = nlmsg_find_attr(header, (int)size, NLMSGERR_ATTR_MSG);
	if (!attr || nla_len(attr) < 1 || ((const char *)nla_data(attr))[nla_len(attr) - 1])
		return NULL;
	return nla_data(attr);
}

static bool parse_answer(struct nlmsghdr *header, struct rtnl_message *out)
{
	if (nlmsg_datalen(header) < (int)sizeof(struct nlmsgerr))
		return false;
	out->type = RTNL_ANSWER;
	out->error = ((const struct nlmsgerr *)nlmsg_data(header))->error;
	out->text = answer_text(header);
	return true;
}

static bool parse_end(const struct rtnl *rtnl, struct nlmsghdr *header, struct rtnl_message *out)
{
	out->type = RTNL_DUMP_END;
	if (nlmsg_datalen(header) >= (int)sizeof(int))
		memcpy(&out->error, nlmsg_data(header), sizeof(int));
	if (out->error == 0 && rtnl->interrupted)
		out->error = -EINTR;
	return true;
}

static bool parse(struct rtnl *rtnl, struct nlmsghdr *header, struct rtnl_message *out)
{
	*out = (struct rtnl_message){.sequence = header->nlmsg_seq};
	if (header->nlmsg_flags & NLM_F_DUMP_INTR)
		rtnl->interrupted = true;
	switch (header->nlmsg_type) {
	case NLMSG_ERROR: return parse_answer(header, out);
	case NLMSG_DONE: return parse_end(rtnl, header, out);
	case RTM_NEWROUTE:
	case RTM_DELROUTE: return rtnl->routes && parse_route(header, out);
	case RTM_NEWADDR:
	case RTM_DELADDR: return !rtnl->routes && parse_address(header, out);
	case RTM_NEWLINK:
	case RTM_DELLINK: return parse_link(header, out);
	default: return false;
	}
}

static int read_all(struct rtnl *rtnl, const struct nl_sock *sock, rtnl_fn *fn, void *data)
{
	struct rtnl_message message;

	for (int i = 0; i < READS_PER_CALL; i++) {
		ssize_t n = recv(nl_socket_get_fd(sock), rtnl->space, sizeof(rtnl->space), 0);
		struct nlmsghdr *header = (struct nlmsghdr *)(void *)rtnl->space;
		int rest = (int)n;

		if (n < 0)
			return errno == EINTR ? 0 : -errno;
		for (; nlmsg_ok(header, rest); header = nlmsg_next(header, &rest)) {
			if (parse(rtnl, header, &message))
				fn(data, &message);
		}
	}
	return 0;
}

int rtnl_read_requests(struct rtnl *rtnl, rtnl_fn *fn, void *data)
{
	return read_all(rtnl, rtnl->requests, fn, data);
}

int rtnl_read_news(struct rtnl *rtnl, rtnl_fn *fn, void *data)
{
	return read_all(rtnl, rtnl->news, fn, data);
}

/* Life */

static int set_option(const struct nl_sock *sock, int option)
{
	int on = 1;

	return setsockopt(nl_socket_get_fd(sock), SOL_NETLINK, option, &on, sizeof(on)) < 0 ? -errno
											    : 0;
}

static int open_socket(struct nl_sock **out, int buffer)
{
	*out = nl_socket_alloc();
	if (!*out)
		abort();
	if (nl_connect(*out, NETLINK_ROUTE) < 0 || nl_socket_set_nonblocking(*out) < 0 ||
		nl_socket_set_buffer_size(*out, buffer, 0) < 0)
		return errno ? -errno : -EIO;
	return 0;
}

static int subscribe(const struct rtnl *rtnl)
{
	int r = nl_socket_add_memberships(rtnl->news, RTNLGRP_LINK,
		rtnl->routes ? RTNLGRP_IPV4_ROUTE : RTNLGRP_IPV4_IFADDR,
		rtnl->routes ? RTNLGRP_IPV6_ROUTE : RTNLGRP_IPV6_IFADDR, 0);

	return r < 0 ? -EIO : 0;
}

int rtnl_open(bool routes, struct rtnl **out)
{
	struct rtnl *rtnl = xcalloc(1, sizeof(*rtnl));
	int r;

	rtnl->routes = routes;
	r = open_socket(&rtnl->requests, ANSWER_BUFFER);
	if (r == 0)
		r = open_socket(&rtnl->news, NEWS_BUFFER);
	if (r == 0)
		r = set_option(rtnl->requests, NETLINK_CAP_ACK);
	if (r == 0)
		r = set_option(rtnl->requests, NETLINK_EXT_ACK);
	if (r == 0)
		r = set_option(rtnl->requests, NETLINK_GET_STRICT_CHK);
	if (r == 0)
		r = subscribe(rtnl);
	if (r < 0)
		rtnl = rtnl_close(rtnl);
	*out = rtnl;
	return r;
}

struct rtnl *rtnl_close(struct rtnl *rtnl)
{
	if (!rtnl)
		return NULL;
	nl_socket_free(rtnl->requests);
	nl_socket_free(rtnl->news);
	free(rtnl);
	return NULL;
}

int rtnl_requests_fd(const struct rtnl *rtnl)
{
	return nl_socket_get_fd(rtnl->requests);
}

int rtnl_news_fd(const struct rtnl *rtnl)
{
	return nl_socket_get_fd(rtnl->news);
}

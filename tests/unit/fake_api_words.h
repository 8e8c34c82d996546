/* SPDX-License-Identifier: Apache-2.0 */
/* What an API server says, and what it is asked for services. */
#pragma once

#define SVC(name, version)                                          \
	"{\"metadata\":{\"namespace\":\"default\",\"name\":\"" name \
	"\",\"resourceVersion\":\"" version "\"},\"spec\":{\"type\":\"LoadBalancer\"}}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"
#define BOOKMARK(version)   EVENT("BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"" version "\"}}")
#define LIST(version, items) \
	"{\"metadata\":{\"resourceVersion\":\"" version "\"},\"items\":[" items "]}"
#define STATUS(code, reason)                                                                       \
	"{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":\"because\",\"reason\":\"" reason \
	"\",\"code\":" code "}"
#define AHEAD                                                                             \
	"{\"kind\":\"Status\",\"message\":\"later\",\"reason\":\"Timeout\",\"code\":504," \
	"\"details\":{\"causes\":[{\"reason\":\"ResourceVersionTooLarge\",\"message\":\"x\"}]}}"

#define SELECTOR                                                \
	"?labelSelector=%21service.kubernetes.io%2Fheadless%2C" \
	"%21service.kubernetes.io%2Fservice-proxy-name"
#define ASK_LIST(version) "list services " SELECTOR "&resourceVersion=" version " token secret\n"
#define ASK_STORE         "list services " SELECTOR " token secret\n"
#define ASK_PROBE(version)                                                                    \
	"list services " SELECTOR "&fieldSelector=metadata.name%3D-&resourceVersion=" version \
	" token secret\n"
#define ASK_WATCH(version)                                                                      \
	"watch services " SELECTOR "&watch=1&allowWatchBookmarks=true&resourceVersion=" version \
	" token secret\n"
#define ASK_BRIEF(version)         \
	"watch services " SELECTOR \
	"&watch=1&allowWatchBookmarks=true&brief&resourceVersion=" version " token secret\n"

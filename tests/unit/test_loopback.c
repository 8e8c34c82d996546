/* SPDX-License-Identifier: Apache-2.0 */
/* On the real kernel: each case has a network namespace, and a /tmp, of its own. */
#include "unit.h"

#include "ledger.h"
#include "loopback.h"

#include <cosmolet/vec.h>

#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <time.h>

#define MANY      (_i ? 1000u : 5000u) /* of each family; addresses cost the kernel far more */
#define LONG_TURN 0.05 /* seconds of a processor, since the machine may be busy with others */

static struct loop *loop;
static struct loopback *loopback;
static struct loopback_options options;
static char *last_error, *last_problem;
static unsigned n_bound, n_foreign, n_failed, n_problems;
static double longest_turn;
static bool by_turns;

/* The world */

printf_like(1, 2) static void shell(const char *format, ...)
{
	auto_free char *command = NULL;
	va_list args;

	va_start(args, format);
	ck_assert_int_ge(vasprintf(&command, format, args), 0);
	va_end(args);
	ck_assert_msg(system(command) == 0, "%s", command);
}

/* What a command prints; for free(). */
static char *ask(const char *command)
{
	FILE *in = popen(command, "r");
	char *text = NULL, line[512];
	size_t size = 0;
	FILE *out = xmemstream(&text, &size);

	ck_assert_ptr_nonnull(in);
	while (fgets(line, sizeof(line), in))
		fputs(line, out);
	fclose(out);
	ck_assert_msg(pclose(in) >= 0, "%s", command);
	return text;
}

static void assert_says(const char *command, const char *wanted)
{
	auto_free char *text = ask(command);

	ck_assert_msg(!strcmp(text, wanted), "%s:\n%swanted:\n%s", command, text, wanted);
}

#define EVERYTHING                                                                   \
	"{ ip -o address; ip route show table all; ip -6 route show table all; } | " \
	"sed 's/ expires [0-9]*sec//' | sort"

static bool is_everything(const char *wanted)
{
	auto_free char *now = ask(EVERYTHING);

	return !strcmp(now, wanted);
}

/* All addresses and routes that are not ours, whatever our mode. */
static char *foreigners(void)
{
	return ask(EVERYTHING " | grep -v -e 'proto 237' -e '10[.]96[.]' -e 'fd00:96:'");
}

static unsigned count(const char *command)
{
	auto_free char *text = ask(command);

	return (unsigned)strtoul(text, NULL, 10);
}

static unsigned n_routes(void)
{
	return count("ip route show table local proto 237 | wc -l") +
	       count("ip -6 route show table local proto 237 | wc -l");
}

static unsigned n_addresses(void)
{
	return count("ip -o address show dev lo | grep -c -e ' 10[.]96[.]' -e ' fd00:96:'");
}

/* The loopback's owner */

static void on_news(
	void *data, const struct prefix *address, enum loopback_state state, const char *error)
{
	(void)data;
	(void)address;
	n_bound += state == LOOPBACK_BOUND;
	n_foreign += state == LOOPBACK_FOREIGN;
	n_failed += state == LOOPBACK_FAILED;
	if (error)
		str_set(&last_error, error);
}

static void on_problem(void *data, const char *text)
{
	(void)data;
	n_problems++;
	str_set(&last_problem, text);
}

static void open_loopback(void)
{
	auto_free char *error = NULL;

	n_bound = n_foreign = n_failed = n_problems = 0;
	ck_assert_msg(loopback_new(loop, &options, &loopback, &error) == 0, "%s", error);
}

static void close_loopback(void)
{
	loopback = loopback_free(loopback);
}

static struct prefix address_of(bool v6, unsigned i)
{
	uint8_t v4_addr[4] = {10, 96, (uint8_t)(i >> 8), (uint8_t)i};
	uint8_t v6_addr[16] = {0xfd, 0, 0, 0x96, [14] = (uint8_t)(i >> 8), [15] = (uint8_t)i};

	return v6 ? prefix_host(AF_INET6, v6_addr) : prefix_host(AF_INET, v4_addr);
}

static void add(unsigned first, unsigned n)
{
	for (unsigned i = first; i < first + n; i++) {
		for (int v6 = 0; v6 < 2; v6++) {
			struct prefix address = address_of(v6, i);

			loopback_add(loopback, &address);
		}
	}
}

static void drop(unsigned first, unsigned n)
{
	for (unsigned i = first; i < first + n; i++) {
		for (int v6 = 0; v6 < 2; v6++) {
			struct prefix address = address_of(v6, i);

			loopback_remove(loopback, &address);
		}
	}
}

static struct loopback_status status(void)
{
	struct loopback_status now;

	loopback_status(loopback, &now);
	return now;
}

static double processor_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void turn(int timeout_ms)
{
	double before = processor_time();

	loop_turn(loop, timeout_ms);
	longest_turn = MAX(longest_turn, processor_time() - before);
	if (by_turns)
		mono_turn(mono_ms(timeout_ms));
}

/* From now on the clock goes by turns, however long the machine takes for them. */
static void count_turns(void)
{
	mono_stop();
	by_turns = true;
}

static void turn_for(double seconds)
{
	struct mono until = mono_add(mono_now(), mono_ms((int64_t)(seconds * 1000)));

	for (int i = 0; i < 10 || mono_before(mono_now(), until); i++)
		turn(10);
}

#define GUARD mono_s(20) /* for what does not come at all */

#define turn_until(condition)                                                                    \
	do {                                                                                     \
		struct mono until_ = mono_add(mono_now(), GUARD);                                \
		bool late_ = false;                                                              \
		while (!(condition)) {                                                           \
			ck_assert_msg(!late_, "not within %g s: " #condition, mono_to_s(GUARD)); \
			late_ = mono_before(until_, mono_now());                                 \
			turn(1);                                                                 \
		}                                                                                \
	} while (0)

static void setup(void)
{
	int flags = CLONE_NEWNET | CLONE_NEWNS | (geteuid() ? CLONE_NEWUSER : 0);

	ck_assert_int_eq(unshare(flags), 0);
	ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	ck_assert_int_eq(mount("tmpfs", "/mnt", "tmpfs", 0, "size=4m"), 0);
	shell("ip link set lo up");
	shell("ip address add 198.51.100.7/32 dev lo");
	shell("ip -6 address add 2001:db8::7/128 dev lo nodad");
	shell("ip route add local 198.51.100.8 dev lo table local proto static");
	shell("ip route add blackhole 198.51.100.0/24");
	/* IPv6 makes the routes of an address a little later. */
	shell("until ip -6 route show table local | grep -q 2001:db8::7; do sleep 0.01; done");
	loop = loop_new();
	options = (struct loopback_options){
		.mode = LOOPBACK_LOCAL_ROUTE,
		.interface = "lo",
		.news = on_news,
		.problem = on_problem,
	};
}

static void teardown(void)
{
	loopback_free(loopback);
	loop_free(loop);
	free(last_error);
	free(last_problem);
}

/* Many at once */

START_TEST(ten_thousand_come_and_go)
{
	auto_free char *before = foreigners();
	auto_free char *after = NULL;

	options.mode = _i ? LOOPBACK_ADDRESS : LOOPBACK_LOCAL_ROUTE;
	open_loopback();
	add(1, MANY);
	turn_until(n_bound == 2 * MANY);
	ck_assert_uint_eq(_i ? n_addresses() : n_routes(), 2UL * MANY);
	ck_assert_uint_eq(status().adds, 2UL * MANY);
	ck_assert_uint_eq(status().errors + status().repairs + n_failed, 0);
	drop(1, MANY);
	turn_until(status().n_bound == 0);
	ck_assert_uint_eq(_i ? n_addresses() : n_routes(), 0);
	ck_assert_msg(longest_turn < LONG_TURN, "the loop was held up for %.3f s", longest_turn);
	after = foreigners();
	ck_assert_str_eq(before, after);
}
END_TEST

START_TEST(the_last_word_counts)
{
	open_loopback();
	add(1, 300);
	turn(0);
	drop(1, 300);
	turn(0);
	add(1, 100);
	drop(51, 50);
	turn_until(status().n_bound == 100);
	turn_for(0.1);
	ck_assert_uint_eq(n_routes(), 100);
}
END_TEST

START_TEST(what_is_to_go_is_gone_at_the_end)
{
	open_loopback();
	add(1, 500);
	turn_until(n_bound == 1000);
	drop(1, 400);
	close_loopback();
	ck_assert_uint_eq(n_routes(), 200);
	open_loopback();
	ck_assert_uint_eq(status().n_bound, 200);
	add(401, 100);
	ck_assert_uint_eq(status().n_bound, 200);
	turn_for(0.2);
	ck_assert_uint_eq(status().adds, 0);
}
END_TEST

/* Others at work */

/* Within a second, which is not more than so many turns, however busy the machine is. */
START_TEST(what_others_remove_comes_back)
{
	unsigned audits;

	options.mode = _i ? LOOPBACK_ADDRESS : LOOPBACK_LOCAL_ROUTE;
	open_loopback();
	add(1, 50);
	turn_until(n_bound == 100);
	audits = (unsigned)status().audits;
	if (_i)
		shell("ip address flush dev lo to 10.96.0.0/16; ip -6 address flush dev lo to "
		      "fd00:96::/64");
	else
		shell("ip route flush table local proto 237; ip -6 route flush table local proto "
		      "237");
	for (unsigned i = 0; n_problems == 0; i++) {
		ck_assert_uint_lt(i, 1000);
		turn(1);
	}
	ck_assert_uint_eq(_i ? n_addresses() : n_routes(), 100);
	ck_assert_uint_eq(status().repairs, 100);
	ck_assert_uint_eq(status().errors, 0);
	ck_assert_uint_le(status().audits - audits, 2);
	ck_assert_str_eq(last_problem, "100 addresses of ours were missing on lo and are back");
}
END_TEST

/*
 * A local route of ours for IPv6 can stand beside that of a foreign address. All of it comes of the
 * kernel's news: the next look without them is ten minutes away, and nothing fails and is retried.
 */
START_TEST(what_is_foreign_is_used_and_left)
{
	unsigned n = _i ? 2 : 1;
	auto_free char *before = NULL;

	options.mode = _i ? LOOPBACK_ADDRESS : LOOPBACK_LOCAL_ROUTE;
	shell("ip address add 10.96.0.1/32 dev lo");
	shell("ip -6 address add fd00:96::1/128 dev lo nodad");
	shell("until ip -6 route show table local | grep -q fd00:96::1; do sleep 0.01; done");
	before = ask(EVERYTHING);
	open_loopback();
	add(1, 1);
	turn_until(n_foreign == n && n_bound == 2 - n);
	drop(1, 1);
	turn_until(status().n_bound == 0);
	turn_until(is_everything(before));

	/* When its owner takes it away, ours takes its place. */
	add(1, 1);
	turn_until(n_foreign == 2 * n);
	shell("ip address delete 10.96.0.1/32 dev lo");
	shell("ip -6 address delete fd00:96::1/128 dev lo");
	turn_until(status().n_bound == 2);
	turn_for(0.2);
	ck_assert_uint_eq(_i ? n_addresses() : n_routes(), 2);
	ck_assert_uint_eq(n_failed, 0);
}
END_TEST

START_TEST(a_foreign_one_in_the_place_of_ours_stays)
{
	options.mode = LOOPBACK_ADDRESS;
	open_loopback();
	add(1, 1);
	turn_until(n_bound == 2);
	shell("ip address delete 10.96.0.1/32 dev lo && ip address add 10.96.0.1/32 dev lo");
	drop(1, 1);
	turn_until(status().n_bound == 0);
	turn_for(0.1);
	ck_assert_uint_eq(n_addresses(), 1);
	ck_assert_uint_eq(status().n_bound, 0);
}
END_TEST

START_TEST(lost_news_are_made_up_for)
{
	auto_free char *before = foreigners();
	auto_free char *after = NULL;

	open_loopback();
	add(1, 50);
	turn_until(n_bound == 100);
	/* More than the socket holds, while nobody reads it. */
	shell("seq 0 249 | while read i; do echo route add blackhole 100.64.1.$i; done >/mnt/add; "
	      "sed s/add/delete/ /mnt/add >/mnt/delete; "
	      "for i in $(seq 40); do cat /mnt/add /mnt/delete; done >/mnt/storm; "
	      "ip -batch /mnt/storm; ip route flush table local proto 237");
	turn_until(status().repairs == 50);
	ck_assert_uint_gt(status().overruns, 0);
	ck_assert_uint_eq(n_routes(), 100);
	after = foreigners();
	ck_assert_str_eq(before, after);
}
END_TEST

/* The interface */

static unsigned n_on_svc(bool addresses)
{
	return addresses ? count("ip -o address show dev svc | grep -c -e ' 10[.]96[.]' -e ' "
				 "fd00:96:'")
			 : n_routes();
}

/* Before Linux 6.2 only one that is down can be renamed. */
static void name_link(const char *from, const char *to)
{
	shell("ip link set %s name %s 2>/dev/null || { ip link set %s down && "
	      "ip link set %s name %s && ip link set %s up; }",
		from, to, from, from, to, to);
}

START_TEST(the_interface_goes_and_comes)
{
	auto_free char *before = foreigners();
	auto_free char *after = NULL;

	shell("ip link add svc type veth peer name far && ip link set far up && "
	      "ip link set svc up");
	options.interface = "svc";
	options.mode = _i ? LOOPBACK_ADDRESS : LOOPBACK_LOCAL_ROUTE;
	open_loopback();
	add(1, 20);
	turn_until(status().n_bound == 40);

	shell("ip link set svc down");
	turn_until(status().n_bound < 40);
	shell("ip link set svc up");
	turn_until(status().n_bound == 40);
	ck_assert_uint_eq(n_on_svc(_i), 40);

	n_failed = 0;
	name_link("svc", "other");
	turn_until(n_failed == 40);
	ck_assert_str_eq(last_error, "there is no interface \"svc\" any more");
	name_link("other", "svc");
	turn_until(status().n_bound == 40);

	shell("ip link delete svc");
	turn_until(status().n_bound == 0);
	shell("ip link add svc type veth peer name far && ip link set far up && "
	      "ip link set svc up");
	turn_until(status().n_bound == 40);
	ck_assert_uint_eq(n_on_svc(_i), 40);
	drop(1, 20);
	turn_until(status().n_bound == 0);
	ck_assert_uint_eq(n_on_svc(_i), 0);
	shell("ip link delete svc");
	after = foreigners();
	ck_assert_str_eq(before, after);
}
END_TEST

/*
 * IPv6 loses its routes by that and can have none meanwhile; IPv4 keeps them. Both are known by the
 * kernel's news: what failed is not tried again within so many turns.
 */
START_TEST(lo_goes_down_and_up)
{
	struct mono begin;

	open_loopback();
	add(1, 20);
	turn_until(n_bound == 40);
	count_turns();
	begin = mono_now();
	shell("ip link set lo down");
	turn_until(n_failed == 20);
	ck_assert_str_eq(last_error, "the interface \"lo\" is down: ip link set lo up");
	shell("ip link set lo up");
	turn_until(status().n_bound == 40);
	ck_assert_uint_eq(n_routes(), 40);
	ck_assert_uint_eq(n_bound, 60);
	ck_assert(mono_before(mono_now(), mono_add(begin, mono_s(1))));
}
END_TEST

START_TEST(the_kernels_reason_is_told)
{
	shell("ip link add svc type veth peer name far && ip link set svc up");
	shell("echo 1 >/proc/sys/net/ipv6/conf/svc/disable_ipv6");
	options.interface = "svc";
	options.mode = LOOPBACK_ADDRESS;
	open_loopback();
	add(1, 1);
	turn_until(n_failed == 1 && n_bound == 1);
	ck_assert_str_eq(last_error, "Permission denied (ipv6: IPv6 is disabled on this device)");
	shell("echo 0 >/proc/sys/net/ipv6/conf/svc/disable_ipv6");
	turn_until(n_bound == 2); /* it was tried again */
}
END_TEST

START_TEST(an_observer_changes_nothing)
{
	struct prefix address = address_of(false, 1);

	options.observe = true;
	open_loopback();
	ck_assert_int_eq(loopback_add(loopback, &address), LOOPBACK_BOUND);
	turn_for(0.2);
	ck_assert_uint_eq(n_routes(), 0);
	loopback_remove(loopback, &address);
}
END_TEST

/* Whoever has it, wherever, before it is wanted or after; also what zebra does not see. */
START_TEST(an_observer_sees_what_is_foreign)
{
	struct prefix v4 = address_of(false, 1), v6 = address_of(true, 2);
	char holder[IF_NAMESIZE];

	options.observe = true;
	options.mode = _i ? LOOPBACK_ADDRESS : LOOPBACK_LOCAL_ROUTE;
	shell("ip link add svc type veth peer name far && ip address add 10.96.0.1/32 dev svc");
	shell(_i ? "ip -6 address add fd00:96::3/128 dev lo nodad"
		 : "ip -6 route add local fd00:96::3/128 dev lo");
	open_loopback();
	add(1, 3);
	turn_until(n_foreign == 2);
	ck_assert(loopback_holder(loopback, &v4, holder));
	ck_assert_str_eq(holder, "svc");
	ck_assert(!loopback_holder(loopback, &v6, holder));
	shell("ip -6 address add fd00:96::2/128 dev lo nodad");
	turn_until(n_foreign == 3);
	ck_assert(loopback_holder(loopback, &v6, holder));
	ck_assert_str_eq(holder, "lo");
	shell("ip address delete 10.96.0.1/32 dev svc");
	turn_until(n_bound == 1);
	ck_assert_uint_eq(status().n_bound, 0);
	ck_assert_int_eq(loopback_add(loopback, &v6), LOOPBACK_FOREIGN);
}
END_TEST

/* Leases */

START_TEST(a_lease_ends_with_its_holder)
{
	options.mode = LOOPBACK_ADDRESS;
	options.lease_s = 60;
	open_loopback();
	add(1, 100);
	turn_until(n_bound == 200);
	mono_turn(mono_s(30));
	turn_until(status().renewals == 200);
	ck_assert_uint_eq(n_addresses(), 200);
	ck_assert_uint_eq(status().repairs, 0);
	close_loopback();
	ck_assert_uint_eq(n_addresses(), 200);
	options.lease_s = 2;
	open_loopback();
	turn_until(status().renewals >= 200);
	close_loopback();
	turn_until(n_addresses() == 0);
}
END_TEST

/* Those that the kernel keeps for longer than a minute. */
static unsigned n_long_leases(void)
{
	return count("ip -o address show dev lo | grep -e ' 10[.]96[.]' -e ' fd00:96:' | "
		     "sed -n 's/.* valid_lft \\([0-9]*\\)sec.*/\\1/p' | awk '$1 > 60' | wc -l");
}

START_TEST(a_lease_is_taken_over_before_anything_is_decided)
{
	options.mode = LOOPBACK_ADDRESS;
	options.lease_s = 60;
	open_loopback();
	add(1, 10);
	turn_until(n_bound == 20);
	close_loopback();
	ck_assert_uint_eq(n_long_leases(), 0);
	options.lease_s = 3600;
	open_loopback();
	turn_until(status().renewals == 20); /* nobody has said what is wanted */
	ck_assert_uint_eq(n_addresses(), 20);
	ck_assert_uint_eq(n_long_leases(), 20);
}
END_TEST

/* Without a mark */

static void use_ledger(void)
{
	options.mode = LOOPBACK_ADDRESS;
	options.ledger = "/mnt/ledger";
}

START_TEST(a_ledger_knows_what_is_ours)
{
	auto_free char *before = foreigners();
	auto_free char *after = NULL;

	use_ledger();
	open_loopback();
	add(1, 100);
	turn_until(n_bound == 200);
	assert_says("ip -o address show dev lo | grep -c 'proto 237'", "0\n");
	close_loopback();
	open_loopback();
	ck_assert_uint_eq(status().n_bound, 200);
	drop(1, 100);
	turn_until(status().n_bound == 0);
	ck_assert_uint_eq(n_addresses(), 0);
	turn_until(count("wc -l </mnt/ledger/addresses-lo") == 1);
	after = foreigners();
	ck_assert_str_eq(before, after);
	ck_assert_uint_eq(n_problems, 0);
}
END_TEST

START_TEST(a_crash_between_ledger_and_address)
{
	struct prefix address = address_of(false, 1);
	auto_free char *text = NULL;
	struct ledger *ledger;

	/* The line was written, the address not added; then somebody adds it. */
	ledger = ledger_open("/mnt/ledger", "lo", &text);
	ledger_put(ledger, &address);
	ck_assert_int_eq(ledger_write(ledger, &text), 0);
	ledger_close(ledger);
	shell("ip address add 10.96.0.1/32 dev lo");
	use_ledger();
	open_loopback();
	ck_assert_uint_eq(status().n_bound, 0);
	add(1, 1);
	turn_until(n_foreign == 1 && n_bound == 1);
	drop(1, 1);
	turn_until(status().n_bound == 0);
	turn_for(0.2);
	ck_assert_uint_eq(n_addresses(), 1);
	close_loopback();

	/* The address is gone, its line is still there. */
	shell("ip address delete 10.96.0.1/32 dev lo");
	open_loopback();
	add(1, 1);
	turn_until(n_bound == 2);
	close_loopback();
	shell("ip address flush dev lo to 10.96.0.0/16");
	open_loopback();
	ck_assert_uint_eq(status().n_bound, 1);
	turn_until(count("grep -c -e 10[.]96 /mnt/ledger/addresses-lo") == 0);
	assert_says("grep -c -e 10[.]96 /mnt/ledger/addresses-lo", "0\n");
}
END_TEST

static const char *const garbage[] = {
	"printf 'hello\\n' >/mnt/ledger/addresses-lo",
	"head -c 5000 /dev/zero >/mnt/ledger/addresses-lo",
	"echo 'not an address' >>/mnt/ledger/addresses-lo",
	"printf '10.96.0' >>/mnt/ledger/addresses-lo",
	": >/mnt/ledger/addresses-lo",
	"rm /mnt/ledger/addresses-lo && mkdir /mnt/ledger/addresses-lo",
};

START_TEST(garbage_for_a_ledger)
{
	use_ledger();
	open_loopback();
	add(1, 5);
	turn_until(n_bound == 10);
	close_loopback();
	shell("%s", garbage[_i]);
	open_loopback();
	ck_assert_uint_eq(status().n_bound, 0);
	ck_assert_uint_eq(n_problems, 1);
	ck_assert_ptr_nonnull(strstr(last_problem, "/mnt/ledger/addresses-lo"));
	add(1, 5);
	turn_until(n_foreign + n_failed == 10);
	drop(1, 5);
	turn_for(0.2);
	ck_assert_uint_eq(n_addresses(), 10); /* nobody can know any more that they were ours */
}
END_TEST

START_TEST(a_ledger_of_another_boot)
{
	use_ledger();
	open_loopback();
	add(1, 1);
	turn_until(n_bound == 2);
	close_loopback();
	shell("sed -i 's/boot [^ ]*/boot 00000000-0000-0000-0000-000000000000/' "
	      "/mnt/ledger/addresses-lo");
	open_loopback();
	ck_assert_uint_eq(status().n_bound + n_problems, 0);
}
END_TEST

/* Whatever its length, and wherever in it the room ends. */
START_TEST(a_ledger_that_is_not_whole_is_none)
{
	const struct rlimit none = {.rlim_cur = 1, .rlim_max = RLIM_INFINITY};
	const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
	auto_free char *problem = NULL;
	struct ledger *ledger = ledger_open("/mnt/ledger", "lo", &problem);

	signal(SIGXFSZ, SIG_IGN);
	for (unsigned i = 1; i <= 1000; i++) {
		struct prefix address = address_of(false, i);
		auto_free char *error = NULL;
		int r;

		ledger_put(ledger, &address);
		ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
		r = ledger_write(ledger, &error);
		ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &all), 0);
		ck_assert_msg(r < 0, "with %u addresses", i);
	}
	ledger_close(ledger);
	assert_says("ls /mnt/ledger", "");
}
END_TEST

START_TEST(a_ledger_without_room)
{
	use_ledger();
	shell("mkdir /mnt/ledger && { cat /dev/zero >/mnt/fill 2>/dev/null || true; }");
	open_loopback();
	add(1, 50);
	turn_until(n_failed == 100);
	ck_assert_uint_eq(n_problems, 1);
	ck_assert_str_eq(last_problem, last_error);
	ck_assert_str_eq(last_error,
		"the ledger /mnt/ledger/addresses-lo cannot be written: No space left on device; "
		"set loopback.ledger_directory to a directory that can");
	ck_assert_uint_eq(n_addresses(), 0);
	shell("rm /mnt/fill");
	turn_until(n_bound == 100);
	shell("cat /dev/zero >/mnt/fill 2>/dev/null || true");
	drop(1, 50); /* what is in the kernel can go without it */
	turn_until(status().n_bound == 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *all = suite_create("loopback");
	TCase *tests = tcase_create("kernel");

	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, ten_thousand_come_and_go, 0, 2);
	tcase_add_test(tests, the_last_word_counts);
	tcase_add_test(tests, what_is_to_go_is_gone_at_the_end);
	tcase_add_loop_test(tests, what_others_remove_comes_back, 0, 2);
	tcase_add_loop_test(tests, what_is_foreign_is_used_and_left, 0, 2);
	tcase_add_test(tests, a_foreign_one_in_the_place_of_ours_stays);
	tcase_add_test(tests, lost_news_are_made_up_for);
	tcase_add_loop_test(tests, the_interface_goes_and_comes, 0, 2);
	tcase_add_test(tests, lo_goes_down_and_up);
	tcase_add_test(tests, the_kernels_reason_is_told);
	tcase_add_test(tests, an_observer_changes_nothing);
	tcase_add_loop_test(tests, an_observer_sees_what_is_foreign, 0, 2);
	tcase_add_test(tests, a_lease_ends_with_its_holder);
	tcase_add_test(tests, a_lease_is_taken_over_before_anything_is_decided);
	tcase_add_test(tests, a_ledger_knows_what_is_ours);
	tcase_add_test(tests, a_crash_between_ledger_and_address);
	tcase_add_loop_test(tests, garbage_for_a_ledger, 0, N_ELEMENTS(garbage));
	tcase_add_test(tests, a_ledger_of_another_boot);
	tcase_add_test(tests, a_ledger_that_is_not_whole_is_none);
	tcase_add_test(tests, a_ledger_without_room);
	suite_add_tcase(all, tests);
	return all;
}

int main(void)
{
	return unit_run(suite());
}

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* test_resolver_msg.c - queries as they go out; answers, right and wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "snooper/io/resolver_msg.h"

#define BYTES(s) (const uint8_t *)(s), sizeof(s) - 1

static const uint8_t wire[] = "\3www\7example";

static struct resolver_msg msg;
static struct reconcile_found found;

static void a_query_is_as_it_should_be(void **state)
{
	static const char want[] = "\x12\x34\1\0\0\1\0\0\0\0\0\1\3www\7example\0\0\34\0\1"
				   "\0\0\51\4\320\0\0\0\0\0\0";
	uint8_t query[RESOLVER_QUERY_MAX];
	size_t n = resolver_query(query, 0x1234, wire, sizeof(wire), DNS_TYPE_AAAA);

	assert_int_equal(n, sizeof(want) - 1);
	assert_memory_equal(query, want, n);
}

static void answer(uint16_t type, const uint8_t *bytes, size_t n)
{
	resolver_answer(&msg, wire, sizeof(wire), type, bytes, n, &found);
}

#define HEAD(flags, an, type) "\x12\x34" flags "\0\1\0" an "\0\0\0\0\3www\7example\0\0" type "\0\1"
#define RR_A		      "\300\14\0\1\0\1\0\0\1\54\0\4\300\0\2\1"
#define RR_AAAA(last)	      "\300\14\0\34\0\1\0\0\0\12\0\20\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0" last

static void addresses_of_the_type_asked_for(void **state)
{
	answer(DNS_TYPE_A, BYTES(HEAD("\x81\x80", "\1", "\1") RR_A));
	assert_int_equal(found.reply, RECONCILE_ADDRESSES);
	assert_int_equal(found.n, 1);
	assert_int_equal(found.ttl_s, 300);
	assert_memory_equal(&found.addrs[0].b[12], "\300\0\2\1", 4);
	answer(DNS_TYPE_AAAA, BYTES(HEAD("\x81\x80", "\2", "\34") RR_A RR_AAAA("\1")));
	assert_int_equal(found.n, 1);
	assert_int_equal(found.ttl_s, 10);
	assert_int_equal(found.addrs[0].b[15], 1);
	/* No record of the type: an answer, too. */
	answer(DNS_TYPE_A, BYTES(HEAD("\x81\x80", "\0", "\1")));
	assert_int_equal(found.reply, RECONCILE_ADDRESSES);
	assert_int_equal(found.n, 0);
}

static void addresses_are_in_order_and_each_once(void **state)
{
	answer(DNS_TYPE_AAAA, BYTES(HEAD("\x81\x80", "\4", "\34") RR_AAAA("\3") RR_AAAA("\1")
					    RR_AAAA("\3") RR_AAAA("\2")));
	assert_int_equal(found.n, 3);
	for (size_t i = 0; i < found.n; i++)
		assert_int_equal(found.addrs[i].b[15], i + 1);
}

/* ::ffff:127.0.0.1 in an AAAA record is no IPv4 address. */
static void a_mapped_address_is_none(void **state)
{
	answer(DNS_TYPE_AAAA,
	       BYTES(HEAD("\x81\x80", "\1", "\34") "\300\14\0\34\0\1\0\0\0\12\0\20"
						   "\0\0\0\0\0\0\0\0\0\0\377\377\177\0\0\1"));
	assert_int_equal(found.reply, RECONCILE_ADDRESSES);
	assert_int_equal(found.n, 0);
}

static void no_such_name(void **state)
{
	answer(DNS_TYPE_A, BYTES(HEAD("\x81\x83", "\0", "\1")));
	assert_int_equal(found.reply, RECONCILE_NO_NAME);
}

static void what_is_no_answer(void **state)
{
	/* SERVFAIL; of another type; cut; a query; of another name; nothing */
	answer(DNS_TYPE_A, BYTES(HEAD("\x81\x82", "\0", "\1")));
	assert_int_equal(found.reply, RECONCILE_NO_REPLY);
	answer(DNS_TYPE_A, BYTES(HEAD("\x81\x80", "\1", "\34") RR_A));
	assert_int_equal(found.reply, RECONCILE_NO_REPLY);
	answer(DNS_TYPE_A, BYTES(HEAD("\x81\x80", "\2", "\1") RR_A));
	assert_int_equal(found.reply, RECONCILE_NO_REPLY);
	answer(DNS_TYPE_A, BYTES(HEAD("\1\0", "\0", "\1")));
	assert_int_equal(found.reply, RECONCILE_NO_REPLY);
	resolver_answer(&msg, BYTES("\3www\7another\0"), DNS_TYPE_A,
			BYTES(HEAD("\x81\x80", "\1", "\1") RR_A), &found);
	assert_int_equal(found.reply, RECONCILE_NO_REPLY);
	answer(DNS_TYPE_A, BYTES(""));
	assert_int_equal(found.reply, RECONCILE_NO_REPLY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_query_is_as_it_should_be),
		cmocka_unit_test(addresses_of_the_type_asked_for),
		cmocka_unit_test(addresses_are_in_order_and_each_once),
		cmocka_unit_test(a_mapped_address_is_none),
		cmocka_unit_test(no_such_name),
		cmocka_unit_test(what_is_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* walk_make.c - rows that are too long or too regular to be written down. */
#include "tests/walk_rows.h"

#define TYPE_TXT 16

struct out {
	__u8 *to;
	size_t n;
};

static void put8(struct out *o, unsigned x)
{
	o->to[o->n++] = x;
}

static void put16(struct out *o, unsigned x)
{
	put8(o, x >> 8 & 0xff);
	put8(o, x & 0xff);
}

static void put_header(struct out *o, unsigned answers)
{
	static const __u8 head[] = {0x12, 0x34, 0x81, 0x80, 0, 1};

	memcpy(o->to, head, sizeof(head));
	o->n = sizeof(head);
	put16(o, answers);
	put16(o, 0);
	put16(o, 0);
}

static void put_label(struct out *o, unsigned len, char fill)
{
	put8(o, len);
	memset(o->to + o->n, fill, len);
	o->n += len;
}

static void put_question(struct out *o)
{
	put16(o, DNS_TYPE_A);
	put16(o, DNS_CLASS_IN);
}

/* Type, class, a TTL of 300 s, RDLENGTH: what stands between owner and data. */
static void put_fixed(struct out *o, unsigned type, unsigned rdlength)
{
	put16(o, type);
	put16(o, DNS_CLASS_IN);
	put16(o, 0);
	put16(o, 300);
	put16(o, rdlength);
}

/* The i-th of addresses that are all different: 198.18.0.0/15. */
static void put_address(struct out *o, unsigned i)
{
	put8(o, 198);
	put8(o, 18 + (i >> 16));
	put16(o, i & 0xffff);
}

static void put_a(struct out *o, unsigned owner, unsigned i)
{
	put16(o, 0xc000 | owner);
	put_fixed(o, DNS_TYPE_A, 4);
	put_address(o, i);
}

/* One address for a name of full labels of 63 and a last one: `bytes` in all. */
static size_t name_of(__u8 *out, unsigned bytes)
{
	struct out o = {out, 0};
	unsigned left = bytes - 1;

	put_header(&o, 1);
	for (; left > 64; left -= 64)
		put_label(&o, 63, 'a');
	put_label(&o, left - 1, 'b');
	put8(&o, 0);
	put_question(&o);
	put_a(&o, DNS_HEADER_LEN, 0);
	return o.n;
}

size_t make_name_255(__u8 *out)
{
	return name_of(out, 255);
}

size_t make_name_256(__u8 *out)
{
	return name_of(out, 256);
}

size_t make_label_63(__u8 *out)
{
	return name_of(out, 65);
}

static size_t labels_of(__u8 *out, unsigned labels)
{
	struct out o = {out, 0};

	put_header(&o, 1);
	for (; labels; labels--)
		put_label(&o, 1, 'a' + labels % 26);
	put8(&o, 0);
	put_question(&o);
	put_a(&o, DNS_HEADER_LEN, 0);
	return o.n;
}

size_t make_labels_127(__u8 *out)
{
	return labels_of(out, 127);
}

size_t make_labels_128(__u8 *out)
{
	return labels_of(out, 128);
}

/* A CNAME to a name that is reached over so many pointers; they stand in a TXT record. */
static size_t jumps_of(__u8 *out, unsigned jumps)
{
	struct out o = {out, 0};
	size_t at, end;

	put_header(&o, 3);
	put_label(&o, 3, 'w');
	put8(&o, 0);
	put_question(&o);
	put16(&o, 0xc000 | DNS_HEADER_LEN);
	put_fixed(&o, TYPE_TXT, 3 + 2 * (jumps - 1));
	at = o.n;
	put_label(&o, 1, 'x');
	put8(&o, 0);
	for (unsigned i = 1; i < jumps; i++) {
		size_t here = o.n;

		put16(&o, 0xc000 | at);
		at = here;
	}
	put16(&o, 0xc000 | DNS_HEADER_LEN);
	put_fixed(&o, DNS_TYPE_CNAME, 2);
	end = o.n;
	put16(&o, 0xc000 | at);
	put_a(&o, end, 0);
	return o.n;
}

size_t make_jumps_16(__u8 *out)
{
	return jumps_of(out, 16);
}

size_t make_jumps_17(__u8 *out)
{
	return jumps_of(out, 17);
}

/* w -> ca -> cb -> ...: so many CNAMEs, then an address. */
static size_t chain_of(__u8 *out, unsigned links)
{
	struct out o = {out, 0};
	size_t owner = DNS_HEADER_LEN;

	put_header(&o, links + 1);
	put_label(&o, 1, 'w');
	put8(&o, 0);
	put_question(&o);
	for (unsigned i = 0; i < links; i++) {
		put16(&o, 0xc000 | owner);
		put_fixed(&o, DNS_TYPE_CNAME, 4);
		owner = o.n;
		put8(&o, 2);
		put8(&o, 'c');
		put8(&o, 'a' + i);
		put8(&o, 0);
	}
	put_a(&o, owner, 0);
	return o.n;
}

size_t make_chain_16(__u8 *out)
{
	return chain_of(out, 16);
}

size_t make_chain_17(__u8 *out)
{
	return chain_of(out, 17);
}

/* DNAME example -> a target that makes of www.example a name of `bytes`; no synthesized CNAME. */
static size_t dname_of(__u8 *out, unsigned bytes)
{
	struct out o = {out, 0};
	unsigned left = bytes - 1 - 4, target = bytes - 4;
	size_t end;

	put_header(&o, 2);
	put_label(&o, 3, 'w');
	put_label(&o, 7, 'e');
	put8(&o, 0);
	put_question(&o);
	put16(&o, 0xc000 | 16);
	put_fixed(&o, DNS_TYPE_DNAME, target);
	end = o.n;
	for (; left > 64; left -= 64)
		put_label(&o, 63, 'a');
	put_label(&o, left - 1, 'b');
	put8(&o, 0);
	put_label(&o, 3, 'w');
	put16(&o, 0xc000 | end);
	put_fixed(&o, DNS_TYPE_A, 4);
	put_address(&o, 0);
	return o.n;
}

size_t make_dname_255(__u8 *out)
{
	return dname_of(out, 255);
}

size_t make_dname_256(__u8 *out)
{
	return dname_of(out, 256);
}

static size_t addresses_of(__u8 *out, unsigned n)
{
	struct out o = {out, 0};

	put_header(&o, n);
	put_label(&o, 3, 'w');
	put8(&o, 0);
	put_question(&o);
	for (unsigned i = 0; i < n; i++)
		put_a(&o, DNS_HEADER_LEN, i);
	return o.n;
}

size_t make_a_100(__u8 *out)
{
	return addresses_of(out, 100);
}

size_t make_a_1000(__u8 *out)
{
	return addresses_of(out, 1000);
}

/* As many as a datagram carries. */
size_t make_a_4090(__u8 *out)
{
	return addresses_of(out, 4090);
}

/* One HTTPS record with 5,000 IPv4 hints: more than are kept of a message. */
size_t make_hints_many(__u8 *out)
{
	struct out o = {out, 0};
	const unsigned hints = 5000;

	put_header(&o, 1);
	put_label(&o, 3, 'w');
	put8(&o, 0);
	put16(&o, DNS_TYPE_HTTPS);
	put16(&o, DNS_CLASS_IN);
	put16(&o, 0xc000 | DNS_HEADER_LEN);
	put_fixed(&o, DNS_TYPE_HTTPS, 7 + 4 * hints);
	put16(&o, 1);
	put8(&o, 0);
	put16(&o, 4);
	put16(&o, 4 * hints);
	for (unsigned i = 0; i < hints; i++)
		put_address(&o, i);
	return o.n;
}

/*
 * TXT records whose owners spell out 127 labels: each takes 1 step at the
 * record, 128 over the name and 1 behind it, and the last step ends the walk.
 */
static size_t steps_of(__u8 *out, unsigned steps)
{
	struct out o = {out, 0};
	unsigned records = (steps - 1) / 130, rest = (steps - 1) % 130, labels;

	labels = rest < 3 ? 0 : rest - 3;
	put_header(&o, records + (rest >= 3));
	put_label(&o, 1, 'w');
	put8(&o, 0);
	put_question(&o);
	for (unsigned i = 0; i < records; i++) {
		for (unsigned j = 0; j < 127; j++)
			put_label(&o, 1, 'x');
		put8(&o, 0);
		put_fixed(&o, TYPE_TXT, 0);
	}
	if (rest >= 3) {
		for (unsigned j = 0; j < labels; j++)
			put_label(&o, 1, 'x');
		put8(&o, 0);
		put_fixed(&o, TYPE_TXT, 0);
	}
	return o.n;
}

size_t make_steps_most(__u8 *out)
{
	return steps_of(out, 16384);
}

size_t make_steps_over(__u8 *out)
{
	return steps_of(out, 16385);
}

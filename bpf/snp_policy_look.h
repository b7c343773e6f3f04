/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_policy_look.h - reading the tables of a generation (snp_policy.h).
 *
 * Kernel and user space compile this very file: what `why` says is what the
 * kernel does. `tables` is region SNP_POLICY_TABLES. Every read is masked to the
 * region, whatever stands in it; loops are bounded by constants.
 */
#ifndef SNP_POLICY_LOOK_H
#define SNP_POLICY_LOOK_H

#include "bpf/snp_endpoint.h"
#include "bpf/snp_policy.h"

/* Something of the tables: whole and within the region, wherever `at` points. */
#define snp_table_at(tables, type, at)                                                             \
	((const type *)((tables) + ((at) & (SNP_REGION_BYTES - (__u32)sizeof(type)))))
SNP_ASSERT(sizeof(struct snp_class) == 32 && sizeof(struct snp_range4) == 8 &&
		   sizeof(struct snp_range6) == 32 && sizeof(struct snp_ports) == 32 &&
		   sizeof(struct snp_allow) == 16 && sizeof(struct snp_out) == 8,
	   "powers of two, or the mask would cut them");

snp_match_inline const struct snp_policy_head *snp_policy_head(const __u8 *tables)
{
	return (const struct snp_policy_head *)tables;
}

/* The number of the class of an endpoint; 0: no policy selects it. */
snp_match_inline __u32 snp_policy_class(const __u8 *tables, __u32 endpoint)
{
	return *snp_table_at(tables, __u32,
			     snp_policy_head(tables)->class_of_at +
				     SNP_ENDPOINT_PLACE(endpoint) * 4);
}

snp_match_inline const struct snp_class *snp_class_at(const __u8 *tables, __u32 class)
{
	return snp_table_at(tables, struct snp_class,
			    snp_policy_head(tables)->classes_at +
				    class * (__u32)sizeof(struct snp_class));
}

/*
 * 1 when a < b, else 0, without a branch: of a search in n steps the verifier would
 * follow 2^n ways, each with another index. The empty asm keeps clang from making one of it.
 */
snp_match_inline __u32 snp_less(__u64 a, __u64 b)
{
	__u64 borrow;

	asm volatile("" : "+r"(a), "+r"(b));
	borrow = (~a & b) | ((~a | b) & (a - b));
	asm volatile("" : "+r"(borrow));
	return borrow >> 63;
}

/* step, or 0 unless `take` is 1. Not by a mask: current verifiers follow both of 0 and -1. */
snp_match_inline __u32 snp_step(__u32 step, __u32 take)
{
	asm volatile("" : "+r"(take));
	return step * take;
}

/*
 * The steps of a search among n: most have few. Twice a constant: a loop from where n says would be
 * followed from each place.
 */
#define snp_search(step, bits, n)                                                                  \
	for (step = (n) < SNP_FEW ? SNP_FEW / 2 : 1u << ((bits)-1); step; step >>= 1)
#define SNP_FEW 32u

/* Is the port in the runs of ports that begin at `at`? */
snp_match_inline int snp_ports_run(const __u8 *tables, __u32 at, __u32 n, __u32 port)
{
	__u32 below = 0, step, is_in, limit; /* below: limits known to be no greater than port */

	snp_search(step, SNP_TOGGLES_BITS, n)
	{
		/* Never to read what is not there: it is cold. */
		is_in = ~snp_less(n, below + step) & 1;
		limit = *snp_table_at(tables, __u32, at + (below + snp_step(step - 1, is_in)) * 4);
		below += snp_step(step, is_in & ~snp_less(port, limit));
	}
	return below & 1;
}

/* Does port set `number` hold what the flow goes to? */
snp_match_inline int snp_ports_hold(const __u8 *tables, __u32 number, const struct snp_flow_to *to)
{
	const struct snp_ports *p = snp_table_at(tables, struct snp_ports,
						 snp_policy_head(tables)->ports_at +
							 number * (__u32)sizeof(struct snp_ports));
	__u32 n, at;

	if (!number)
		return 0;
	if (p->all)
		return 1;
	if (to->no_ports)
		return 0;
	switch (to->protocol) {
	case 6:
		n = p->n[SNP_PORTS_TCP];
		at = p->at[SNP_PORTS_TCP];
		break;
	case 17:
	case 136: /* UDP-Lite */
		n = p->n[SNP_PORTS_UDP];
		at = p->at[SNP_PORTS_UDP];
		break;
	case 132:
		n = p->n[SNP_PORTS_SCTP];
		at = p->at[SNP_PORTS_SCTP];
		break;
	default:
		return 0;
	}
	return snp_ports_run(tables, at, n, to->port);
}

snp_match_inline __u32 snp_hash_allow(__u32 class, __u32 identity)
{
	__u32 h = identity * 0x9e3779b1u + class * 0x85ebca6bu;

	h ^= h >> 15;
	h *= 0x2c1b3c6du;
	return h ^ h >> 13;
}

/* What stands in snp_allow, 0: nothing. */
snp_match_inline __u32 snp_allow_look(const __u8 *tables, __u32 class, __u32 identity)
{
	const struct snp_policy_head *h = snp_policy_head(tables);
	__u32 at = snp_hash_allow(class, identity), i;
	const struct snp_allow *a;

	for (i = 0; i < SNP_ALLOW_PROBES; i++) {
		a = snp_table_at(tables, struct snp_allow,
				 h->allow_at + ((at + i) & h->allow_mask) *
						       (__u32)sizeof(struct snp_allow));
		if (a->class == class && a->identity == identity)
			return a->ports;
		if (!a->class)
			break;
	}
	return 0;
}

/*
 * The port set that an identity allows a class, 0: none. With SNP_ALLOW_DNS in class: 1 when a
 * name with that group of rules.dns may be asked for.
 */
snp_match_inline __u32 snp_allowed(const __u8 *tables, __u32 class, __u32 identity)
{
	__u32 group = identity;

	if (!(class & SNP_ALLOW_DNS))
		group = snp_allow_look(tables, SNP_ALLOW_GROUP, identity);
	return group ? snp_allow_look(tables, class, group) : 0;
}

snp_match_inline __u64 snp_be64(const __u8 *b)
{
	return (__u64)b[0] << 56 | (__u64)b[1] << 48 | (__u64)b[2] << 40 | (__u64)b[3] << 32 |
	       (__u64)b[4] << 24 | (__u64)b[5] << 16 | (__u64)b[6] << 8 | b[7];
}

/* The port sets of the range that holds an IPv4 address: deny below, allow above bit 16. */
snp_match_inline __u32 snp_range4_sets(const __u8 *tables, const struct snp_class *c, __u32 addr)
{
	__u32 at = c->at4, n = c->n4, i = 0, step, is_in;
	const struct snp_range4 *r;

	if (!n)
		return 0;
	snp_search(step, SNP_RANGES_BITS, n)
	{
		is_in = snp_less(i + step, n);
		r = snp_table_at(tables, struct snp_range4, at + (i + snp_step(step, is_in)) * 8);
		i += snp_step(step, is_in & ~snp_less(addr, r->from));
	}
	r = snp_table_at(tables, struct snp_range4, at + i * 8);
	return r->deny | (__u32)r->allow << 16;
}

snp_match_inline __u32 snp_range6_sets(const __u8 *tables, const struct snp_class *c, __u64 high,
				       __u64 low)
{
	__u32 at = c->at6, n = c->n6, i = 0, step;
	const struct snp_range6 *r;

	if (!n)
		return 0;
	snp_search(step, SNP_RANGES_BITS, n)
	{
		__u32 is_in = snp_less(i + step, n), above, same;

		r = snp_table_at(tables, struct snp_range6, at + (i + snp_step(step, is_in)) * 32);
		above = snp_less(high, r->from[0]);
		same = ~above & ~snp_less(r->from[0], high);
		i += snp_step(step, is_in & ~above & ~(same & snp_less(low, r->from[1])));
	}
	r = snp_table_at(tables, struct snp_range6, at + i * 32);
	return r->deny | (__u32)r->allow << 16;
}

snp_match_inline __u32 snp_class_sets(const __u8 *tables, const struct snp_class *c,
				      const struct snp_addr *a)
{
	if (!a->q[0] && a->b[8] == 0 && a->b[9] == 0 && a->b[10] == 0xff && a->b[11] == 0xff)
		return snp_range4_sets(tables, c, (__u32)snp_be64(a->b + 8));
	return snp_range6_sets(tables, c, snp_be64(a->b), snp_be64(a->b + 8));
}

/* What an automaton's output means; out from 1. */
snp_match_inline const struct snp_out *snp_out_at(const __u8 *tables, __u32 bank, __u32 out)
{
	return snp_table_at(tables, struct snp_out,
			    snp_policy_head(tables)->outs_at[bank & (SNP_MATCH_BANKS - 1)] +
				    out * (__u32)sizeof(struct snp_out));
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * dns_wire.h - the one walker of DNS messages (RFC 1035 4.1), built three ways.
 *
 * Kernel, daemon and fuzzer compile these very files; bpf/dns_load.bpf.h and
 * bpf/dns_load.h supply what differs: unaligned loads, and dns_repeat() which
 * calls dns_step() until it returns 1.
 *
 * The walker is a flat machine: one step reads one label, one record or one
 * address hint; only the question is read in one go. All its state is in struct dns_walk, which in the kernel is
 * map memory: the verifier then sees one short loop body and no history.
 *
 * Nothing of a message is acted on before its end was reached (parse, then
 * commit). Offsets are from the first byte of the message. Host byte order.
 *
 *   dns_walk_question()  header checks, then the question's name, type, class
 *   dns_walk_records()   every record of the three sections
 *
 * Both return 0 or DNS_E(reason), a refusal of snp_stat.h plus one.
 */
#ifndef SNP_DNS_WIRE_H
#define SNP_DNS_WIRE_H

#include "bpf/dns_question.h"
#include "bpf/dns_records.h"

/* One step. Returns 1 when there is no more to do. */
dns_inline int dns_step(struct dns_walk *w)
{
	switch (w->state) {
	case DNS_S_NAME:
		return dns_step_name(w);
	case DNS_S_RR:
		return dns_step_rr(w);
	case DNS_S_OWNER:
		return dns_step_owner(w);
	case DNS_S_CNAME:
		w->state = DNS_S_RR;
		if (w->pos != w->rr_end)
			return dns_fail(w, DNS_E(RDLENGTH));
		return dns_advance(w, w->rr_data, w->head);
	case DNS_S_DNAME_ALIGN:
		return dns_step_align(w);
	case DNS_S_DNAME:
		if (w->pos != w->rr_end)
			return dns_fail(w, DNS_E(RDLENGTH));
		w->dname = 1;
		return dns_skip_rr(w);
	case DNS_S_SVCB:
		if (w->jumps || w->pos > w->rr_end)
			return dns_fail(w, DNS_E(SVCB));
		w->state = DNS_S_PARAM;
		return 0;
	case DNS_S_PARAM:
		return dns_step_param(w);
	case DNS_S_HINT:
		return dns_step_hint(w);
	}
	return 1;
}

/* After dns_walk_question() gave 0. On 0 the chain, the addresses and the tallies are set. */
dns_inline __u32 dns_walk_records(struct dns_walk *w)
{
	w->truncated = !!(w->flags & DNS_FLAG_TC);
	dns_repeat(w, DNS_STEPS_MAX);
	if (w->state != DNS_S_STOP && !w->err)
		return DNS_E(STEPS);
	return w->err;
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_stat.h - every reason and every counter of the kernel side, once.
 *
 * Kernel and user space. One slot of the per-CPU map snp_stats per line; the
 * enum, the name in `status --json` and the metric come from these lists.
 * Append only within a list: pinned counters outlive a daemon.
 */
#ifndef SNP_STAT_H
#define SNP_STAT_H

#include "bpf/snp_types.h"

/*
 * Why a message, a record or a fact was not learned from: none of those drops or delays
 * the packet. And, under policy, what could not be kept, or had to wait. X(NAME, "name in status", "what happened")
 */
#define SNP_REFUSALS(X)                                                                            \
	/* rule 1: who answers */                                                                  \
	X(UNTRUSTED_SERVER, "untrusted_server",                                                    \
	  "an answer from an address not in observe.resolvers")                                    \
	X(UNTRUSTED_NETNS, "untrusted_netns",                                                      \
	  "a loopback resolver outside snooperd's network namespace")                              \
	X(PROXY_SQUATTED, "proxy_squatted", "a proxy address whose socket is not of proxy.cgroup") \
	/* rule 2: what was asked */                                                               \
	X(UNASKED, "unasked", "an answer to no question of the receiving socket")                  \
	X(MISDIRECTED, "misdirected",                                                              \
	  "the id was asked, but of another server, port, name or type")                           \
	X(LATE, "late", "the question is older than observe.query_timeout")                        \
	X(DOUBLED, "doubled", "the question was answered before")                                  \
	/* rule 3: the header */                                                                   \
	X(NOT_ANSWER, "not_answer", "a query came from a resolver's port")                         \
	X(OPCODE, "opcode", "OPCODE is not QUERY")                                                 \
	X(QDCOUNT, "qdcount", "not exactly one question (RFC 9619)")                               \
	X(QCLASS, "qclass", "the question's class is not IN")                                      \
	X(RCODE, "rcode", "RCODE is not NOERROR")                                                  \
	/* the shape of the message */                                                             \
	X(SHORT, "short", "the message ends inside a field, or its counts lie")                    \
	X(LABEL_TYPE, "label_type", "a reserved label type (RFC 1035 4.1.4, RFC 6891 5)")          \
	X(NAME_LONG, "name_long", "a name of more than 255 bytes")                                 \
	X(POINTER, "pointer", "a compression pointer that does not point backwards")               \
	X(JUMPS, "jumps", "more than 16 compression pointers in a name")                           \
	X(RDLENGTH, "rdlength", "RDLENGTH contradicts the record's type")                          \
	X(SVCB, "svcb", "service parameters out of order or malformed (RFC 9460 2.2)")             \
	X(CHAIN_LOOP, "chain_loop", "a CNAME chain that comes back to itself")                     \
	X(CHAIN_LONG, "chain_long", "more than 16 CNAME or DNAME steps")                           \
	X(STEPS, "steps", "the walk took more steps than a message may cost")                      \
	/* the packet around it */                                                                 \
	X(UDP_LENGTH, "udp_length", "the UDP length contradicts the packet")                       \
	X(FRAGMENT, "fragment", "a fragment: no decision on ports it does not carry")              \
	X(EXT_HEADERS, "ext_headers", "more than 8 IPv6 extension headers")                        \
	X(SEGMENTED, "segmented", "several datagrams in one buffer (UDP GRO or GSO)")              \
	X(NO_SCRATCH, "no_scratch", "every scratch slot of this CPU is in use")                    \
	/* records of a message that is otherwise learned from */                                  \
	X(OFF_CHAIN, "off_chain", "a record whose owner is not on the chain from the question")    \
	X(RR_CLASS, "rr_class", "a record of the answer section whose class is not IN")            \
	X(REBIND, "rebind_blocked",                                                                \
	  "an address in observe.never_learn, or private and not wanted")                          \
	X(TOO_MANY, "too_many_addresses", "more addresses in one message than are kept")           \
	/* caps: the new is refused, the old is kept */                                            \
	X(NAMES_FULL, "names_full", "limits.names reached")                                        \
	X(MAP_FULL, "map_full", "limits.facts reached, or limits.rows by distinct addresses")      \
	X(NAME_CAP, "addresses_per_name", "limits.addresses_per_name reached")                     \
	X(ADDR_CAP, "names_per_address", "limits.names_per_address reached")                       \
	X(QUOTA, "per_endpoint", "limits.per_endpoint facts, or names, held by the asking cgroup") \
	X(COLLISION, "name_collision", "two names with one keyed hash")                            \
	/* questions that could not be remembered */                                               \
	X(Q_SHAPE, "question_shape", "a query that is not one well-formed question")               \
	X(Q_EVICTED, "question_evicted", "more questions outstanding on a socket than are kept")   \
	X(Q_STORAGE, "question_storage", "no memory for a socket's questions")                     \
	/* policy: what could not be kept of it */                                                 \
	X(ROWS_FULL, "rows_full", "limits.rows of verdict rows reached: an address not granted")   \
	X(SLOT_EVICTED, "slot_evicted",                                                            \
	  "more identities on an address than are kept: the one gone "                             \
	  "soonest was put out")                                                                   \
	X(FLOWS_FULL, "flows_full",                                                                \
	  "a flow that is judged anew by each packet: no room to "                                 \
	  "remember it")                                                                           \
	X(NO_JUDGE, "no_judge", "refused: too many flows being judged at this moment")             \
	X(TCP_SHAPE, "tcp_question_cut",                                                           \
	  "segments with part of a name: held back for the rest (audit lets them go)")             \
	X(TCP_WAITS, "tcp_question_waits", "segments held back behind another one")                \
	X(UNMATCHED, "unmatched", "answers not kept: observe.names is matched, and no selector is")

/* What happened. X(NAME, "name in status and metrics", "help") */
#define SNP_COUNTERS(X)                                                                            \
	X(QUERIES, "queries_noted", "questions remembered")                                        \
	X(PARSED, "answers_parsed", "answers walked to their end")                                 \
	X(LEARNED, "answers_learned", "answers that gave or renewed at least one address")         \
	X(TRUNCATED, "answers_truncated", "answers with TC=1, learned as far as they go")          \
	X(TRAILING, "answers_trailing", "answers with bytes after the last record")                \
	X(FACTS_NEW, "facts_new", "facts written for the first time")                              \
	X(FACTS_RENEWED, "facts_renewed", "facts whose expiry moved")                              \
	X(RING_RECORDS, "ring_records", "records handed to the ring buffer")                       \
	X(RING_LOST, "ring_lost", "records the full ring buffer did not take; state is kept")      \
	X(SLOT_BUSY, "scratch_nested", "runs that found another run's scratch busy")               \
	X(BYPASSED, "bypassed_queries", "questions sent to a fallback because the proxy was gone") \
	X(BYPASS_NONE, "bypass_no_fallback", "proxy gone, and no fallback of the same family")     \
	X(BYPASS_UNKNOWN, "bypass_unknown",                                                        \
	  "a proxy in a network namespace that cannot be judged")                                  \
	X(BYPASS_PEER, "bypass_has_peer", "sends on a socket that has a peer: never rewritten")    \
	X(REVEALED, "bypass_translated", "fallback addresses shown as the proxy's")                \
	X(OWN, "own_lookups", "answers to snooperd's own look-ups: not learned from")              \
	X(MEMBERS, "endpoint_cgroups_made", "cgroups that belonged to an endpoint when made")      \
	X(MEMBERS_GONE, "endpoint_cgroups_gone", "cgroups of endpoints that the kernel let go of") \
	X(MEMBERS_MISSED, "endpoint_cgroups_missed",                                               \
	  "new cgroups of endpoints for which there was no room, or not enough time")              \
	X(MATCHED, "answers_matched", "answers whose name policy selects for their asker")         \
	X(VERDICTS_LOST, "verdicts_unsampled",                                                     \
	  "refusals that were counted and not told one by one")                                    \
	X(MEMBERS_UNKNOWN, "endpoint_cgroups_unknown",                                             \
	  "new cgroups that no policy reaches until snooperd has found room, or matched them")     \
	X(HITS_LOST, "hits_uncounted",                                                             \
	  "flows that a name admitted and whose selectors had no room to be counted in")

#define SNP_STAT_ENUM(name, ...) SNP_STAT_##name,
enum snp_stat {
	SNP_REFUSALS(SNP_STAT_ENUM) SNP_STAT_REFUSALS_END,
	SNP_STAT_COUNTERS_START = 64,
	SNP_STAT_BEFORE_COUNTERS = SNP_STAT_COUNTERS_START - 1,
	SNP_COUNTERS(SNP_STAT_ENUM) SNP_STAT_END
};
#define SNP_STAT_MAX 128
SNP_ASSERT(SNP_STAT_REFUSALS_END <= SNP_STAT_COUNTERS_START, "refusals have outgrown their half");
SNP_ASSERT(SNP_STAT_END <= SNP_STAT_MAX, "counters have outgrown the map");

#endif

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* walk_rows.c - the rows that can be written down. Read it as the walker's specification. */
#include "tests/walk_rows.h"

/* A row is read as a sentence, not as code. */
/* clang-format off */

/* Pieces of messages, as literals to be put one behind the other. */
#define N(n)			     "\0" n
#define HEAD(flags, qd, an, ns, ar)  "\x12\x34" flags qd an ns ar
#define OK_FLAGS		     "\x81\x80"
#define TC_FLAGS		     "\x83\x80"
#define IN			     "\0\1"
#define TTL			     "\0\0\1\x2c" /* 300 s */
#define RR(owner, type, rdlen, data) owner type IN TTL rdlen data
#define A(owner, ip)		     RR(owner, "\0\1", "\0\4", ip)
#define AAAA(owner, ip)		     RR(owner, "\0\34", "\0\20", ip)
#define CNAME(owner, rdlen, data)    RR(owner, "\0\5", rdlen, data)
#define DNAME(owner, rdlen, data)    RR(owner, "\0\47", rdlen, data)
#define HTTPS(owner, rdlen, data)    RR(owner, "\0\101", rdlen, data)

/* The question www.example A: its name at 12 (\14), "example" at 16 (\20), the next record at 29 (\35). */
#define WWW		     "\3www\7example\0" "\0\1" IN
#define ANSWER(an)	     HEAD(OK_FLAGS, N("\1"), an, N("\0"), N("\0")) WWW
#define SECTIONS(an, ns, ar) HEAD(OK_FLAGS, N("\1"), an, ns, ar) WWW
#define Q		     "\300\14"
#define EXAMPLE		     "\300\20"
#define EDGE		     "\4edge\0" /* 6 bytes, as a first target at 41 (\51) */
#define IP1		     "\300\0\2\1" /* 192.0.2.1 */
#define IP2		     "\300\0\2\2"
#define IP6		     "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1" /* 2001:db8::1 */
/* The same for the question www.example HTTPS. */
#define ASK_HTTPS HEAD(OK_FLAGS, N("\1"), N("\1"), N("\0"), N("\0")) "\3www\7example\0" "\0\101" IN

#define WIRE(s)	  .wire = (s), .len = sizeof(s) - 1
#define BAD(code) .err = DNS_E(code)
#define ONE	  .addrs = "192.0.2.1", .ttl_s = 300

const struct walk_row walk_rows[] = {
	/* plain answers */
	{"one address", WIRE(ANSWER(N("\1")) A(Q, IP1)), ONE},
	{"an address of each family", WIRE(ANSWER(N("\2")) A(Q, IP1) AAAA(Q, IP6)),
	 .addrs = "192.0.2.1 2001:db8::1"},
	{"no answer", WIRE(ANSWER(N("\0")))},
	{"the owner written out", WIRE(ANSWER(N("\1")) A("\3www\7example\0", IP1)), ONE},
	{"the owner in part by pointer", WIRE(ANSWER(N("\1")) A("\3www" EXAMPLE, IP1)), ONE},
	{"mixed case in question and owner",
	 WIRE(HEAD(OK_FLAGS, N("\1"), N("\1"), N("\0"), N("\0")) "\3wWw\7eXamPLE\0" "\0\1" IN
	      A("\3WwW\7ExAMpLe\0", IP1)), ONE},
	{"[ is not {, @ is not `",
	 WIRE(HEAD(OK_FLAGS, N("\1"), N("\1"), N("\0"), N("\0")) "\2[@\0" "\0\1" IN
	      A("\2{`\0", IP1)), .off_chain = 1},
	{"bytes above ASCII are not folded",
	 WIRE(HEAD(OK_FLAGS, N("\1"), N("\1"), N("\0"), N("\0")) "\1\xc1\0" "\0\1" IN
	      A("\1\xe1\0", IP1)), .off_chain = 1},
	{"the root", WIRE(HEAD(OK_FLAGS, N("\1"), N("\2"), N("\0"), N("\0")) "\0" "\0\1" IN
			  A("\0", IP1) A(Q, IP2)), .addrs = "192.0.2.1 192.0.2.2"},
	{"a name to the end of the message", WIRE(ANSWER(N("\1")) CNAME(Q, N("\6"), EDGE)),
	 .chain = "edge"},
	{"records of other types between, whatever they hold",
	 WIRE(ANSWER(N("\3")) RR(Q, "\0\56", N("\3"), "\300\300\300") A(Q, IP1)
	      RR(Q, "\0\20", N("\2"), "\377a")), ONE},
	{"100 addresses", .make = make_a_100, .n_addrs = 100, .ttl_s = 300},
	{"1,000 addresses", .make = make_a_1000, .n_addrs = 1000, .ttl_s = 300},
	{"4,090 addresses", .make = make_a_4090, .n_addrs = 4090},
	{"EDNS0", WIRE(SECTIONS(N("\1"), N("\0"), N("\1")) A(Q, IP1)
		       "\0" "\0\51" "\x4\xd0" "\0\0\x80\0" N("\0")), ONE},
	{"EDNS0 with options", WIRE(SECTIONS(N("\1"), N("\0"), N("\1")) A(Q, IP1)
		       "\0" "\0\51" "\x4\xd0" "\0\0\x80\0" N("\6") "\0\12\0\2ab"), ONE},
	{"authority and glue are not learned",
	 WIRE(SECTIONS(N("\1"), N("\1"), N("\2")) A(Q, IP1) RR(EXAMPLE, "\0\2", N("\6"), "\3ns1" EXAMPLE)
	      A("\300\71", IP2) A(Q, IP2)), ONE},
	{"bytes behind the last record", WIRE(ANSWER(N("\1")) A(Q, IP1) "abc"), ONE, .trailing = 3},
	{"a count below the records", WIRE(ANSWER(N("\1")) A(Q, IP1) A(Q, IP2)), ONE, .trailing = 16},

	/* labels */
	{"a name of 255 bytes", .make = make_name_255, .n_addrs = 1},
	{"a name of 256 bytes", .make = make_name_256, BAD(NAME_LONG)},
	{"127 labels", .make = make_labels_127, .n_addrs = 1},
	{"128 labels", .make = make_labels_128, BAD(NAME_LONG)},
	{"a label of 63 bytes", .make = make_label_63, .n_addrs = 1},
	{"a label of 64 bytes", WIRE(ANSWER(N("\1")) A("\100a\0", IP1)), BAD(LABEL_TYPE)},
	{"label type 10", WIRE(ANSWER(N("\1")) A("\200a\0", IP1)), BAD(LABEL_TYPE)},
	{"label type 10, with the offset of the name", WIRE(ANSWER(N("\1")) A("\200\14", IP1)), BAD(LABEL_TYPE)},
	{"a binary label (RFC 2673)", WIRE(ANSWER(N("\1")) A("\101\1\1\0", IP1)), BAD(LABEL_TYPE)},
	{"a dot inside a label is no separator",
	 WIRE(HEAD(OK_FLAGS, N("\1"), N("\1"), N("\0"), N("\0")) "\1a\1b\0" "\0\1" IN
	      A("\3a.b\0", IP1)), .off_chain = 1},
	{"dot, backslash, NUL and newline in a target",
	 WIRE(ANSWER(N("\2")) CNAME(Q, N("\11"), "\7a.b\\\0\nc\0") A("\300\51", IP1)), ONE,
	 .chain = "a\\.b\\\\\\000\\010c"},
	{"a NUL ends no name", WIRE(ANSWER(N("\1")) A("\3www\7exampl\0\0", IP1)), .off_chain = 1},

	/* pointers */
	{"a pointer forward", WIRE(ANSWER(N("\1")) A("\300\100", IP1)), BAD(POINTER)},
	{"a pointer to itself", WIRE(ANSWER(N("\1")) A("\300\35", IP1)), BAD(POINTER)},
	{"a pointer to the start of its own name", WIRE(ANSWER(N("\1")) A("\1a\300\35", IP1)), BAD(POINTER)},
	{"two pointers in a circle",
	 WIRE(ANSWER(N("\2")) RR(Q, "\0\20", N("\4"), "\300\53\300\51") CNAME(Q, N("\2"), "\300\51")),
	 BAD(POINTER)},
	{"a pointer into the header", WIRE(ANSWER(N("\1")) A("\300\0", IP1)), BAD(POINTER)},
	{"a pointer to the header's last byte", WIRE(ANSWER(N("\1")) A("\300\13", IP1)), BAD(POINTER)},
	{"a pointer in the question", WIRE(HEAD(OK_FLAGS, N("\1"), N("\0"), N("\0"), N("\0"))
					   "\3www\300\14" "\0\1" IN), BAD(POINTER)},
	{"half a pointer", WIRE(ANSWER(N("\1")) "\300"), BAD(SHORT)},
	{"16 pointers in a name", .make = make_jumps_16, .n_addrs = 1, .depth = 1},
	{"17 pointers in a name", .make = make_jumps_17, BAD(JUMPS)},

	/* the header */
	{"a header cut short", WIRE("\x12\x34" OK_FLAGS "\0\1\0\0\0\0\0"), BAD(SHORT)},
	{"a query", WIRE(HEAD("\1\0", N("\1"), N("\0"), N("\0"), N("\0")) WWW), BAD(NOT_ANSWER)},
	{"opcode STATUS", WIRE(HEAD("\x90\0", N("\1"), N("\1"), N("\0"), N("\0")) WWW A(Q, IP1)), BAD(OPCODE)},
	{"opcode IQUERY", WIRE(HEAD("\x88\0", N("\1"), N("\1"), N("\0"), N("\0")) WWW A(Q, IP1)), BAD(OPCODE)},
	{"opcode UPDATE", WIRE(HEAD("\xa8\0", N("\1"), N("\1"), N("\0"), N("\0")) WWW A(Q, IP1)), BAD(OPCODE)},
	{"no question", WIRE(HEAD(OK_FLAGS, N("\0"), N("\1"), N("\0"), N("\0")) A("\0", IP1)), BAD(QDCOUNT)},
	{"two questions", WIRE(HEAD(OK_FLAGS, N("\2"), N("\0"), N("\0"), N("\0")) WWW WWW), BAD(QDCOUNT)},
	{"a question of class CH", WIRE(HEAD(OK_FLAGS, N("\1"), N("\0"), N("\0"), N("\0"))
					"\7version\4bind\0" "\0\20" "\0\3"), BAD(QCLASS)},
	{"a question of class ANY", WIRE(HEAD(OK_FLAGS, N("\1"), N("\0"), N("\0"), N("\0"))
					 "\1a\0" "\0\1" "\0\377"), BAD(QCLASS)},
	{"NXDOMAIN", WIRE(HEAD("\x81\x83", N("\1"), N("\0"), N("\0"), N("\0")) WWW), BAD(RCODE)},
	{"SERVFAIL with an address", WIRE(HEAD("\x81\x82", N("\1"), N("\1"), N("\0"), N("\0")) WWW A(Q, IP1)), BAD(RCODE)},
	{"a question cut in its name", WIRE(HEAD(OK_FLAGS, N("\1"), N("\0"), N("\0"), N("\0")) "\3ww"), BAD(SHORT)},
	{"a question cut behind its name", WIRE(HEAD(TC_FLAGS, N("\1"), N("\0"), N("\0"), N("\0")) "\1a\0" "\0\1\0"), BAD(SHORT)},

	/* counts and lengths that lie */
	{"65,535 answers claimed", WIRE(ANSWER("\377\377") A(Q, IP1)), BAD(SHORT)},
	{"65,535 in every section", WIRE(SECTIONS("\377\377", "\377\377", "\377\377") A(Q, IP1)), BAD(SHORT)},
	{"one answer more than there is", WIRE(ANSWER(N("\2")) A(Q, IP1)), BAD(SHORT)},
	{"one additional record more than there is", WIRE(SECTIONS(N("\1"), N("\0"), N("\1")) A(Q, IP1)), BAD(SHORT)},
	{"a fixed part cut short", WIRE(ANSWER(N("\1")) Q "\0\1" IN TTL "\0"), BAD(SHORT)},
	{"RDLENGTH past the end", WIRE(ANSWER(N("\1")) RR(Q, "\0\1", N("\5"), IP1)), BAD(SHORT)},
	{"RDLENGTH 65,535", WIRE(ANSWER(N("\1")) RR(Q, "\0\1", "\377\377", IP1)), BAD(SHORT)},
	{"an A of 3 bytes", WIRE(ANSWER(N("\1")) RR(Q, "\0\1", N("\3"), "\300\0\2")), BAD(RDLENGTH)},
	{"an A of 5 bytes", WIRE(ANSWER(N("\1")) RR(Q, "\0\1", N("\5"), IP1 "x")), BAD(RDLENGTH)},
	{"an A without bytes", WIRE(ANSWER(N("\1")) RR(Q, "\0\1", N("\0"), "")), BAD(RDLENGTH)},
	{"an AAAA of 4 bytes", WIRE(ANSWER(N("\1")) RR(Q, "\0\34", N("\4"), IP1)), BAD(RDLENGTH)},
	{"a good A, then a bad one", WIRE(ANSWER(N("\2")) A(Q, IP1) RR(Q, "\0\1", N("\3"), "\300\0\2")), BAD(RDLENGTH)},
	{"a CNAME longer than its name", WIRE(ANSWER(N("\1")) CNAME(Q, N("\7"), EDGE "x")), BAD(RDLENGTH)},
	{"a CNAME shorter than its name", WIRE(ANSWER(N("\1")) CNAME(Q, N("\5"), EDGE)), BAD(RDLENGTH)},
	{"a DNAME longer than its name", WIRE(ANSWER(N("\1")) DNAME(EXAMPLE, N("\7"), EDGE "x")), BAD(RDLENGTH)},
	{"a name past the end in the authority section",
	 WIRE(SECTIONS(N("\1"), N("\1"), N("\0")) A(Q, IP1) "\77a"), BAD(SHORT)},
	{"a pointer forward in the additional section",
	 WIRE(SECTIONS(N("\1"), N("\0"), N("\1")) A(Q, IP1) A("\301\0", IP2)), BAD(POINTER)},
	{"16,384 steps", .make = make_steps_most},
	{"16,385 steps", .make = make_steps_over, BAD(STEPS)},

	/* the chain */
	{"a CNAME and its address", WIRE(ANSWER(N("\2")) CNAME(Q, N("\6"), EDGE) A("\300\51", IP1)), ONE,
	 .chain = "edge"},
	{"the target's owner written out", WIRE(ANSWER(N("\2")) CNAME(Q, N("\6"), EDGE) A("\4EDGE\0", IP1)), ONE,
	 .chain = "edge"},
	{"a target that is a pointer", WIRE(ANSWER(N("\2")) CNAME(Q, N("\2"), EXAMPLE) A(EXAMPLE, IP1)), ONE,
	 .chain = "example"},
	{"an address of the target by pointer to the pointer",
	 WIRE(ANSWER(N("\2")) CNAME(Q, N("\2"), EXAMPLE) A("\300\51", IP1)), ONE, .chain = "example"},
	{"a target that ends in a pointer, and an address of what that points at",
	 WIRE(ANSWER(N("\3")) CNAME(Q, N("\4"), "\1x" EXAMPLE) A(EXAMPLE, IP2) A("\300\51", IP1)), ONE,
	 .chain = "x.example", .off_chain = 1},
	{"16 CNAMEs", .make = make_chain_16, .n_addrs = 1, .depth = 16},
	{"17 CNAMEs", .make = make_chain_17, BAD(CHAIN_LONG)},
	{"a CNAME to itself", WIRE(ANSWER(N("\1")) CNAME(Q, N("\2"), Q)), BAD(CHAIN_LOOP)},
	{"two CNAMEs in a circle", WIRE(ANSWER(N("\2")) CNAME(Q, N("\6"), EDGE) CNAME("\300\51", N("\2"), Q)),
	 BAD(CHAIN_LOOP)},
	{"two CNAMEs of one owner: the first counts",
	 WIRE(ANSWER(N("\3")) CNAME(Q, N("\6"), EDGE) CNAME(Q, N("\3"), "\1x\0") A("\300\51", IP1)), ONE,
	 .chain = "edge", .off_chain = 1},
	{"records out of order: the address before its CNAME",
	 WIRE(ANSWER(N("\2")) A(EDGE, IP1) CNAME(Q, N("\6"), EDGE)), .chain = "edge", .off_chain = 1},
	{"an address of the alias, then the CNAME, then its address",
	 WIRE(ANSWER(N("\3")) A(Q, IP1) CNAME(Q, N("\6"), EDGE) A("\300\71", IP2)),
	 .addrs = "192.0.2.1 192.0.2.2", .chain = "edge"},
	{"a name nobody asked for", WIRE(ANSWER(N("\2")) A("\4evil\0", IP2) A(Q, IP1)), ONE, .off_chain = 1},
	{"two sets of addresses: the second off the chain",
	 WIRE(ANSWER(N("\3")) A(Q, IP1) A(EXAMPLE, IP2) A(EXAMPLE, IP2)), ONE, .off_chain = 2},
	{"a parent's address is off the chain", WIRE(ANSWER(N("\1")) A(EXAMPLE, IP1)), .off_chain = 1},
	{"a bad A off the chain is not read", WIRE(ANSWER(N("\2")) RR("\1x\0", "\0\1", N("\3"), "abc") A(Q, IP1)), ONE,
	 .off_chain = 1},
	{"an address of class CH", WIRE(ANSWER(N("\2")) Q "\0\1\0\3" TTL N("\4") IP2 A(Q, IP1)), ONE, .rr_class = 1},
	{"a CNAME of class ANY", WIRE(ANSWER(N("\2")) Q "\0\5\0\377" TTL N("\6") EDGE A(Q, IP1)), ONE, .rr_class = 1},

	/* DNAME (RFC 6672) */
	{"a DNAME, its CNAME and the address",
	 WIRE(ANSWER(N("\3")) DNAME(EXAMPLE, N("\5"), "\3net\0") CNAME(Q, N("\6"), "\3www\300\51")
	      A("\300\72", IP1)), ONE, .chain = "www.net"},
	{"a DNAME without its CNAME",
	 WIRE(ANSWER(N("\2")) DNAME(EXAMPLE, N("\5"), "\3net\0") A("\3www\300\51", IP1)), ONE, .chain = "www.net"},
	{"a DNAME of the root", WIRE(ANSWER(N("\2")) DNAME("\0", N("\5"), "\3net\0")
				     A("\3www\7example\300\50", IP1)), ONE, .chain = "www.example.net"},
	{"a DNAME to the root", WIRE(ANSWER(N("\2")) DNAME(EXAMPLE, N("\1"), "\0") A("\3www\0", IP1)), ONE,
	 .chain = "www"},
	{"a DNAME of the name itself redirects nothing",
	 WIRE(ANSWER(N("\3")) DNAME(Q, N("\5"), "\3net\0") A("\300\51", IP2) A(Q, IP1)), ONE, .off_chain = 1},
	{"a DNAME of another branch", WIRE(ANSWER(N("\1")) DNAME("\1x" EXAMPLE, N("\5"), "\3net\0")), .off_chain = 1},
	{"a DNAME to its own owner", WIRE(ANSWER(N("\2")) DNAME(EXAMPLE, N("\2"), EXAMPLE) A("\3www\7example\0", IP1)), ONE},
	{"a DNAME that ends the name, but not at a label",
	 WIRE(HEAD(OK_FLAGS, N("\1"), N("\2"), N("\0"), N("\0")) "\5a\3com\0" "\0\1" IN
	      DNAME("\3com\0", N("\5"), "\3net\0") A("\300\14", IP1)), ONE, .off_chain = 1},
	{"a DNAME that makes a name of 255 bytes", .make = make_dname_255, .n_addrs = 1, .depth = 1},
	{"a DNAME that makes a name of 256 bytes", .make = make_dname_256, BAD(NAME_LONG)},

	/* TTL */
	{"the least TTL along the chain",
	 WIRE(ANSWER(N("\2")) Q "\0\5" IN "\0\0\0\7" N("\6") EDGE A("\300\51", IP1)),
	 .addrs = "192.0.2.1", .chain = "edge", .ttl_s = 7},
	{"the address's own TTL when it is less",
	 WIRE(ANSWER(N("\2")) CNAME(Q, N("\6"), EDGE) "\300\51" "\0\1" IN "\0\0\0\3" N("\4") IP1),
	 .addrs = "192.0.2.1", .chain = "edge", .ttl_s = 3},
	{"a TTL with bit 31 set is 0", WIRE(ANSWER(N("\1")) Q "\0\1" IN "\x80\0\0\1" N("\4") IP1),
	 .addrs = "192.0.2.1", .zero_ttl = 1},
	{"a TTL of 2^32 - 1 is 0", WIRE(ANSWER(N("\1")) Q "\0\1" IN "\377\377\377\377" N("\4") IP1),
	 .addrs = "192.0.2.1", .zero_ttl = 1},
	{"a TTL of 2^31 - 1", WIRE(ANSWER(N("\1")) Q "\0\1" IN "\x7f\377\377\377" N("\4") IP1),
	 .addrs = "192.0.2.1", .ttl_s = 0x7fffffff},
	{"a CNAME's TTL with bit 31 set",
	 WIRE(ANSWER(N("\2")) Q "\0\5" IN "\x80\0\0\0" N("\6") EDGE A("\300\51", IP1)),
	 .addrs = "192.0.2.1", .chain = "edge", .zero_ttl = 1},

	/* TC=1: as far as it goes */
	{"TC=1, whole", WIRE(HEAD(TC_FLAGS, N("\1"), N("\1"), N("\0"), N("\0")) WWW A(Q, IP1)), ONE, .truncated = 1},
	{"TC=1, no answer", WIRE(HEAD(TC_FLAGS, N("\1"), N("\0"), N("\0"), N("\0")) WWW), .truncated = 1},
	{"TC=1, cut in an owner", WIRE(HEAD(TC_FLAGS, N("\1"), N("\2"), N("\0"), N("\0")) WWW A(Q, IP1) "\3w"), ONE, .truncated = 1},
	{"TC=1, cut in a pointer", WIRE(HEAD(TC_FLAGS, N("\1"), N("\2"), N("\0"), N("\0")) WWW A(Q, IP1) "\300"), ONE, .truncated = 1},
	{"TC=1, cut in a fixed part", WIRE(HEAD(TC_FLAGS, N("\1"), N("\2"), N("\0"), N("\0")) WWW A(Q, IP1) Q "\0\1\0"), ONE, .truncated = 1},
	{"TC=1, cut in an address", WIRE(HEAD(TC_FLAGS, N("\1"), N("\2"), N("\0"), N("\0")) WWW A(Q, IP1) RR(Q, "\0\1", N("\4"), "\300\0")), ONE, .truncated = 1},
	{"TC=1, and a pointer forward all the same", WIRE(HEAD(TC_FLAGS, N("\1"), N("\1"), N("\0"), N("\0")) WWW A("\300\377", IP1)), BAD(POINTER)},

	/* service bindings (RFC 9460) */
	{"HTTPS without parameters", WIRE(ASK_HTTPS HTTPS(Q, N("\3"), "\0\1\0"))},
	{"HTTPS with hints of both families, and others between",
	 WIRE(ASK_HTTPS HTTPS(Q, N("\52"), "\0\1\0" "\0\1\0\3\2h2" "\0\4\0\10" IP1 IP2 "\0\6\0\20" IP6)),
	 .addrs = "192.0.2.1 192.0.2.2 2001:db8::1", .ttl_s = 300},
	{"HTTPS with a target name", WIRE(ASK_HTTPS HTTPS(Q, N("\20"), "\0\1" EDGE "\0\4\0\4" IP1)), ONE},
	{"HTTPS behind a CNAME",
	 WIRE(HEAD(OK_FLAGS, N("\1"), N("\2"), N("\0"), N("\0")) "\3www\7example\0" "\0\101" IN
	      CNAME(Q, N("\6"), EDGE) HTTPS("\300\51", N("\13"), "\0\1\0" "\0\4\0\4" IP1)), ONE, .chain = "edge"},
	{"an alias has no parameters", WIRE(ASK_HTTPS HTTPS(Q, N("\20"), "\0\0" EDGE "\0\4\0\4" IP1))},
	{"SVCB off the chain", WIRE(ASK_HTTPS HTTPS("\1x\0", N("\13"), "\0\1\0" "\0\4\0\4" IP1)), .off_chain = 1},
	{"HTTPS of two bytes", WIRE(ASK_HTTPS HTTPS(Q, N("\2"), "\0\1")), BAD(SVCB)},
	{"HTTPS with a compressed target", WIRE(ASK_HTTPS HTTPS(Q, N("\4"), "\0\1" Q)), BAD(SVCB)},
	{"HTTPS whose target leaves the record", WIRE(ASK_HTTPS HTTPS(Q, N("\5"), "\0\1\4ed" "ge\0")), BAD(SVCB)},
	{"parameters out of order", WIRE(ASK_HTTPS HTTPS(Q, N("\23"), "\0\1\0" "\0\4\0\4" IP1 "\0\1\0\4\3abc")), BAD(SVCB)},
	{"a parameter twice", WIRE(ASK_HTTPS HTTPS(Q, N("\23"), "\0\1\0" "\0\4\0\4" IP1 "\0\4\0\4" IP2)), BAD(SVCB)},
	{"half a parameter", WIRE(ASK_HTTPS HTTPS(Q, N("\6"), "\0\1\0" "\0\4\0")), BAD(SVCB)},
	{"a parameter longer than the record", WIRE(ASK_HTTPS HTTPS(Q, N("\13"), "\0\1\0" "\0\4\0\10" IP1)), BAD(SVCB)},
	{"a hint of no address", WIRE(ASK_HTTPS HTTPS(Q, N("\7"), "\0\1\0" "\0\4\0\0")), BAD(SVCB)},
	{"a hint of five bytes", WIRE(ASK_HTTPS HTTPS(Q, N("\14"), "\0\1\0" "\0\4\0\5" IP1 "x")), BAD(SVCB)},
	{"an IPv6 hint of four bytes", WIRE(ASK_HTTPS HTTPS(Q, N("\13"), "\0\1\0" "\0\6\0\4" IP1)), BAD(SVCB)},
	{"a parameter behind key 65,535", WIRE(ASK_HTTPS HTTPS(Q, N("\17"), "\0\1\0" "\377\377\0\0" "\0\4\0\4" IP1)), BAD(SVCB)},
	{"5,000 hints: more than are kept", .make = make_hints_many, .n_addrs = DNS_ADDRS_MAX, .too_many = 5000 - DNS_ADDRS_MAX},

	/* addresses that no name may open */
	{"loopback beside a good address", WIRE(ANSWER(N("\2")) A(Q, "\x7f\0\0\1") A(Q, IP1)),
	 .addrs = "127.0.0.1 192.0.2.1", .blocked = "127.0.0.1"},
	{"metadata, unspecified, multicast, broadcast",
	 WIRE(ANSWER(N("\4")) A(Q, "\xa9\xfe\xa9\xfe") A(Q, "\0\0\0\0") A(Q, "\340\0\0\1") A(Q, "\377\377\377\377")),
	 .addrs = "169.254.169.254 0.0.0.0 224.0.0.1 255.255.255.255",
	 .blocked = "169.254.169.254 0.0.0.0 224.0.0.1 255.255.255.255"},
	{"an IPv4 address in an AAAA", WIRE(ANSWER(N("\2")) AAAA(Q, "\0\0\0\0\0\0\0\0\0\0\377\377\300\0\2\1") AAAA(Q, IP6)),
	 .addrs = "::ffff:192.0.2.1 2001:db8::1", .blocked = "::ffff:192.0.2.1"},
	{"IPv6 loopback and link-local",
	 WIRE(ANSWER(N("\2")) AAAA(Q, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1") AAAA(Q, "\376\200\0\0\0\0\0\0\0\0\0\0\0\0\0\1")),
	 .addrs = "::1 fe80::1", .blocked = "::1 fe80::1"},
};
const size_t n_walk_rows = sizeof(walk_rows) / sizeof(walk_rows[0]);

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_stream.h - how far the questions of a TCP socket were judged.
 *
 * Kernel and user space. Storage of sockets that ask a resolver over TCP under rules.dns.
 */
#ifndef SNP_STREAM_H
#define SNP_STREAM_H

#include "bpf/snp_types.h"

#define STREAM_HEAD	    14	/* the length field and the header: no byte of a name */
#define STREAM_QUESTION_MAX 288 /* of a message: header, name, type and class fit */

struct snp_stream {
	__u32 known; /* a segment has been judged: the rest means something */
	__u32 next;  /* sequence number behind what has left */
	__u32 left;  /* bytes to come of a message that may be asked */
	__u32 have;  /* bytes in head: of a message that is cut before its name */
	__u32 told;  /* that it asked for a name that it may not */
	__u32 reserved;
	__u8 head[32]; /* more than is ever held: it is read and written in one go */
};
SNP_ASSERT(sizeof(struct snp_stream) == 56, "snp_stream is a socket's storage");

#endif

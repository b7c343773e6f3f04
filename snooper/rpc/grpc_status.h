/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * grpc_status.h - how a call ends: a code and a text.
 *
 * rpc: no third-party header. The codes are gRPC's own numbers.
 */
#ifndef SNP_GRPC_STATUS_H
#define SNP_GRPC_STATUS_H

#include <stddef.h>

#define GRPC_CODES(X)                                                                              \
	X(0, OK)                                                                                   \
	X(1, CANCELLED)                                                                            \
	X(2, UNKNOWN)                                                                              \
	X(3, INVALID_ARGUMENT)                                                                     \
	X(4, DEADLINE_EXCEEDED)                                                                    \
	X(5, NOT_FOUND)                                                                            \
	X(6, ALREADY_EXISTS)                                                                       \
	X(7, PERMISSION_DENIED)                                                                    \
	X(8, RESOURCE_EXHAUSTED)                                                                   \
	X(9, FAILED_PRECONDITION)                                                                  \
	X(10, ABORTED)                                                                             \
	X(11, OUT_OF_RANGE)                                                                        \
	X(12, UNIMPLEMENTED)                                                                       \
	X(13, INTERNAL)                                                                            \
	X(14, UNAVAILABLE)                                                                         \
	X(15, DATA_LOSS)                                                                           \
	X(16, UNAUTHENTICATED)

#define GRPC_CODE_ENUM(number, name) GRPC_##name = (number),
enum grpc_code { GRPC_CODES(GRPC_CODE_ENUM) };

/* The longest text that is sent or kept; what is longer is cut. */
#define GRPC_TEXT_MAX 512

/* "OK", "CANCELLED", ...; "UNKNOWN" for a number that is none of them. */
const char *grpc_code_name(int code);

/* The code written in n decimal digits, GRPC_UNKNOWN when it is none. */
enum grpc_code grpc_code_parse(const char *digits, size_t n);

/*
 * The percent-encoding of the grpc-message header. Both write at most room
 * bytes with the NUL, cut what does not fit, and return the length.
 */
size_t grpc_text_encode(const char *text, char *out, size_t room);
size_t grpc_text_decode(const char *in, size_t n, char *text, size_t room);

#endif

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * grpc_described.h - find files, symbols and services in a set of descriptors.
 *
 * rpc: protobuf-c inside. For grpc_reflection.c.
 */
#ifndef SNP_GRPC_DESCRIBED_H
#define SNP_GRPC_DESCRIBED_H

#include <stdbool.h>
#include <stddef.h>
#include <protobuf-c/protobuf-c.h>

struct grpc_described; /* opaque; grpc_described.c */

/* What this build serves. NULL when out of memory. */
struct grpc_described *grpc_described_new(void);
void grpc_described_free(struct grpc_described *d);

/* A FileDescriptorProto as it was written, borrowed from d; NULL: there is none. */
const ProtobufCBinaryData *grpc_described_file(const struct grpc_described *d, const char *name);
const ProtobufCBinaryData *
grpc_described_symbol(const struct grpc_described *d, const char *symbol);
bool grpc_described_is_type(const struct grpc_described *d, const char *symbol);

/* The i-th service as "package.Service" in text. False: there are not so many. */
bool grpc_described_service(const struct grpc_described *d, size_t i, char *text, size_t room);

#endif

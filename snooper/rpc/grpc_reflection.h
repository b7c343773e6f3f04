/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * grpc_reflection.h - what is served, described by the server: for tools that have no .proto.
 *
 * rpc. The descriptors come from protoc at build time (Makefile: SERVED). v1 and
 * v1alpha differ in their names only, so the same functions serve both.
 */
#ifndef SNP_GRPC_REFLECTION_H
#define SNP_GRPC_REFLECTION_H

#include "snooper/rpc/grpc_method.h"

void grpc_reflection_start(void *ctx, struct grpc_call *call, const uint8_t *request, size_t n);
void grpc_reflection_next(void *state, struct grpc_call *call, const uint8_t *request, size_t n);
void grpc_reflection_stop(void *state);

#define GRPC_REFLECTION_METHOD(version)                                                            \
	{                                                                                          \
		"/grpc.reflection." version ".ServerReflection/ServerReflectionInfo",              \
			GRPC_MAY_READ, grpc_reflection_start, NULL, grpc_reflection_stop,          \
			grpc_reflection_next                                                       \
	}
#define GRPC_REFLECTION_METHODS GRPC_REFLECTION_METHOD("v1"), GRPC_REFLECTION_METHOD("v1alpha")

#endif

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * grpc_health.h - grpc.health.v1.Health: rows for a service's table of methods.
 *
 * rpc. A server of ours listens only once it can answer, so who is heard at all
 * hears SERVING, of "" and of every service that has a row in the same table.
 */
#ifndef SNP_GRPC_HEALTH_H
#define SNP_GRPC_HEALTH_H

#include "snooper/rpc/grpc_method.h"

void grpc_health_check(void *ctx, struct grpc_call *call, const uint8_t *request, size_t n);
void grpc_health_watch(void *ctx, struct grpc_call *call, const uint8_t *request, size_t n);
void grpc_health_wait(void *state, struct grpc_call *call);

#define GRPC_HEALTH_METHODS                                                                        \
	{"/grpc.health.v1.Health/Check", GRPC_MAY_READ, grpc_health_check, NULL, NULL, NULL},      \
	{                                                                                          \
		"/grpc.health.v1.Health/Watch", GRPC_MAY_READ, grpc_health_watch,                  \
			grpc_health_wait, NULL, NULL                                               \
	}

#endif

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * export_service.h - the methods of snooper.v1 without a socket: for tests and the fuzzer.
 *
 * rpc.
 */
#ifndef SNP_EXPORT_SERVICE_H
#define SNP_EXPORT_SERVICE_H

#include "snooper/rpc/export.h"
#include "snooper/rpc/grpc_method.h"

/* source is borrowed for as long as the service is used. */
void export_service_init(struct grpc_service *service, const struct export_source *source);

#endif

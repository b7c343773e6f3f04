/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * export_msg.h - listings and status as messages of proto/export.proto.
 *
 * rpc: protobuf-c inside. Each writes one message to the call, or fails the
 * call when memory is short.
 */
#ifndef SNP_EXPORT_MSG_H
#define SNP_EXPORT_MSG_H

#include <protobuf-c/protobuf-c.h>

#include "snooper/core/listing.h"
#include "snooper/core/policy_lines.h"
#include "snooper/core/status.h"
#include "snooper/rpc/export_service.h"
#include "snooper/rpc/grpc_method.h"

/* One message; for who makes one of his own. */
void export_send(struct grpc_call *call, const ProtobufCMessage *m);
ProtobufCBinaryData export_addr(const struct snp_addr *a); /* borrowed */

/* WatchReply; name is NULL where change has none. */
void export_send_change(struct grpc_call *call, enum export_change change,
			const struct snp_listed_name *name);
void export_send_name(struct grpc_call *call, const struct snp_listed_name *name);
/* WhyReply, PolicyReply or VerdictsReply, by its kind (export_policy_msg.c). */
void export_send_line(struct grpc_call *call, const struct snp_policy_line *line);
/* service: whose own counts are sent along. */
void export_send_status(struct grpc_call *call, const struct snp_status *st,
			const struct export_service *service);

/* err: 0 or -errno of the reload; errors: its text, changed in place (NULL: none). */
void export_send_reload(struct grpc_call *call, int err, char *errors);

#endif

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/rpc/grpc_health.h"

#include <string.h>

#include "proto/grpc/health/v1/health.pb-c.h"

#define SERVING		GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
#define SERVICE_UNKNOWN GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN

/* Is there a method "/name/..."? "" is the server itself. */
static bool serves(const struct grpc_service *service, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; n && i < service->n_methods; i++) {
		const char *path = service->methods[i].path + 1;

		if (!strncmp(path, name, n) && path[n] == '/')
			return true;
	}
	return !n;
}

/* False: the request cannot be read, and the call is over. */
static bool asked(struct grpc_call *call, const uint8_t *request, size_t n, bool *known)
{
	Grpc__Health__V1__HealthCheckRequest *m =
		grpc__health__v1__health_check_request__unpack(NULL, n, request);

	if (!m) {
		grpc_call_malformed(call);
		return false;
	}
	*known = serves(grpc_call_service(call), m->service);
	grpc__health__v1__health_check_request__free_unpacked(m, NULL);
	return true;
}

static void say(struct grpc_call *call, bool known)
{
	Grpc__Health__V1__HealthCheckResponse m = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
	uint8_t *at;

	m.status = known ? SERVING : SERVICE_UNKNOWN;
	at = grpc_call_message(call, grpc__health__v1__health_check_response__get_packed_size(&m));
	if (at)
		grpc__health__v1__health_check_response__pack(&m, at);
}

void grpc_health_check(void *ctx, struct grpc_call *call, const uint8_t *request, size_t n)
{
	bool known;

	if (!asked(call, request, n, &known))
		return;
	if (known)
		say(call, true);
	grpc_call_finish(call, known ? GRPC_OK : GRPC_NOT_FOUND, known ? NULL : "unknown service");
}

void grpc_health_watch(void *ctx, struct grpc_call *call, const uint8_t *request, size_t n)
{
	bool known;

	if (!asked(call, request, n, &known))
		return;
	say(call, known);
	grpc_call_stream(call, NULL);
}

/* Nothing changes while we are there to tell of it: the end of the connection is the news. */
void grpc_health_wait(void *state, struct grpc_call *call)
{
	grpc_call_sleep(call);
}

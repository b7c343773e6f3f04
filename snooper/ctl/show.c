/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* How things are written: JSON, durations, addresses. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "snooper/core/text.h"
#include "snooper/ctl/ctl.h"

void ctl_printf(struct ctl *ctl, const char *format, ...)
{
	va_list ap;

	if (ctl->out_err)
		return;
	va_start(ap, format);
	if (vprintf(format, ap) < 0)
		ctl->out_err = errno;
	va_end(ap);
}

void ctl_print_json_take(struct ctl *ctl, struct json_object *o)
{
	ctl_printf(ctl, "%s\n",
		   json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
							     JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}

void ctl_put_string(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, json_object_new_string(value));
}

void ctl_put_number(struct json_object *o, const char *key, uint64_t value)
{
	json_object_object_add(o, key, json_object_new_uint64(value));
}

void ctl_put_bool(struct json_object *o, const char *key, bool value)
{
	json_object_object_add(o, key, json_object_new_boolean(value));
}

struct json_object *ctl_strings(char *const *list, size_t n)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < n; i++)
		json_object_array_add(array, json_object_new_string(list[i]));
	return array;
}

const char *ctl_duration(uint64_t ms, char text[static CTL_DURATION_MAX])
{
	uint64_t s = ms / 1000;

	if (ms < 1000)
		snprintf(text, CTL_DURATION_MAX, "%" PRIu64 "ms", ms);
	else if (s < 60)
		snprintf(text, CTL_DURATION_MAX, "%" PRIu64 ".%us", s,
			 (unsigned int)(ms % 1000 / 100));
	else if (s < 3600)
		snprintf(text, CTL_DURATION_MAX, "%" PRIu64 "m %" PRIu64 "s", s / 60, s % 60);
	else if (s < 86400)
		snprintf(text, CTL_DURATION_MAX, "%" PRIu64 "h %" PRIu64 "m", s / 3600,
			 s % 3600 / 60);
	else
		snprintf(text, CTL_DURATION_MAX, "%" PRIu64 "d %" PRIu64 "h", s / 86400,
			 s % 86400 / 3600);
	return text;
}

const char *ctl_addr(const ProtobufCBinaryData *bytes, char text[static CTL_ADDR_MAX])
{
	struct snp_addr a;

	_Static_assert(CTL_ADDR_MAX >= ADDR_TEXT_MAX, "any address must fit");
	if (!addr_from_bytes(bytes->data, bytes->len, &a)) {
		snprintf(text, CTL_ADDR_MAX, "?");
		return text;
	}
	return addr_to_text(&a, text);
}

const char *ctl_clock(char text[static CTL_CLOCK_MAX])
{
	struct timespec now;
	char clock[16] = "";
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	if (localtime_r(&now.tv_sec, &tm))
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	snprintf(text, CTL_CLOCK_MAX, "%s.%03u", clock, (unsigned)(now.tv_nsec / 1000000) % 1000);
	return text;
}

const char *ctl_protocol(uint32_t number, char text[static CTL_PROTOCOL_MAX])
{
	static const struct {
		uint32_t number;
		const char *name;
	} known[] = {{1, "ICMP"}, {6, "TCP"}, {17, "UDP"}, {58, "ICMPv6"}, {132, "SCTP"}};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].number == number)
			return known[i].name;
	snprintf(text, CTL_PROTOCOL_MAX, "%" PRIu32, number);
	return text;
}

char *ctl_joined(char *const *list, size_t n, uint64_t more)
{
	size_t len = sizeof(" and 18446744073709551615 more");
	char *text, *at;

	for (size_t i = 0; i < n; i++)
		len += strlen(list[i]) + 1;
	text = at = calloc(1, len);
	for (size_t i = 0; text && i < n; i++) {
		if (i)
			*at++ = ',';
		at = stpcpy(at, list[i]);
	}
	if (text && more)
		sprintf(at, " and %" PRIu64 " more", more);
	return text;
}

static void put_field(struct json_object *o, const ProtobufCFieldDescriptor *f, const void *at)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_UINT64:
		ctl_put_number(o, f->name, *(const uint64_t *)at);
		break;
	case PROTOBUF_C_TYPE_UINT32:
		ctl_put_number(o, f->name, *(const uint32_t *)at);
		break;
	case PROTOBUF_C_TYPE_BOOL:
		ctl_put_bool(o, f->name, *(const protobuf_c_boolean *)at);
		break;
	case PROTOBUF_C_TYPE_STRING:
		ctl_put_string(o, f->name, *(char *const *)at);
		break;
	default:
		break;
	}
}

struct json_object *ctl_message_json(const ProtobufCMessage *m)
{
	struct json_object *o = json_object_new_object();

	for (unsigned int i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];

		if (f->label == PROTOBUF_C_LABEL_NONE && !(f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF))
			put_field(o, f, (const char *)m + f->offset);
	}
	return o;
}

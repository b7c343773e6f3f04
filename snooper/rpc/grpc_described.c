/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/rpc/grpc_described.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/descriptor_set.pb-c.h"
#include "snooper/base/cleanup.h"

static const uint8_t served[] = {
#include "proto/served.inc"
};

struct grpc_described {
	Snooper__Described__FileSet *set;
	Snooper__Described__File **files; /* one for each of the set's */
};

static void freep(struct grpc_described **d)
{
	grpc_described_free(*d);
}

struct grpc_described *grpc_described_new(void)
{
	SNP_CLEANUP(freep)
	struct grpc_described *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->set = snooper__described__file_set__unpack(NULL, sizeof(served), served);
	if (!d->set)
		return NULL;
	d->files = calloc(d->set->n_file + 1, sizeof(Snooper__Described__File *));
	if (!d->files)
		return NULL;
	for (size_t i = 0; i < d->set->n_file; i++) {
		d->files[i] = snooper__described__file__unpack(NULL, d->set->file[i].len,
							       d->set->file[i].data);
		if (!d->files[i])
			return NULL;
	}
	return snp_take(&d);
}

void grpc_described_free(struct grpc_described *d)
{
	if (!d)
		return;
	for (size_t i = 0; d->files && i < d->set->n_file; i++)
		snooper__described__file__free_unpacked(d->files[i], NULL);
	free(d->files);
	snooper__described__file_set__free_unpacked(d->set, NULL);
	free(d);
}

const ProtobufCBinaryData *grpc_described_file(const struct grpc_described *d, const char *name)
{
	for (size_t i = 0; i < d->set->n_file; i++)
		if (!strcmp(d->files[i]->name, name))
			return &d->set->file[i];
	return NULL;
}

/* What follows "name." in symbol: "" when symbol is name, NULL when it is something else. */
static const char *within(const char *symbol, const char *name)
{
	size_t n = strlen(name);

	if (strncmp(symbol, name, n) || (symbol[n] && symbol[n] != '.'))
		return NULL;
	return symbol[n] ? symbol + n + 1 : symbol + n;
}

static bool has_member(Snooper__Described__Member *const *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(list[i]->name, name))
			return true;
	return false;
}

static bool in_enums(Snooper__Described__Enum *const *list, size_t n, const char *symbol)
{
	for (size_t i = 0; i < n; i++) {
		/* The values of an enum are its siblings. */
		if (!strcmp(list[i]->name, symbol) ||
		    has_member(list[i]->value, list[i]->n_value, symbol))
			return true;
	}
	return false;
}

/* types_only: a message, and nothing that belongs to one. As deep as .proto files of ours nest. */
static bool
in_types(Snooper__Described__Type *const *list, size_t n, const char *symbol, bool types_only)
{
	for (size_t i = 0; i < n; i++) {
		const Snooper__Described__Type *t = list[i];
		const char *rest = within(symbol, t->name);

		if (!rest)
			continue;
		if (!*rest || in_types(t->nested_type, t->n_nested_type, rest, types_only))
			return true;
		if (!types_only && (in_enums(t->enum_type, t->n_enum_type, rest) ||
				    has_member(t->field, t->n_field, rest) ||
				    has_member(t->oneof_decl, t->n_oneof_decl, rest)))
			return true;
	}
	return false;
}

static bool in_services(Snooper__Described__Service *const *list, size_t n, const char *symbol)
{
	for (size_t i = 0; i < n; i++) {
		const char *rest = within(symbol, list[i]->name);

		if (rest && (!*rest || has_member(list[i]->method, list[i]->n_method, rest)))
			return true;
	}
	return false;
}

const ProtobufCBinaryData *grpc_described_symbol(const struct grpc_described *d, const char *symbol)
{
	for (size_t i = 0; i < d->set->n_file; i++) {
		const Snooper__Described__File *f = d->files[i];
		const char *rest = within(symbol, f->package);

		if (rest && (in_types(f->message_type, f->n_message_type, rest, false) ||
			     in_enums(f->enum_type, f->n_enum_type, rest) ||
			     in_services(f->service, f->n_service, rest)))
			return &d->set->file[i];
	}
	return NULL;
}

bool grpc_described_is_type(const struct grpc_described *d, const char *symbol)
{
	for (size_t i = 0; i < d->set->n_file; i++) {
		const Snooper__Described__File *f = d->files[i];
		const char *rest = within(symbol, f->package);

		if (rest && in_types(f->message_type, f->n_message_type, rest, true))
			return true;
	}
	return false;
}

bool grpc_described_service(const struct grpc_described *d, size_t i, char *text, size_t room)
{
	for (size_t k = 0; k < d->set->n_file; k++) {
		const Snooper__Described__File *f = d->files[k];

		if (i < f->n_service) {
			snprintf(text, room, "%s.%s", f->package, f->service[i]->name);
			return true;
		}
		i -= f->n_service;
	}
	return false;
}

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* daemon_watch.c - the cache's readers of changes, as watches of the gRPC face. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/base/cleanup.h"
#include "snooper/core/fqdn_watch.h"
#include "snooper/core/match_pattern.h"
#include "snooper/daemon.h"

struct watch {
	struct fqdn_watch *reader;
	char *pattern; /* NULL: all */
};

static void freep(struct watch **w)
{
	daemon_watch_close(NULL, *w);
}

int daemon_watch_open(void *ctx, const char *pattern, void **watch)
{
	struct daemon *d = ctx;
	SNP_CLEANUP(freep)
	struct watch *w = NULL;

	if (pattern && !match_pattern_valid(pattern))
		return -EINVAL;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->pattern = pattern ? strdup(pattern) : NULL;
	w->reader = fqdn_watch_new(d->cache);
	if (!w->reader || (pattern && !w->pattern))
		return -ENOMEM;
	*watch = snp_take(&w);
	return 0;
}

void daemon_watch_close(void *ctx, void *watch)
{
	struct watch *w = watch;

	if (!w)
		return;
	fqdn_watch_free(w->reader);
	free(w->pattern);
	free(w);
}

/* One name, told. */
struct telling {
	export_change_fn emit;
	void *emit_ctx;
	bool gone;
};

static bool tell(void *ctx, const struct snp_listed_name *name)
{
	const struct telling *t = ctx;

	if (t->gone)
		return t->emit(t->emit_ctx, EXPORT_GONE, name);
	/* What it had is over: that it is gone follows, when the cache forgets it. */
	return name->n_addrs ? t->emit(t->emit_ctx, EXPORT_NAME, name) : true;
}

int daemon_watch_next(void *ctx, void *watch, export_change_fn emit, void *emit_ctx)
{
	struct daemon *d = ctx;
	struct watch *w = watch;
	uint64_t now_ns = clock_boot_ns();
	struct telling t = {emit, emit_ctx, false};
	struct fqdn_name name;

	for (size_t looked = 0, facts; looked < DAEMON_SLICE;) {
		int r = 1;

		switch (fqdn_watch_next(w->reader, &name)) {
		case FQDN_WATCH_IDLE:
			return 0;
		case FQDN_WATCH_NAME:
			facts = daemon_name_facts(d, &name);
			t.gone = !facts;
			looked += facts + 1;
			r = daemon_show_name(d, &name, w->pattern, now_ns, tell, &t);
			break;
		case FQDN_WATCH_SYNCED:
			r = emit(emit_ctx, EXPORT_SYNCED, NULL);
			break;
		case FQDN_WATCH_LOST:
			emit(emit_ctx, EXPORT_LOST, NULL);
			return 1;
		}
		if (r <= 0)
			return r < 0 ? r : 1; /* 0: no more room now */
	}
	return 1;
}

void daemon_tell_changes(struct daemon *d)
{
	uint64_t changes = fqdn_cache_changes(d->cache);

	if (changes == d->told_changes)
		return;
	d->told_changes = changes;
	export_changed(d->export);
}

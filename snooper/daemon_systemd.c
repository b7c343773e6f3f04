/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/daemon_systemd.h"

#include <inttypes.h>
#include <systemd/sd-daemon.h>
#include <time.h>

void systemd_ready(void)
{
	sd_notify(0, "READY=1");
}

/* The time tells the manager which READY=1 belongs to this reload (Type=notify-reload). */
void systemd_reloading(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		   (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000);
}

void systemd_stopping(void)
{
	sd_notify(0, "STOPPING=1");
}

uint64_t systemd_watchdog_us(void)
{
	uint64_t limit_us;

	return sd_watchdog_enabled(0, &limit_us) > 0 ? limit_us / 2 : 0;
}

void systemd_alive(void)
{
	sd_notify(0, "WATCHDOG=1");
}

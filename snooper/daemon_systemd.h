/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* daemon_systemd.h - what the service manager is told, by sd_notify(3); nothing where there is none. */
#ifndef SNP_DAEMON_SYSTEMD_H
#define SNP_DAEMON_SYSTEMD_H

#include <stdint.h>

void systemd_ready(void); /* started, or done with a reload */
void systemd_reloading(void);
void systemd_stopping(void);

/* Half of the watchdog's time in microseconds: how often to call systemd_alive(). 0: nobody watches. */
uint64_t systemd_watchdog_us(void);
void systemd_alive(void);

#endif

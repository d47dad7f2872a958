/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The line between radio and app: a listening TCP socket with one client, a
 * pseudo-terminal, or a serial port. */

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

typedef struct SimLink SimLink;

typedef struct SimLinkCallbacks {
        void (*connected)(void *userdata);
        void (*disconnected)(void *userdata);
        void (*input)(void *userdata, const uint8_t *data, size_t size);
        /* The kernel has taken everything up to this count of bytes since the
         * client came. */
        void (*written)(void *userdata, uint64_t total);
} SimLinkCallbacks;

/* address is ADDRESS:PORT, [ADDRESS]:PORT for IPv6; port 0 takes a free one. Logs. */
int sim_link_new_tcp(sd_event *event, const char *address, const SimLinkCallbacks *callbacks, void *userdata,
                     SimLink **ret);
/* Makes link a symbolic link to the terminal; replaces a symbolic link that
 * is there, nothing else. Logs. */
int sim_link_new_pty(sd_event *event, const char *link, const SimLinkCallbacks *callbacks, void *userdata,
                     SimLink **ret);
/* path is a serial port, or a unix stream socket that leads to one; while it is not there it is
 * looked for again and again. */
int sim_link_new_wire(sd_event *event, const char *path, const SimLinkCallbacks *callbacks, void *userdata,
                      SimLink **ret);
/* A radio of the lab's emulated Bluetooth controller, whose control socket this is: frames instead of bytes,
 * and a frame counts as written when the controller has it. Logs. */
int sim_link_new_vradio(sd_event *event, const char *socket, unsigned radio,
                        const SimLinkCallbacks *callbacks, void *userdata, SimLink **ret);
SimLink *sim_link_free(SimLink *link);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SimLink, sim_link_free)

/* "127.0.0.1:5000", or the path of the link. */
const char *sim_link_name(const SimLink *link);
bool sim_link_has_client(const SimLink *link);

/* Takes all; what the kernel does not take yet waits. Nothing happens when
 * nobody listens. */
void sim_link_write(SimLink *link, const uint8_t *data, size_t size);
size_t sim_link_pending(const SimLink *link);
/* Bytes that the kernel took since the client came. */
uint64_t sim_link_written(const SimLink *link);

/* Faults. */
void sim_link_drop(SimLink *link);                /* as if the cable was cut */
void sim_link_stall(SimLink *link, bool stalled); /* nothing is read or written */
void sim_link_refuse(SimLink *link, bool refuse); /* nobody gets in; a terminal is gone */

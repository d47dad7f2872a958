/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The radio behind an emulated Bluetooth controller: tests/lab/vradio plays controller, link and pairing, and
 * hands commands and notifications over its control socket, a line each. */

#include "sim-link.h"

typedef struct SimVradio SimVradio;

/* Which of vradio's radios. Logs. */
int sim_vradio_new(sd_event *event, const char *socket, unsigned radio, const SimLinkCallbacks *callbacks,
                   void *userdata, SimVradio **ret);
SimVradio *sim_vradio_free(SimVradio *vradio);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SimVradio, sim_vradio_free)

/* As sim_link_*(). */
bool sim_vradio_has_client(const SimVradio *vradio);
void sim_vradio_write(SimVradio *vradio, const uint8_t *frame, size_t size);
size_t sim_vradio_pending(const SimVradio *vradio);
uint64_t sim_vradio_written(const SimVradio *vradio);
void sim_vradio_drop(SimVradio *vradio);
void sim_vradio_stall(SimVradio *vradio, bool stalled);
void sim_vradio_refuse(SimVradio *vradio, bool refuse);

/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Bytes of a caller's own on air, and what the radio knows of others without asking them. The contract of
 * contacts-api.h holds here too: done runs exactly once, never from inside the call. What goes on air takes
 * from the budget of airtime.h, and fails with RateLimited while nothing is left. */

#include "bytes.h"
#include "contacts-api.h"

#define RADIO_RAW_MIN 4 /* bytes of raw data */

/* -- sending -- */

/* Raw data, straight along the path, whose hops have one byte each; an empty path is for who hears us. */
void radio_send_raw(Radio *radio, const PathHop *path, size_t n_path, Slice data, radio_done_t done,
                    void *userdata);
/* Control data for who hears us; the first byte is 0x80 or above. Firmware 1.10. */
void radio_send_control(Radio *radio, Slice data, radio_done_t done, void *userdata);
/* A whole packet of the mesh, header first. Priority 0 is the highest. Firmware 1.16. */
void radio_send_packet(Radio *radio, uint8_t priority, Slice packet, radio_done_t done, void *userdata);

/* -- what the radio knows -- */

/* The way that the contact's last advert took to us, nearest to the contact first; the radio remembers the
 * last 16 of all. heard_usec is in our time, path is borrowed. */
typedef void (*radio_advert_path_done_t)(Radio *radio, const Outcome *outcome, uint64_t heard_usec,
                                         const PathHop *path, size_t n_path, void *userdata);
void radio_get_advert_path(Radio *radio, const PublicKey *key, radio_advert_path_done_t done, void *userdata);

/* Whether the radio keeps a connection to this server alive by itself. Firmware since 1.9 never does. */
typedef void (*radio_has_connection_done_t)(Radio *radio, const Outcome *outcome, bool connected,
                                            void *userdata);
void radio_has_connection(Radio *radio, const PublicKey *key, radio_has_connection_done_t done,
                          void *userdata);

/* Reads the contact from the radio, as the book may be behind; ends when the book has it. */
void radio_refresh_contact(Radio *radio, const PublicKey *key, radio_done_t done, void *userdata);

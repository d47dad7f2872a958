/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Asks who is at the end of a serial port that nobody has claimed: opens it,
 * starts a session, reads the public key, and gives the port back. */

#include "manager.h"
#include "serial-ports.h"

typedef struct Scout Scout;

/* The first round is over, or a later one brought an answer: key is the radio's, NULL when nobody answers
 * like a radio. Without an answer the scout goes on asking, ever more rarely, until it is freed; with one it
 * is done, and may be freed from inside. */
typedef void (*scout_told_t)(Scout *scout, const PublicKey *key, void *userdata);

/* Begins at the next turn of the loop. */
int scout_new(Manager *manager, const SerialPort *port, scout_told_t told, void *userdata, Scout **ret);
/* NULL is allowed; returns NULL. */
Scout *scout_free(Scout *scout);

const char *scout_device(const Scout *scout);
/* Nothing is known yet. */
bool scout_is_first_round(const Scout *scout);

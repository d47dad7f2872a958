/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Radios that are plugged in or near, whether or not a section names them, and the
 * bonds that this computer has with radios. */

#include "manager.h"

typedef struct Found {
        Transport transport;
        char *address; /* what the configuration wants after "serial:" or "ble:" */
        char *device;  /* serial: the port, without links; NULL else */
        char *name;    /* as it announces itself: of the Bluetooth device, or of the USB product; "" if not */
        char *adapter; /* ble: as in "hci0"; NULL else */
        bool bonded, connected;
        bool candidate; /* serial: behind a bridge that boards with MeshCore have, and others as well */
        bool has_rssi;
        int rssi; /* dBm */
        bool has_key;
        PublicKey key; /* of who answers there, where that is known already */
        Radio *radio;  /* whose it is, borrowed; NULL: of nobody yet */
} Found;

typedef struct DiscoverOptions {
        Transport transport; /* _TRANSPORT_INVALID: all that have something to find */
        const char *name;    /* of the Bluetooth device, with or without "MeshCore-"; NULL: any */
        const char *adapter; /* name or address; NULL: all with power */
        bool first;          /* ends with the first one that is found */
        bool bonds;          /* only those with a bond, and without looking around */
        uint64_t timeout_usec;
} DiscoverOptions;

typedef struct Discovery Discovery;

/* found: Found, borrowed, serial ports first, then the nearest first, then candidates; NULL when the outcome
 * is not OUTCOME_OK. Runs once, never from inside discovery_new(); the discovery may be freed from inside. */
typedef void (*discovery_done_t)(const Outcome *outcome, const GPtrArray *found, void *userdata);

/* Strings of options are copied. Bluetooth that is off is an error only when nothing else was asked for. */
int discovery_new(Manager *manager, const DiscoverOptions *options, discovery_done_t done, void *userdata,
                  Discovery **ret);
/* Ends the scan, unless somebody else wants it, too. NULL is allowed; returns NULL. */
Discovery *discovery_free(Discovery *discovery);

/* Removes all bonds with the radio of this address from this computer; a radio of ours that uses one is
 * stopped, and its state follows. Only what looks like a companion radio is touched. done runs once, later.
 */
typedef void (*forget_done_t)(const Outcome *outcome, void *userdata);
void manager_forget_bond(Manager *manager, const char *address, forget_done_t done, void *userdata);

/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Shared by link-ble.c and ble-*.c: the link to one radio over bluetoothd. */

#include "link-internal.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(sd_bus_message, sd_bus_message_unref)

typedef enum BleStep {
        BLE_IDLE,
        BLE_SERVICE,     /* waits for bluetoothd's objects */
        BLE_POWER,       /* waits for the adapter's power */
        BLE_SEARCHING,   /* scans */
        BLE_LEAVING,     /* an earlier connection or device is being taken away */
        BLE_AGENT,       /* registers the agent */
        BLE_PAIRING,     /* Pair is under way */
        BLE_CONNECTING,  /* Connect is under way */
        BLE_PAUSE,       /* between two tries to connect; bluetoothd may try by itself */
        BLE_RESOLVING,   /* connected, bluetoothd looks for services */
        BLE_SUBSCRIBING, /* AcquireNotify is under way */
        BLE_OPEN,
} BleStep;

typedef struct LinkBle {
        Link link;
        Bluez *bluez;
        Bond *bond;
        char *target, *adapter_wanted;
        BleOptions options; /* adapter is adapter_wanted */

        BleStep step;
        BluezWatch *watch;
        sd_event_source *defer, *timer;
        sd_bus_slot *call; /* of the step */
        char *adapter, *device, *address;
        BluezScan *scan;
        BluezMonitor *monitor; /* before the scan, where that is enough */
        bool was_paired;       /* the device, when it was last looked at */
        bool ours;             /* the connection: begun by us */
        bool half_done;        /* a pairing of ours failed: the device is to go */
        bool repaired;         /* the bond was removed once in this link */
        bool powered;          /* power was asked for */
        bool refused;          /* a Connect failed */
        unsigned n_lost, n_tries;
        uint64_t step_began; /* CLOCK_MONOTONIC */

        /* ble-pair.c */
        BluezAgent *agent;
        uint32_t passkey;
        bool asked;         /* for the PIN, in this pairing */
        bool unproven;      /* asked to pair without it */
        bool connect_first; /* Pair found no connection */

        /* ble-channel.c */
        int fd;
        sd_event_source *io;
        char *write_path;
        uint16_t mtu;
        bool proven; /* the radio has answered */

        /* ble-write.c */
        sd_bus_slot *write_call; /* a write, or AcquireWrite */
        GQueue writes;           /* Write; the first one is under way while a write is */
        size_t n_waiting;
        bool acquired; /* AcquireWrite was tried */
        int write_fd;  /* of it */
        sd_event_source *write_io;
} LinkBle;

#define BLE_REASON_AUTH "org.bluez.Reason.Authentication"

/* -- link-ble.c -- */
const BluezDevice *ble_device(const LinkBle *ble);
/* Forgets call and timer of the step before; usec: how long the new one may take, 0 for ever. */
void ble_enter(LinkBle *ble, BleStep step, uint64_t usec);
uint64_t ble_step_age(const LinkBle *ble);

/* -- ble-find.c -- */
/* From the choice of adapter and device on. */
void ble_begin(LinkBle *ble);
/* The device is the one. */
void ble_begin_device(LinkBle *ble, const BluezDevice *device);
bool ble_is_target(const LinkBle *ble, const BluezDevice *device);
/* Removes it, with its bond; ble_begin() follows. */
void ble_forget_device(LinkBle *ble);
/* Time is up in BLE_SEARCHING: scans after all, or ends. */
void ble_search_over(LinkBle *ble);

/* -- ble-connect.c -- */
void ble_connect(LinkBle *ble);
/* Whether what failed in this step failed soon enough to be tried again. */
bool ble_is_worth_a_try(const LinkBle *ble);
/* Connected: waits for the services, then subscribes. */
void ble_resolve(LinkBle *ble);
/* The bond is no good: pairs anew when there is a PIN, else ends. */
void ble_stale(LinkBle *ble, BondReason reason);
/* The connection ended before the services were there. */
void ble_dropped(LinkBle *ble, const BluezDevice *device);

/* -- ble-end.c -- */
/* Sets the state of the bond and ends the link. A negative state leaves the bond as it is. */
void ble_end(LinkBle *ble, LinkEnd end, int error, BondState state, BondReason reason, const char *format,
             ...) __attribute__((format(printf, 6, 7)));
void ble_end_errno(LinkBle *ble, int error, const char *what);
/* off: it is there, but has no power. */
void ble_end_adapter(LinkBle *ble, bool off);
void ble_end_service(LinkBle *ble);
void ble_end_not_found(LinkBle *ble);
/* bluetoothd's ways to say that the bus, the adapter or the device is the matter. Ends the link and returns
 * true if so. */
bool ble_end_common(LinkBle *ble, const sd_bus_error *error);
bool ble_error_is_access(const sd_bus_error *error);
/* What an unpaired or paired radio is while it cannot be talked to. */
BondState ble_state_away(const LinkBle *ble);

/* -- ble-pair.c -- */
/* Gets the PIN and pairs; ble_resolve() or the end follow. */
void ble_pair(LinkBle *ble);
/* The same over the connection that is there now, where Pair found none. */
void ble_pair_connected(LinkBle *ble);
void ble_pair_stop(LinkBle *ble);

/* -- ble-channel.c -- */
void ble_subscribe(LinkBle *ble);
void ble_channel_stop(LinkBle *ble);

/* -- ble-write.c -- */
int ble_send(Link *link, const uint8_t *frame, size_t size);
void ble_write_stop(LinkBle *ble);
